"""Each thread's batches as one stream of timed events, and the heap that tells whose event is next.

Times are ns: clock units times the generation's ns per unit, truncated, as Go's reader does it, so that times agree
to the nanosecond. The heap orders by time only and breaks ties by its own shape, again as Go's reader.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.sources.go_trace.compiled import nth, part
from tracekit.sources.go_trace.faults import BAD_EVENT, BAD_NUMBER, BAD_TIME, DONE
from tracekit.sources.go_trace.spec import NOT_TIMED
from tracekit.sources.go_trace.varint import varint

EXHAUSTED = 2
_MAX_NS = 1 << 62


@part
def to_ns(units: int, ns_per_unit: float) -> Any:
    """Clock units to ns; -1 if out of range."""
    ns = np.float64(units) * ns_per_unit
    if units < 0 or not ns < _MAX_NS:
        return np.int64(-1)
    return np.int64(ns)


@part
def next_event(data: Any, batches: Any, arguments: Any, ns_per_unit: float, latest: int, c: Any) -> int:
    """Decode the cursor's next event into it. Batches are rows (offset, limit, time). EXHAUSTED: there is none.

    An event after `latest` ns has a damaged time.
    """
    while c.offset == c.limit:
        if c.batch == c.last_batch:
            return EXHAUSTED
        row = nth(c.batch)
        c.offset, c.limit = batches[row, 0], batches[row, 1]
        c.clock = to_ns(batches[row, 2], ns_per_unit)
        c.batch += 1
    c.at = c.offset
    code = np.int64(data[nth(c.offset)])
    count = arguments[nth(code)]
    if count == NOT_TIMED:
        return BAD_EVENT
    offset, limit = c.offset + 1, c.limit
    units, offset = varint(data, offset, limit)
    if count > 0:
        c.a0, offset = varint(data, offset, limit)
    if count > 1:
        c.a1, offset = varint(data, offset, limit)
    if count > 2:
        c.a2, offset = varint(data, offset, limit)
    if count > 3:
        c.a3, offset = varint(data, offset, limit)
    if offset < 0:
        return BAD_NUMBER
    step = to_ns(units, ns_per_unit)
    if step < 0 or c.clock < 0 or step > latest - c.clock:
        return BAD_TIME
    c.clock += step
    c.time, c.type, c.offset = c.clock, code, offset
    return DONE


@part
def _time(heap: Any, cursors: Any, at: int) -> Any:
    return cursors[nth(heap[nth(at)])].time


@part
def _swap(heap: Any, at: int, other: int) -> None:
    heap[nth(at)], heap[nth(other)] = heap[nth(other)], heap[nth(at)]


@part
def sift_up(heap: Any, cursors: Any, at: int) -> int:
    """Move heap[at] towards the root while its parent is later. Returns where it ended."""
    while at > 0:
        parent = (at - 1) // 2
        if _time(heap, cursors, parent) <= _time(heap, cursors, at):
            break
        _swap(heap, at, parent)
        at = parent
    return at


@part
def sift_down(heap: Any, size: int, cursors: Any, at: int) -> None:
    """Move heap[at] away from the root while a child is earlier; the left child wins a tie."""
    while True:
        least, left = at, 2 * at + 1
        if left < size and _time(heap, cursors, left) < _time(heap, cursors, least):
            least = left
        if left + 1 < size and _time(heap, cursors, left + 1) < _time(heap, cursors, least):
            least = left + 1
        if least == at:
            return
        _swap(heap, at, least)
        at = least


@part
def update(heap: Any, size: int, cursors: Any, at: int) -> None:
    """Restore the heap after the cursor at `at` has moved on."""
    if sift_up(heap, cursors, at) == at:
        sift_down(heap, size, cursors, at)


@part
def remove(heap: Any, size: int, cursors: Any, at: int) -> None:
    """Take heap[at] out; the heap's size is one less from then on."""
    while at > 0:
        parent = (at - 1) // 2
        _swap(heap, at, parent)
        at = parent
    _swap(heap, 0, size - 1)
    sift_down(heap, size - 1, cursors, 0)


@part
def sort(heap: Any, size: int, cursors: Any) -> None:
    """Sort the heap by time, equal times as they were. It stays a heap; this is rare and threads are few."""
    for i in range(1, size):
        moving = heap[nth(i)]
        at = i
        while at > 0 and _time(heap, cursors, at - 1) > cursors[nth(moving)].time:
            heap[nth(at)] = heap[nth(at - 1)]
            at -= 1
        heap[nth(at)] = moving
