"""What the kernels remember: the state of every goroutine, P and thread, and of the recording as a whole.

Each resource is a record in one array, so that one event touches few cache lines. Arrays are `np.recarray`, because
records are reached by attribute with the JIT off too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.copying import words_of
from tracekit.sources.go_trace.columns import EARLY_ROWS, Counts, Intervals, Moves, Ranges, Wakeups, grown, new_columns
from tracekit.sources.go_trace.compiled import constant, constants
from tracekit.sources.go_trace.lookup import NONE, fill_slots, new_slots, refilled
from tracekit.vocabulary import RANGES

# Goroutine status, as on the wire; ABSENT: not there, UNDETERMINED: there, but not told what it did before.
ABSENT, RUNNABLE, RUNNING, SYSCALL, WAITING, UNDETERMINED = constants(6)
GOROUTINE_STATES = ("NotExist", "Runnable", "Running", "Syscall", "Waiting", "Undetermined")

# P status, as on the wire, except for P_UNDETERMINED.
P_ABSENT, P_RUNNING, P_IDLE, P_SYSCALL, P_ABANDONED, P_UNDETERMINED = constants(6)
P_STATES = ("NotExist", "Running", "Idle", "Running", "Idle", "Undetermined")

GC_UNDETERMINED, GC_OFF, GC_ON = constants(3)

MAX_P_ID = 1 << 16  # GOMAXPROCS beyond this is a damaged id: no machine has as many CPUs
MAX_THREAD_ID = 2**31 - 1

# Kinds of move: of which resource `Moves.id` is the id.
GOROUTINE_MOVE, P_MOVE = constants(2)
# Kinds of range, as in the vocabulary.
STW, GC_MARK, GC_SWEEP, GC_ASSIST, USER_TASK, REGION, LOG = (
    constant(RANGES[kind]) for kind in ("stop_the_world", "gc", "sweep", "mark_assist", "user_task", "region", "log")
)

NO_SEQ = constant(0)  # no sequence number of this generation yet
NO_M = constant(0)  # index of the thread that stands for none


def _integers(names: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in names.split()], align=True)


# `row` is the open interval, `assist`, `stw` and `region` the (innermost) open ranges; `task` and `parent` are task
# ids, `name` the index of a text; `end` is NONE while the goroutine lives.
_GOROUTINE = _integers(
    "goid task status seq_generation seq row reason m name parent start end free_from assist stw region doubted"
)  # fmt: skip
# `doubted`: the last mend took the record's own sequence number for right and the event's for damaged.
# `free_from` is when its last RUNNING interval ended (a goroutine's: its last interval).
_P = _integers("status seq_generation seq m free_from sweep doubted")
# `id` as in the file, `label` what the tables show, `seen` whether one of its events was looked at.
_M = _integers("id label goroutine p seen")
_CURSOR = _integers("m batch last_batch offset limit clock at type time a0 a1 a2 a3")
_TOTALS = _integers(
    "rows early wakeups moves ranges counts users goroutines tasks ms events first last epoch generation initial "
    "gc_seq gc_state gc_mark heap sample mended unbegun latest patience error_at error_slot record"
)


class State(NamedTuple):
    """All that the kernels read and write. `totals` is one record of counters and of what there is one of."""

    totals: Any
    goroutines: Any
    goroutine_slots: Any
    ps: Any
    ms: Any
    m_slots: Any
    intervals: Intervals
    wakeups: Wakeups
    moves: Moves
    ranges: Ranges
    counts: Counts
    user_slots: Any


def records(dtype: np.dtype[Any], count: int) -> Any:
    """`count` zeroed records."""
    return np.zeros(count, dtype).view(np.recarray)


def new_state(expected_rows: int, *, record: bool) -> State:
    """An empty state with room for about `expected_rows` intervals. `record` keeps every transition as well."""
    totals = records(_TOTALS, 1)
    totals.generation = totals.first = totals.epoch = totals.gc_mark = totals.error_at = NONE
    totals.initial, totals.record = 1, record
    totals.ms = 1  # ms[0] stands for no thread
    totals.rows = EARLY_ROWS
    ps = records(_P, MAX_P_ID)
    ps.m = ps.sweep = NONE
    ms = records(_M, 64)
    ms[0] = (NONE, NONE, NONE, NONE, 0)
    return State(
        totals, records(_GOROUTINE, 1024), new_slots(4096), ps, ms, new_slots(256),
        new_columns(Intervals, expected_rows + EARLY_ROWS), new_columns(Wakeups, expected_rows // 2),
        new_columns(Moves, 0), new_columns(Ranges, 1024), new_columns(Counts, 1024), new_slots(2048),
    )  # fmt: skip


def new_cursors(count: int) -> Any:
    """`count` zeroed batch cursors."""
    return records(_CURSOR, count)


def _grown(array: Any, used: int, spare: int) -> Any:
    if len(array) - used >= spare:
        return array
    larger = records(array.dtype, 2 * len(array) + spare)
    words_of(larger)[:used] = words_of(array[:used])
    return larger


SPARE = 256  # rows free in each array after `grow`, so that a kernel can take many steps before it asks again


def grow(state: State, threads: int = 0) -> State:
    """The same state with at least SPARE rows free in every array, and room for so many more threads."""
    totals = state.totals[0]
    state = state._replace(
        goroutines=_grown(state.goroutines, totals.goroutines, SPARE),
        ms=_grown(state.ms, totals.ms, SPARE + threads),
        intervals=grown(state.intervals, totals.rows, SPARE),
        wakeups=grown(state.wakeups, totals.wakeups, SPARE),
        moves=grown(state.moves, totals.moves, SPARE) if totals.record else state.moves,
        ranges=grown(state.ranges, totals.ranges, SPARE),
        counts=grown(state.counts, totals.counts, SPARE),
    )
    if len(state.goroutine_slots) < 2 * len(state.goroutines):
        state = state._replace(goroutine_slots=new_slots(4 * len(state.goroutines)))
        fill_slots(state.goroutine_slots, np.ascontiguousarray(state.goroutines.goid[: totals.goroutines]))
    if len(state.user_slots) // 2 < totals.users + SPARE:
        state = state._replace(user_slots=refilled(state.user_slots))
    if len(state.m_slots) < 2 * len(state.ms):
        state = state._replace(m_slots=new_slots(4 * len(state.ms)))
        fill_slots(state.m_slots, np.ascontiguousarray(state.ms.id[: totals.ms]))
    return state


def close_all(state: State) -> None:
    """End every open interval and range one nanosecond after the last event."""
    totals = state.totals[0]
    after = totals.last + 1 - totals.first if totals.first != NONE else 0
    goroutines = state.goroutines[: totals.goroutines]
    still_open = goroutines.row[goroutines.row != NONE]
    state.intervals.end[still_open] = after
    goroutines.free_from[goroutines.row != NONE] = after
    goroutines.row = NONE
    ranges = state.ranges.end[: totals.ranges]
    state.ranges.inferred[: totals.ranges] |= ranges == NONE
    ranges[ranges == NONE] = after


def forget(state: State) -> None:
    """After damage: what every resource does is unknown until the next generation says."""
    close_all(state)
    totals = state.totals[0]
    known = state.goroutines[: totals.goroutines]
    known.m = known.assist = known.stw = known.region = NONE
    known.status = ABSENT
    state.ps.free_from = totals.last + 1 - totals.first if totals.first != NONE else 0
    state.ps.m = state.ps.sweep = NONE
    state.ps.status = P_ABSENT
    state.ms.goroutine = state.ms.p = NONE
    state.ms.seen = 0
    totals.initial, totals.epoch, totals.gc_mark, totals.gc_state = 1, NONE, NONE, GC_UNDETERMINED
