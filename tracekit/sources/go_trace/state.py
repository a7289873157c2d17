"""What the kernels remember: the state of every goroutine, P and thread, the rows written so far, and how it grows.

Each resource is a record in one array, so that one event touches few cache lines; rows are records too, and turn
into columns at the end. Arrays are `np.recarray`, because records are reached by attribute with the JIT off too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.go_trace.compiled import kernel, part

NONE = -1

# Goroutine status, as on the wire; ABSENT: not there, UNDETERMINED: there, but not told what it did before.
ABSENT, RUNNABLE, RUNNING, SYSCALL, WAITING, UNDETERMINED = range(6)
GOROUTINE_STATES = ("NotExist", "Runnable", "Running", "Syscall", "Waiting", "Undetermined")

# P status, as on the wire, except for P_UNDETERMINED.
P_ABSENT, P_RUNNING, P_IDLE, P_SYSCALL, P_ABANDONED, P_UNDETERMINED = range(6)
P_STATES = ("NotExist", "Running", "Idle", "Running", "Idle", "Undetermined")

GC_UNDETERMINED, GC_OFF, GC_ON = range(3)

MAX_P_ID = 1 << 16  # GOMAXPROCS beyond this is a damaged id: no machine has as many CPUs

_GOROUTINE = np.dtype(
    [
        ("goid", "i8"), ("status", "i8"), ("seq_generation", "i8"), ("seq", "i8"),
        ("row", "i8"), ("reason", "i8"), ("m", "i8"), ("naming_stack", "i8"),
        ("parent", "i8"), ("start", "i8"), ("end", "i8"), ("assist", "i8"), ("stw", "i8"),
    ]
)  # fmt: skip
_P = np.dtype(
    [("status", "i8"), ("seq_generation", "i8"), ("seq", "i8"), ("m", "i8"), ("free_from", "i8"), ("sweep", "i8")]
)
_M = np.dtype([("id", "i8"), ("goroutine", "i8"), ("p", "i8"), ("seen", "i8")])
_CURSOR = np.dtype(
    [
        ("m", "i8"), ("batch", "i8"), ("last_batch", "i8"), ("offset", "i8"), ("limit", "i8"), ("clock", "i8"),
        ("at", "i8"), ("type", "i8"), ("time", "i8"), ("a0", "i8"), ("a1", "i8"), ("a2", "i8"), ("a3", "i8"),
    ]
)  # fmt: skip
_ROW = np.dtype(
    [
        ("start", "i8"), ("end", "i8"), ("task", "i4"), ("m", "i4"), ("p", "i4"),
        ("state", "i1"), ("reason", "i1"), ("inferred", "i1"), ("spare", "i1"),
    ]
)  # fmt: skip
_WAKEUP = np.dtype([("at", "i8"), ("waker", "i4"), ("wakee", "i4"), ("p", "i4"), ("reason", "i4")])
_MOVE = np.dtype([("at", "i8"), ("id", "i8"), ("m", "i8"), ("kind", "i1"), ("before", "i1"), ("after", "i1")])
_MARK = np.dtype([("start", "i8"), ("end", "i8"), ("kind", "i8"), ("of", "i8"), ("text", "i8")])
_TOTALS = np.dtype(
    [
        ("rows", "i8"), ("wakeups", "i8"), ("moves", "i8"), ("marks", "i8"), ("goroutines", "i8"), ("ms", "i8"),
        ("events", "i8"), ("first", "i8"), ("last", "i8"), ("epoch", "i8"), ("generation", "i8"), ("initial", "i8"),
        ("gc_seq", "i8"), ("gc_state", "i8"), ("gc_mark", "i8"), ("heap", "i8"), ("sample", "i8"),
        ("mended", "i8"), ("error_at", "i8"), ("record", "i8"),
    ]
)  # fmt: skip

# Kinds of move: of which resource `_MOVE.id` is the id.
GOROUTINE_MOVE, P_MOVE = range(2)
# Kinds of mark: a range of time in which the collector or the runtime does something.
STW, GC_MARK, GC_SWEEP, GC_ASSIST = range(4)


class State(NamedTuple):
    """All that the kernels read and write. `totals` is one record of counters and of what there is one of."""

    totals: Any
    goroutines: Any
    goroutine_slots: Any  # hash table: goid, index
    ps: Any
    ms: Any
    m_slots: Any
    rows: Any
    wakeups: Any
    moves: Any
    marks: Any


def records(dtype: np.dtype[Any], count: int) -> Any:
    """`count` zeroed records."""
    return np.zeros(count, dtype).view(np.recarray)


def new_state(expected_rows: int, *, record: bool) -> State:
    """An empty state with room for about `expected_rows` intervals. `record` keeps every transition as well."""
    totals = records(_TOTALS, 1)
    totals.generation = totals.first = totals.epoch = totals.gc_mark = totals.error_at = NONE
    totals.initial = 1
    totals.ms, totals.record = 1, record  # ms[0] stands for no thread
    ps = records(_P, MAX_P_ID)
    ps.m = ps.sweep = NONE
    state = State(
        totals, records(_GOROUTINE, 1024), _slots(4096), ps, records(_M, 64), _slots(256),
        _unset(_ROW, expected_rows + 64), _unset(_WAKEUP, expected_rows // 4 + 64), _unset(_MOVE, 256), records(_MARK, 256),
    )  # fmt: skip
    state.ms[0] = (NONE, NONE, NONE, 0)
    return state


def _unset(dtype: np.dtype[Any], count: int) -> Any:
    return np.empty(count, dtype).view(np.recarray)


def _slots(count: int) -> Any:
    return np.full((count, 2), NONE, np.int64)


def new_cursors(count: int) -> Any:
    """`count` zeroed batch cursors."""
    return records(_CURSOR, count)


def _grown(array: Any, used: int, spare: int) -> Any:
    if len(array) - used >= spare:
        return array
    larger = _unset(array.dtype, 2 * len(array) + spare)
    larger[:used] = array[:used]
    return larger


SPARE = 256  # records free in each array after `grow`, so that a kernel can take many steps before it asks again


def grow(state: State, threads: int = 0) -> State:
    """The same state with at least SPARE free records in every array, and room for so many more threads."""
    totals = state.totals[0]
    state = state._replace(
        goroutines=_grown(state.goroutines, totals.goroutines, SPARE),
        ms=_grown(state.ms, totals.ms, SPARE + threads),
        rows=_grown(state.rows, totals.rows, SPARE),
        wakeups=_grown(state.wakeups, totals.wakeups, SPARE),
        moves=_grown(state.moves, totals.moves, SPARE) if totals.record else state.moves,
        marks=_grown(state.marks, totals.marks, SPARE),
    )
    if len(state.goroutine_slots) < 2 * len(state.goroutines):
        state = state._replace(goroutine_slots=_slots(_power_of_two(4 * len(state.goroutines))))
        fill_slots(state.goroutine_slots, state.goroutines.goid[: totals.goroutines].copy())
    if len(state.m_slots) < 2 * len(state.ms):
        state = state._replace(m_slots=_slots(_power_of_two(4 * len(state.ms))))
        fill_slots(state.m_slots, state.ms.id[: totals.ms].copy())
    return state


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


@kernel
def fill_slots(slots: Any, ids: Any) -> None:
    """Enter ids[i] → i into an empty hash table; of equal ids the last one counts."""
    for index in range(len(ids)):
        put(slots, ids[index], index)


@part
def slot_of(slots: Any, key: int) -> int:
    """Where `key` is in a hash table, or where it would go: linear probing.

    The runtime hands goroutine ids to each P 16 at a time, so 16 neighbours stay together and groups are spread.
    """
    mask = len(slots) - 1
    group = (((key >> 4) & 0x7FFFFFFF) * 0x1E3779B1) >> 20
    slot = ((group << 4) | (key & 15)) & mask
    while slots[slot, 1] != NONE and slots[slot, 0] != key:
        slot = (slot + 1) & mask
    return slot


@part
def put(slots: Any, key: int, index: int) -> None:
    """Set key → index."""
    slot = slot_of(slots, key)
    slots[slot, 0] = key
    slots[slot, 1] = index


@part
def find(slots: Any, key: int) -> int:
    """The index of `key`, or NONE."""
    return slots[slot_of(slots, key), 1]


@part
def find_or_add_m(s: State, thread: int) -> int:
    """The index of a thread; a new one has neither P nor goroutine. Index 0 stands for no thread."""
    index = find(s.m_slots, thread)
    if index == NONE:
        index = s.totals[0].ms
        s.totals[0].ms = index + 1
        s.ms[index].id = thread
        s.ms[index].goroutine = NONE
        s.ms[index].p = NONE
        s.ms[index].seen = 0
        put(s.m_slots, thread, index)
    return index


@part
def add_goroutine(s: State, goid: int, status: int, at: int) -> int:
    """Enter a goroutine and return its index, which will be its task id."""
    index = s.totals[0].goroutines
    s.totals[0].goroutines = index + 1
    g = s.goroutines[index]
    g.goid = goid
    g.status = status
    g.seq_generation = s.totals[0].generation
    g.seq = 0
    g.row = g.m = g.parent = g.end = g.assist = g.stw = g.reason = NONE
    g.naming_stack = 0
    g.start = at
    put(s.goroutine_slots, goid, index)
    return index
