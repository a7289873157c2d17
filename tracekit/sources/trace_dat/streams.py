"""One CPU's events, block by block, in time order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tracekit.sources.kernel.events import EVENT, Records, Rows
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.trace_dat.blocks import Block
from tracekit.sources.trace_dat.clock import Clock
from tracekit.sources.trace_dat.holes import Holes
from tracekit.sources.trace_dat.layout import PAGE_SIZE
from tracekit.sources.trace_dat.pages import PAGE, RECORD_LEAST_BYTES, TIME_MOST, bound_pages, pages_of, read_pages
from tracekit.sources.trace_dat.tracepoints import Plan


class Part(NamedTuple):
    """Events (EVENT), and where the bytes of each are in `data`."""

    events: Records
    places: Rows
    data: Bytes


class How(NamedTuple):
    """What reading a page takes: where things are in it, which events are wanted, their clock."""

    layout: Rows
    plan: Plan
    big: bool
    clock: Clock


class CpuStream:
    """Reads ahead by one block, as that bounds the times in the block before."""

    def __init__(self, cpu: int, begin: int, blocks: Iterator[Block], how: How, holes: Holes) -> None:
        self.cpu = cpu
        self.begin = self.done = begin  # places in the file
        self.began_ns = -1  # its first page's time; -1: none
        self.reached_ns = 0  # no event comes any more that is earlier
        self._how, self._holes = how, holes
        self._blocks = ((block, _pages(block, how)) for block in blocks)
        self._ahead = next(self._blocks, None)
        self._last = -1  # the last time, as recorded
        self._pending: deque[Part] = deque()

    @property
    def ended(self) -> bool:
        """Whether all is read; there may be events that are not taken yet."""
        return self._ahead is None

    def advance(self) -> None:
        """Read one more block."""
        if self._ahead is None:
            return
        (block, pages), self._ahead = self._ahead, next(self._blocks, None)
        if block.missing:
            after = int(self._ahead[1]["begin"][0]) if self._ahead and len(self._ahead[1]) else self._last
            self._holes.add(self.cpu, self._span(self._last, after), block.missing, part=block.part)
        elif len(pages):
            self._read(block, pages)
        self.done = block.done

    def take(self, before_ns: int) -> Iterator[Part]:
        """The events that are earlier than `before_ns`, once."""
        while self._pending:
            part = self._pending.popleft()
            count = int(np.searchsorted(part.events["time_ns"], before_ns))
            if count:
                yield Part(part.events[:count], part.places[:count], part.data)
            if count < len(part.events):
                self._pending.appendleft(Part(part.events[count:], part.places[count:], part.data))
                return

    def _read(self, block: Block, pages: Records) -> None:
        after = int(self._ahead[1]["begin"][0]) if self._ahead and len(self._ahead[1]) else -1
        astray = bound_pages(pages, self._last, after)
        for at in pages["at"][astray].tolist():
            self._hole(block, at, int(self._how.layout[PAGE_SIZE]), (self._last, self._last), "corrupt")
        pages = pages[~astray]
        room = (block.end - block.at) // RECORD_LEAST_BYTES + 1
        events, places = np.empty(room, EVENT), np.empty(room, np.int64)
        how = self._how
        count = read_pages(pages, block.data, how.layout, how.plan, how.big, self.cpu, events, places)
        self._note(block, pages, after)
        if len(pages):
            self._last = max(self._last, int(pages["last"].max()))
            if self.began_ns < 0:
                self.began_ns = self._span(-1, int(pages["begin"][0]))[0]
        events = events[:count]
        events["time_ns"] = self._mended(how.clock.convert(events["time_ns"], self.cpu))
        reached = how.clock.convert(np.array([max(self._last, 0)], np.int64), self.cpu)
        self.reached_ns = max(self.reached_ns, int(reached[0]))
        self._pending.append(Part(events, places[:count], block.data))

    def _mended(self, times: Rows) -> Rows:
        """No time is before the one before."""
        rising: Rows = np.maximum.accumulate(np.maximum(times, self.reached_ns))
        self._holes.mended += int((rising != times).sum())
        return rising

    def _note(self, block: Block, pages: Records, after: int) -> None:
        """The holes before and in these pages, behind which one follows that begins `after`."""
        lasts = np.maximum.accumulate(np.concatenate([[self._last], pages["last"]]))
        followers = np.append(pages["begin"][1:], max(after, self._last))
        for row in np.flatnonzero((pages["lost"] != 0) | (pages["flaw_at"] >= 0)).tolist():
            page, last = pages[row], int(lasts[row])
            begin = int(page["begin"])
            if page["lost"]:
                self._holes.add(self.cpu, self._span(last, begin), "lost_records", int(page["lost"]))
            if page["flaw_at"] >= 0:
                at = int(page["flaw_at"])
                times = int(page["last"]), int(followers[row])
                self._hole(block, at, int(page["end"]) - at, times, "corrupt")

    def _hole(self, block: Block, at: int, size: int, times: tuple[int, int], cause: str) -> None:
        self._holes.add(self.cpu, self._span(*times), cause, part=block.label(at, at + size))

    def _span(self, first: int, second: int) -> tuple[int, int]:
        """Two times as recorded, converted; of which the first may be unknown."""
        first = second if first < 0 else first
        times = np.clip(np.array([first, second], np.int64), 0, TIME_MOST - 1)
        start, end = self._how.clock.convert(times, self.cpu).tolist()
        return start, end


def _pages(block: Block, how: How) -> Records:
    if block.missing:
        return np.zeros(0, PAGE)
    return pages_of(block.data, block.at, block.end, how.layout, how.big)
