"""Bundles decoded in order of time, merged over all CPUs, and handed on in batches.

Held at any time: the events of the bundles that overlap in time. An event leaves when no later bundle begins before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tracekit.sources.copying import concatenated, taken
from tracekit.sources.kernel.events import EVENT, PID_MAX, Batch, NameReader, Records, Rows
from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto.blocks import Blocks
from tracekit.sources.perfetto.decode import UNSEEN, decode, out_for, scratch_for
from tracekit.sources.perfetto.interning import Names, no_names, text_of
from tracekit.sources.perfetto.notes import Notes
from tracekit.sources.perfetto.order import in_time, scheduling
from tracekit.sources.perfetto.plain import Meanings, NameIds

BATCH_EVENTS = 1 << 18


@dataclass
class Held:
    """Events and the numbers of their names, in order of time."""

    events: Records
    ids: NameIds

    def __len__(self) -> int:
        return len(self.events)

    def at(self, rows: Rows | slice) -> Held:
        """These rows only."""
        if isinstance(rows, slice):
            return Held(self.events[rows], self.ids[rows])
        return Held(taken(self.events, rows), self.ids[rows])


def joined(parts: list[Held]) -> Held:
    """All of them by time; of one time in the order given."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return Held(np.zeros(0, EVENT), np.zeros((0, 2), np.int32))
    if len(parts) == 1:
        both = parts[0]
    else:
        both = Held(concatenated([part.events for part in parts]), np.concatenate([part.ids for part in parts]))
    times = both.events["time_ns"]
    if (times[1:] >= times[:-1]).all():
        return both
    return both.at(np.argsort(times, kind="stable"))


class Decoder:
    """Decodes a file's bundles (rows of survey.BUNDLE, numbered into `streams` streams) into batches."""

    def __init__(
        self, blocks: Blocks, bundles: Records, streams: int, states: npt.NDArray[np.int8], notes: Notes,
        progress: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        self.blocks, self.bundles, self.notes, self.progress = blocks, bundles, notes, progress
        kinds, meanings = n.plans()
        self.meanings = Meanings(kinds, meanings, states)
        self.known: Names = no_names()
        self.current = np.full(streams, UNSEEN, np.int64)
        self.several = len(np.unique(bundles["sequence"])) > 1
        self.doubled = 0
        self.last_names = np.full(PID_MAX + 1, -1, np.int32)

    def batches(self) -> Iterator[Batch]:
        """All events and notes, in time order."""
        rows, later = in_time(self.bundles)
        held = Held(np.zeros(0, EVENT), np.zeros((0, 2), np.int32))
        for start, stop in _groups(scheduling(self.bundles[rows])):
            held = joined([held, self.decoded(rows[start:stop])])
            ready = int(np.searchsorted(held.events["time_ns"], later[stop - 1]))
            yield self.batch(held.at(slice(ready)), int(later[stop - 1]))
            held = held.at(slice(ready, None))
            self.progress(stop, len(rows))

    def decoded(self, rows: Rows) -> Held:
        """The events of these bundles, one after the other."""
        group = self.bundles[rows]
        scratch, out = scratch_for(group), out_for(group, self.current)
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(group["block"])) + 1):
            data = self.blocks.data(int(group["block"][part[0]]))
            decode(data, group, part, self.meanings, self.known, scratch, out)
        self.bundles[rows] = group  # what was found to be wrong
        used = int(out.used[0])
        return Held(out.events[:used], out.ids[:used])

    def batch(self, ready: Held, before_ns: int) -> Batch:
        """`ready` with the notes that belong between, as a batch."""
        if self.several:
            ready = self.once_each(ready)
        events, ids = self.notes.before(before_ns)
        ready = joined([Held(events, ids), ready])
        self.notes.learn(ready.events)
        self.name_leaving(ready)
        return Batch(ready.events, self.name_reader(ready.ids))

    def name_leaving(self, ready: Held) -> None:
        """Compact switches name only who enters: who leaves is called what it was when it was last named."""
        events, ids = ready.events, ready.ids
        tids = events["target_tid"]
        named = np.flatnonzero((ids[:, 1] != -1) & (tids > 0) & (tids <= PID_MAX))
        self.last_names[tids[named]] = ids[named, 1]
        leaving = np.flatnonzero((ids[:, 0] == -1) & (events["tid"] > 0) & (events["tid"] <= PID_MAX))
        ids[leaving, 0] = self.last_names[events["tid"][leaving]]

    def once_each(self, ready: Held) -> Held:
        """Without events that a second recorder of the same kernel noted too."""
        events = ready.events
        order = np.lexsort([events[name] for name in ("target_tid", "kind", "cpu", "time_ns")])
        same = np.ones(max(len(order) - 1, 0), np.bool_)
        for name in ("target_tid", "kind", "cpu", "time_ns"):
            same &= events[name][order][1:] == events[name][order][:-1]
        kept = np.ones(len(order), np.bool_)
        kept[order[1:][same]] = False
        self.doubled += int(same.sum())
        return ready if kept.all() else ready.at(np.flatnonzero(kept))

    def name_reader(self, ids: NameIds) -> NameReader:
        """Names of a batch's events: from events, or below -1 from notes."""

        def names(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
            texts: dict[int, str] = {-1: ""}
            found = ids[rows, roles].tolist()
            for number in set(found) - {-1}:
                texts[number] = text_of(self.known, number) if number >= 0 else self.notes.names[-2 - number]
            return [texts[number] for number in found]

        return names


def _groups(counts: Rows) -> Iterator[tuple[int, int]]:
    """(start, stop) of runs of bundles with about BATCH_EVENTS events."""
    reached = np.cumsum(counts)
    start, before = 0, 0
    while start < len(counts):
        stop = max(int(np.searchsorted(reached, before + BATCH_EVENTS, side="right")), start + 1)
        yield start, stop
        start, before = stop, int(reached[stop - 1])
