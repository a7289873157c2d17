"""Every state transition in the order of Go's own reader, for comparing the two. Not part of any promise."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tracekit.sources.go_trace.reading import read_file
from tracekit.sources.go_trace.state import GOROUTINE_MOVE, GOROUTINE_STATES, P_STATES


class Transition(NamedTuple):
    """One resource changes state: as `go tool trace -d=parsed` prints it."""

    time_ns: int  # of the trace's clock
    resource: str  # GoID or ProcID
    id: int
    before: str
    after: str


def transitions(path: Path) -> list[Transition]:
    """All transitions of goroutines and Ps in a trace. Raises SourceError as the source does."""
    state = read_file(path, record=True).state
    first, count = int(state.totals[0].first), int(state.totals[0].moves)
    rows = zip(*(column[:count].tolist() for column in state.moves), strict=True)
    return [_transition(first + at, number, kind, before, after) for at, number, kind, before, after in rows]


def _transition(time_ns: int, number: int, kind: int, before: int, after: int) -> Transition:
    names = GOROUTINE_STATES if kind == GOROUTINE_MOVE else P_STATES
    return Transition(time_ns, "GoID" if kind == GOROUTINE_MOVE else "ProcID", number, names[before], names[after])
