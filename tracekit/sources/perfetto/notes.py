"""What process trees say of tasks, as events that take their place in time: whose process, whose child, what name."""

from __future__ import annotations

import numpy as np

from tracekit.sources.kernel.events import EVENT_KINDS, PID_MAX, Records, blank_events
from tracekit.sources.perfetto.clocks import Clocks
from tracekit.sources.perfetto.facts import Note
from tracekit.sources.perfetto.plain import OF_ITS_CREATOR, NameIds

_KNOWN, _COMM, _FORK = EVENT_KINDS["known"], EVENT_KINDS["comm"], EVENT_KINDS["fork"]
_UNKNOWN = -1


class Notes:
    """A recording's notes in order of time, given out once each. `first_ns` and `last_ns` bound when they can be."""

    def __init__(self, notes: list[Note], clocks: Clocks, first_ns: int, last_ns: int) -> None:
        times = [clocks.time_of(note) for note in notes]
        self.times = np.array([min(max(time, first_ns), last_ns) for time in times], np.int64)
        order = np.argsort(self.times, kind="stable")
        self.times = self.times[order]
        self.notes = [notes[place] for place in order.tolist()]
        self.names: list[str] = []
        self.given = 0
        self.processes: dict[int, int] = {}
        self.named = np.zeros(PID_MAX + 1, np.bool_)  # tids that events have named: of those a note knows no better

    def before(self, time_ns: int) -> tuple[Records, NameIds]:
        """(events, numbers of names) of the notes before a time that were not given out yet."""
        start, self.given = self.given, int(np.searchsorted(self.times, time_ns))
        events = blank_events(2 * (self.given - start))
        ids = np.full((len(events), 2), -1, np.int32)
        used = 0
        for note, time in zip(self.notes[start : self.given], self.times[start : self.given].tolist(), strict=True):
            if not 0 < note.tid <= PID_MAX:
                continue
            events[used]["time_ns"], events[used]["kind"], events[used]["target_tid"] = time, _KNOWN, note.tid
            events[used]["value"], events[used]["tid"] = note.process, min(note.parent, PID_MAX)
            used += 1
            if note.name and not self.named[note.tid]:
                events[used]["time_ns"], events[used]["kind"], events[used]["target_tid"] = time, _COMM, note.tid
                ids[used, 1] = -2 - len(self.names)
                self.names.append(note.name)
                used += 1
        return events[:used], ids[:used]

    def learn(self, events: Records) -> None:
        """Take in a batch: which tids are named, and into forks of threads whose process they are in."""
        for name in ("tid", "target_tid"):
            tids = events[name]
            self.named[tids[(tids > 0) & (tids <= PID_MAX)]] = True
        told = np.flatnonzero((events["kind"] == _KNOWN) | (events["kind"] == _FORK))
        for event in events[told]:
            value = int(event["value"])
            if value == OF_ITS_CREATOR:
                value = self.processes.get(int(event["tid"]), _UNKNOWN)
            if value > 0:
                self.processes[int(event["target_tid"])] = value
        threads = told[events["value"][told] == OF_ITS_CREATOR]
        events["value"][threads] = [self.processes.get(tid, _UNKNOWN) for tid in events["target_tid"][threads].tolist()]
