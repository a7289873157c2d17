"""Kernel events to the tables of a trace, batch by batch: what is settled goes on, what is open stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import Sink
from tracekit.sources.copying import taken
from tracekit.sources.kernel import machine
from tracekit.sources.kernel import world as k
from tracekit.sources.kernel.arrays import new_world, with_ids, with_room
from tracekit.sources.kernel.events import GAP, Batch, KernelRecording, KernelStream, Records
from tracekit.sources.kernel.flaws import TALLIES, find_flaws, tally
from tracekit.sources.kernel.opening import Opening
from tracekit.sources.kernel.rows_out import gap_table, interval_table, since, wakeup_table
from tracekit.sources.kernel.settled import let_go, take_gaps, take_intervals, take_wakeups
from tracekit.sources.kernel.tasks import task_columns
from tracekit.tables.build import NULL, empty, table
from tracekit.tables.schema import BUNDLES
from tracekit.tables.stream import Collector
from tracekit.vocabulary import GAP_CAUSES

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1 << 18  # events between two reports of progress; half as many rows are handed on together


@dataclass
class Built:
    """The tables (without rows, where a sink has them), and what a trace's meta wants to know."""

    tables: dict[str, pa.Table]
    origin_ns: int
    end_ns: int
    events: int
    repeats: int
    cpus: int
    form: str | None
    policies: list[dict[str, object]]


def build(recording: KernelRecording, sink: Sink | None = None) -> Built:
    """The tables of a recording; time 0 is its first scheduling event. Raises SourceError when it has none.

    Writes into `recording.events`.
    """
    stream = KernelStream(
        [Batch(recording.events, recording.names)],
        [recording.gaps],
        recording.streams,
        recording.wakeup,
        recording.policies,
    )
    return _build(stream, sink, lambda done: recording.progress(done, len(recording.events)))


def build_stream(stream: KernelStream, sink: Sink | None = None) -> Built:
    """`build` for a recording that comes in batches, whose tables go to `sink` as they are made.

    Holds a batch, what is open at its end, and the tasks. Writes into the batches' events. Raises SourceError when
    there is no scheduling event.
    """
    return _build(stream, sink, lambda done: None)


def _build(stream: KernelStream, sink: Sink | None, report: Callable[[int], None]) -> Built:
    collected = Collector()
    building = _Building(collected if sink is None else sink, Opening(stream.wakeup), report)
    for batch in building.opening.released(map(building.sound, stream.batches)):
        building.take(batch)
    form = building.finish(stream)
    return Built(
        collected.tables() if sink is None else {name: empty(name) for name in BUNDLES["trace"]},
        building.opening.origin_ns or 0,
        building.end_ns,
        building.events,
        building.repeats,
        building.cpus,
        form,
        stream.policies + _policies(building, stream.wakeup),
    )


class _Building:
    """The state between batches, and what is counted over all of them."""

    def __init__(self, sink: Sink, opening: Opening, report: Callable[[int], None]) -> None:
        self.sink, self.opening, self.report = sink, opening, report
        self.world = new_world()
        self.end_ns = self.events = self.cpus = self._accountings = 0
        self.wakeups = {"waking": 0, "wakeup": 0}
        self._names: dict[int, str] = {}  # of tasks, the last that each was called
        self._bad: list[Records] = []
        self._done = 0

    def sound(self, batch: Batch) -> Batch:
        """Without events whose ids can not be, each a gap, as ids index arrays from here on."""
        events, names = batch.events, batch.names
        flaws = np.zeros(len(events), np.int8)
        if not find_flaws(events, flaws):
            return batch
        bad = events[flaws == k.FLAWED]
        gaps = np.zeros(len(bad), GAP)
        gaps["start_ns"] = gaps["end_ns"] = np.maximum(bad["time_ns"], 0)
        gaps["lost_events"], gaps["cpu"], gaps["cause"] = 1, NULL, GAP_CAUSES["corrupt"]
        self._bad.append(gaps)
        kept = np.flatnonzero(flaws == 0)
        return Batch(taken(events, kept), lambda rows, roles: names(kept[rows], roles))

    def take(self, batch: Batch) -> None:
        """Run the machine over a batch, and hand on what is settled after each stretch of it."""
        events, origin_ns = batch.events, self.opening.origin_ns
        tids, cpus = self._count(events, origin_ns)
        _before_origin(events, origin_ns)
        self.world = with_ids(self.world, tids, cpus)._replace(use_wakeup=self.opening.use_wakeup)
        at = 0
        while at < len(events):
            stop = min(at + CHUNK, len(events))
            self.world = with_room(self.world, stop - at)
            at = machine.run(self.world, events, at, stop, origin_ns or 0)
            if self.world.counts[k.N_INTERVALS] >= CHUNK // 2:
                self._hand_on()
            self.report(self._done + at)
        self._done += len(events)
        self._read_names(batch)

    def finish(self, stream: KernelStream) -> str | None:
        """The recording ends: all that is open is closed and handed on. Gives the form of most tasks."""
        if self.opening.origin_ns is None:
            raise SourceError("no scheduling events")
        machine.finish(self.world, self.end_ns)
        let_go(self.world)
        self._hand_on()
        told = np.concatenate([np.zeros(0, GAP), *stream.gaps, *self._bad])
        gaps = gap_table(since(told, self.opening.origin_ns), stream.streams)
        self.sink.append("gaps", gaps, ahead=True)
        columns, form = task_columns(self.world.tasks[: self.world.counts[k.N_TASKS]], self._names)
        self.sink.append("tasks", table("tasks", columns))
        return form

    def _count(self, events: Records, origin_ns: int | None) -> tuple[int, int]:
        """Returns how many tids and CPUs there must be places for."""
        found = np.zeros(TALLIES, np.int64)
        tally(events, found)
        told, last_ns, tids, cpus, wakings, wakeups, accountings = found.tolist()
        self.events += told
        self.cpus = max(self.cpus, cpus)
        if told and origin_ns is not None:
            self.end_ns = last_ns - origin_ns
        self.wakeups["waking"] += wakings
        self.wakeups["wakeup"] += wakeups
        self._accountings += accountings
        return tids, cpus

    @property
    def repeats(self) -> int:
        """Events that come with every switch and wakeup once more (kernel/sched/fair.c: update_curr), and wakeups whose
        waking was told."""
        return self._accountings + (self.wakeups["wakeup"] if self.wakeups["waking"] else 0)

    def _hand_on(self) -> None:
        tasks = self.world.tasks[: self.world.counts[k.N_TASKS]]
        renamed = tasks["first"].astype(np.int32)  # tasks are numbered in the order of first sight
        intervals = take_intervals(self.world, renamed)
        if len(intervals.start_ns):
            self.sink.append("intervals", interval_table(intervals))
        wakeups = take_wakeups(self.world, renamed)
        if len(wakeups.at_ns):
            self.sink.append("wakeups", wakeup_table(wakeups))
        gaps = take_gaps(self.world)
        if len(gaps):
            self.sink.append("gaps", gap_table(gaps))

    def _read_names(self, batch: Batch) -> None:
        """The names that the batch tells, which can't be asked for later."""
        tasks = self.world.tasks[: self.world.counts[k.N_TASKS]]
        named = np.flatnonzero(tasks["name_row"] >= 0)
        found = batch.names(tasks["name_row"][named], tasks["name_role"][named])
        self._names.update(zip(named.tolist(), found, strict=True))
        tasks["name_row"][named] = NULL


def _before_origin(events: Records, origin_ns: int | None) -> None:
    """Recorders' notes from before the first scheduling event tell what existed, not what happened."""
    count = len(events) if origin_ns is None else int(np.searchsorted(events["time_ns"], origin_ns))
    notes = events[:count]
    ended = notes["kind"] == k.EXIT
    notes["tid"][ended] = NULL
    notes["kind"][(notes["kind"] == k.FORK) | ended] = k.KNOWN
    notes["time_ns"] = origin_ns or 0


# What is counted while reading: the policy, the choice made, where the count is.
_COUNTED = (
    ("a wakeup of a task that is RUNNING", "no change of state", k.WOKEN_RUNNING),
    ("a wakeup of a task that is RUNNABLE", "no change of state", k.WOKEN_RUNNABLE),
    ("a wakeup that came while its task was leaving the CPU", "RUNNABLE from the switch-out", k.EARLY_WAKEUP),
    ("a task that runs again without a recorded wakeup", "BLOCKED until it runs", k.MISSED_WAKEUP),
    ("a switch-in that is missing", "inferred; see gaps", k.INFERRED),
    ("the start of an inferred switch-in", "from sched_stat_runtime", k.REFINED),
)


def _policies(building: _Building, chosen: str) -> list[dict[str, object]]:
    used = "wakeup" if building.world.use_wakeup else "waking"
    instead = "" if used == chosen else f"; the recording has no sched_{chosen}"
    choice = f"sched_{used}{instead}" if any(building.wakeups.values()) else "none: the recording has no wakeups"
    found: list[dict[str, object]] = [
        {
            "policy": "the event that makes a task runnable",
            "choice": choice,
            "count": building.wakeups[used],
        }
    ]
    counts = building.world.counts
    counted = [
        {"policy": policy, "choice": choice, "count": int(counts[at])} for policy, choice, at in _COUNTED if counts[at]
    ]
    return found + counted
