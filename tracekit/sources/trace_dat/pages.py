"""Through the pages of a CPU's ring buffer, from record to record.

A page is a time, a count of the bytes in use with two flags, and records: kernel/trace/ring_buffer.c and
include/linux/ring_buffer.h; tracefs `events/header_event` has the bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import Number, Records, Row, Rows
from tracekit.sources.kernel.numbers import Bytes, integer, u16, u32
from tracekit.sources.kernel.tracepoints import fill
from tracekit.sources.trace_dat.layout import COMMIT_AT, COMMIT_SIZE, DATA_AT, PAGE_SIZE, TIME_AT, TYPE_AT
from tracekit.sources.trace_dat.tracepoints import Plan

WORDS_MOST, PADDING, TIME_EXTEND, TIME_STAMP = 28, 29, 30, 31  # type_len; 1 to 28 count words of data
_DELTA_BITS = 27
_DELTA_MASK = (1 << _DELTA_BITS) - 1
_STAMP_MASK = (1 << 59) - 1  # a time stamp has 59 bits, the others are the page's (TS_MSB in kbuffer-parse.c)
_USED_MASK = (1 << 27) - 1  # COMMIT_MASK there
_LOST, _COUNTED = 1 << 31, 1 << 30  # RB_MISSED_EVENTS, RB_MISSED_STORED
_COMMON_SIZE = 8  # bytes that every event has at least: type, flags, preempt count and pid
RECORD_LEAST_BYTES = 4 + _COMMON_SIZE
# A page begins when its first event is written, so none before it is later, but for what an interrupt in between
# may add. None lasts this many ns or ticks: a time further out of order is damaged.
ASTRAY = 1 << 30
TIME_MOST = 1 << 62  # 146 years; more is damage, and would not bear offsets
_LOST_MOST = 1 << 48  # more is no count, and sums of it must fit 64 bits

PAGE = np.dtype(
    [
        ("at", np.int64),  # in its block
        ("end", np.int64),  # where the block's bytes of it end
        ("begin", np.int64),  # its time, of the recording's clock
        ("bound", np.int64),  # no later event than this can be in it
        ("last", np.int64),  # the time of its last record
        ("lost", np.int64),  # events lost before it; -1: some
        ("flaw_at", np.int64),  # from where on it makes no sense; -1: it does
    ],
    align=True,
)


@lean
def _lost(data: Bytes, at: int, end: int, commit: int, size: int, big: bool) -> Number:
    """How many events were lost before a page, whose data in use ends at `at`."""
    if not commit & _LOST:
        return 0
    if not commit & _COUNTED or at + size > end:
        return -1
    count = integer(data, at, size, big)
    return count if 0 < count <= _LOST_MOST else -1


@lean
def _sizes(data: Bytes, at: int, end: int, kind: int, delta: int, big: bool) -> tuple[Number, Number]:
    """Of the record at `at`: bytes before its data, and of its data. (0, 0): it ends the page; (-1, 0): nonsense."""
    if 0 < kind <= WORDS_MOST:
        return 4, 4 * kind
    if kind == PADDING and delta == 0:
        return 0, 0
    if at + 8 > end:
        return -1, 0
    if kind >= TIME_EXTEND:
        return 8, 0
    size = u32(data, at + 4, big)  # for data it counts its own word, for padding what follows the header
    if size < 4 or size > end - at:
        return -1, 0
    return 8, size - 4


@lean
def _page(
    page: Row, data: Bytes, layout: Rows, how: Plan, big: bool, cpu: int, events: Records, places: Rows, count: int
) -> Number:
    """The events of one page into `events` from `count` on; returns how many there are then."""
    at, limit, time = page["at"], page["end"], page["begin"]
    commit = integer(data, at + layout[COMMIT_AT], layout[COMMIT_SIZE], big)
    at += layout[DATA_AT]
    used = at + (commit & _USED_MASK)
    page["lost"] = _lost(data, used, limit, commit, layout[COMMIT_SIZE], big)
    if used > page["at"] + layout[PAGE_SIZE]:
        page["flaw_at"] = page["at"]
        return count
    end = min(used, limit)
    while at + 4 <= end:
        word = u32(data, at, big)
        kind, delta = (word >> _DELTA_BITS, word & _DELTA_MASK) if big else (word & 31, word >> 5)
        head, size = _sizes(data, at, end, kind, delta, big)
        if head == 0:
            break
        if kind in (TIME_EXTEND, TIME_STAMP):
            delta += u32(data, at + 4, big) << _DELTA_BITS if head > 0 else 0
        if kind == TIME_STAMP:
            delta = (delta & _STAMP_MASK | time & ~_STAMP_MASK) - time
        if head < 0 or at + head + size > end or time + delta > page["bound"]:
            if used <= limit or (head > 0 and at + head + size <= end):  # else only the file is cut here
                page["flaw_at"] = at
            break
        time += delta
        at += head
        if kind <= WORDS_MOST and size >= _COMMON_SIZE:
            row: Number = how.row_of[u16(data, at + layout[TYPE_AT], big)]
            if row >= 0:
                event = events[count]
                event["time_ns"] = time
                event["cpu"] = cpu
                fill(event, data, at, size, how.rows[row], how.states, big)
                places[count] = at
                count += 1
        at += (size + 3) // 4 * 4
        page["last"] = max(page["last"], time)
    return count


@cached_njit
def read_pages(
    pages: Records, data: Bytes, layout: Rows, how: Plan, big: bool, cpu: int, events: Records, places: Rows
) -> int:
    """All events of the plan in `pages` (PAGE, completed here) into `events` (EVENT, times as recorded), and where
    each is in `data` into `places`; returns how many."""
    count = 0
    for number in range(len(pages)):
        count = _page(pages[number], data, layout, how, big, cpu, events, places, count)
    return count


def pages_of(data: Bytes, at: int, end: int, layout: Rows, big: bool) -> Records:
    """The pages in data[at:end], of which the last may be cut. The next block's first page bounds the last one's."""
    size = int(layout[PAGE_SIZE])
    starts = np.arange(at, end - int(layout[DATA_AT]) + 1, size, dtype=np.int64)
    pages = np.zeros(len(starts), PAGE)
    pages["at"], pages["end"] = starts, np.minimum(starts + size, end)
    pages["begin"] = pages["last"] = _times(data, starts + int(layout[TIME_AT]), big)
    pages["flaw_at"] = -1
    pages["bound"] = TIME_MOST
    return pages


def _times(data: Bytes, places: Rows, big: bool) -> npt.NDArray[np.int64]:
    raw = np.ascontiguousarray(data[places[:, None] + np.arange(8)])
    times: npt.NDArray[np.int64] = raw.view(">i8" if big else "<i8")[:, 0].astype(np.int64)
    return times


def bound_pages(pages: Records, before: int, after: int) -> npt.NDArray[np.bool_]:
    """Bound each page's times by the next one's begin; returns which pages' own times can't be.

    `before` and `after`: times of the CPU's pages around these; -1 where there is none.
    """
    begins = pages["begin"]
    ordered = np.concatenate([[before], begins, [after]] if after >= 0 else [[before], begins])
    astray = np.zeros(len(pages), np.bool_)
    if (np.diff(ordered) < -ASTRAY).any() or (begins < 0).any() or (ordered >= TIME_MOST).any():
        astray = _astray([before, *begins.tolist(), after, -1])
    good = np.flatnonzero(~astray)
    bounds = np.append(begins[good[1:]], after if after >= 0 else TIME_MOST)
    bounds = np.where(bounds < begins[good] - ASTRAY, TIME_MOST, bounds) if len(good) else bounds[:0]
    pages["bound"][good] = np.minimum(bounds, TIME_MOST - ASTRAY) + ASTRAY
    return astray


def _astray(times: list[int]) -> npt.NDArray[np.bool_]:
    """Which times, of all but the first and the two last, are out of order: of two that contradict each other the
    one that the time before both and the time after both contradict, too."""
    astray = np.zeros(len(times) - 3, np.bool_)
    kept = times[0]
    for place in range(1, len(times) - 2):
        time, follower, then = times[place : place + 3]
        late = kept - ASTRAY <= follower < time - ASTRAY and follower >= 0 and then < time - ASTRAY
        astray[place - 1] = late or time < max(kept - ASTRAY, 0) or time >= TIME_MOST
        if not astray[place - 1]:
            kept = time
    return astray
