"""What the kernels write: the tables' columns, each an array of its own, so that none has to be taken apart later."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np

# Rows kept free at the front of the intervals: a goroutine first seen later in the first generation was there since
# the start, and its row goes in front of those already written.
EARLY_ROWS = 4096


class Intervals(NamedTuple):
    """Interval columns; times in ns since the first event. An open interval's end is NONE."""

    start: Any  # int64
    end: Any  # int64
    task: Any  # int32
    thread: Any  # int32, NONE: no thread
    p: Any  # int32, NONE: no P
    state: Any  # int8, a code of STATES
    reason: Any  # int8, a code of REASONS or NONE
    inferred: Any  # bool
    stack: Any  # int32, row of the stack table or NONE


class Wakeups(NamedTuple):
    """Wakeup columns."""

    at: Any  # int64
    waker: Any  # int32, NONE: the scheduler, the network poller or the runtime's monitor
    wakee: Any  # int32
    p: Any  # int32
    reason: Any  # int8
    stack: Any  # int32


class Moves(NamedTuple):
    """Transitions of goroutines and Ps, kept on request only."""

    at: Any  # int64
    id: Any  # int64, goroutine id or P id
    kind: Any  # int8
    before: Any  # int8
    after: Any  # int8


class Ranges(NamedTuple):
    """Ranges of the collector, of a stopped world, and of the program's own tasks and regions."""

    start: Any  # int64
    end: Any  # int64, NONE while open
    key: Any  # int64, the user task that a region is of
    bytes: Any  # int64
    task: Any  # int32
    p: Any  # int32
    name: Any  # int32, index of a text
    text: Any  # int32, index of a text
    enclosing: Any  # int32, row
    stack: Any  # int32
    kind: Any  # int8, a code of RANGES
    inferred: Any  # bool


class Counts(NamedTuple):
    """Counter columns."""

    at: Any  # int64
    value: Any  # int64
    kind: Any  # int8, a code of COUNTERS


_TYPES: dict[type, str] = {
    Intervals: "i8 i8 i4 i4 i4 i1 i1 ? i4",
    Wakeups: "i8 i4 i4 i4 i1 i4",
    Moves: "i8 i8 i1 i1 i1",
    Ranges: "i8 i8 i8 i8 i4 i4 i4 i4 i4 i4 i1 ?",
    Counts: "i8 i8 i1",
}

C = TypeVar("C", Intervals, Wakeups, Moves, Ranges, Counts)


def new_columns(kind: type[C], count: int) -> C:
    """Columns with room for `count` rows. Memory that is never written is never used."""
    return kind(*(np.empty(count, dtype) for dtype in _TYPES[kind].split()))


def grown(columns: C, used: int, spare: int) -> C:
    """The same columns, in larger arrays if fewer than `spare` rows are free."""
    if len(columns[0]) - used >= spare:
        return columns
    larger = new_columns(type(columns), 2 * len(columns[0]) + spare)
    for old, new in zip(columns, larger, strict=True):
        new[:used] = old[:used]
    return larger
