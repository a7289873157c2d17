"""One generation through the ordering kernel: make room when it asks, and mend when it is stuck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.go_trace.dictionary import Dictionary
from tracekit.sources.go_trace.faults import BAD_EVENT, BAD_NUMBER, BAD_TIME, DONE
from tracekit.sources.go_trace.holes import MAX_MENDS, Mending
from tracekit.sources.go_trace.mending import adopt, skip
from tracekit.sources.go_trace.order import MORE, install, run
from tracekit.sources.go_trace.spec import ARGUMENTS
from tracekit.sources.go_trace.state import State, grow, new_cursors

_ARGUMENTS = np.frombuffer(ARGUMENTS, np.uint8)
_UNDECODED = (BAD_EVENT, BAD_NUMBER, BAD_TIME)


class Streams(NamedTuple):
    """What the kernel merges: the file, its batches by thread, and how to read them."""

    data: Any
    batches: Any  # int64 rows (offset, limit, time), each thread's together
    threads: Any  # int64 rows (thread id, first batch, last batch)
    ns_per_unit: float
    samples: Any  # int64, times of CPU samples in ns
    dictionary: Dictionary


MakeRoom = Callable[[State], State]


def merge(state: State, streams: Streams, partial: bool, make_room: MakeRoom) -> tuple[State, Mending]:
    """Order a generation's events into rows. Returns the state, which may have moved, and what had to be mended.

    `make_room` is called when an array is full, and gives a state with room.
    """
    mending = Mending()
    cursors, heap = new_cursors(len(streams.threads)), np.zeros(len(streams.threads), np.int64)
    decoding = (streams.data, streams.batches)
    state = grow(state, len(streams.threads))
    outcome = install(
        state, *decoding, streams.threads, _ARGUMENTS, streams.ns_per_unit, cursors, heap
    )  # fmt: skip
    if outcome != DONE:
        mending.note(outcome, state.totals[0])
        mending.cut_batches += 1
    outcome, adopted_at = MORE, -1
    while outcome != DONE and mending.steps < MAX_MENDS:
        state = make_room(state)
        outcome = run(
            state, *decoding, _ARGUMENTS, streams.ns_per_unit, cursors, heap, streams.samples, streams.dictionary
        )  # fmt: skip
        if outcome < 0:
            adopted_at = _mend(state, streams, cursors, heap, partial, mending, outcome, adopted_at)
    return state, mending


def _mend(
    state: State, streams: Streams, cursors: Any, heap: Any, partial: bool, mending: Mending, fault: int, adopted_at: int
) -> int:  # fmt: skip
    """Get past one fault. Returns the offset of the event that was believed, so that it is not believed twice."""
    totals = state.totals[0]
    mending.note(fault, totals)
    undecoded = fault in _UNDECODED
    first_try = not undecoded and totals.error_at != adopted_at
    if first_try and adopt(state, cursors[heap[totals.error_slot]], partial):
        mending.adopted += 1
        return int(totals.error_at)
    outcome = fault
    while outcome != DONE and mending.steps < MAX_MENDS:
        mending.cut_batches += undecoded
        mending.skipped += not undecoded
        outcome = skip(
            state, streams.data, streams.batches, _ARGUMENTS, streams.ns_per_unit, cursors, heap, undecoded
        )  # fmt: skip
        undecoded = True
    return -1
