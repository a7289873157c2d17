"""A file's records to scheduling events in time order, window by window, and what is missing between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit
from tracekit.sources.base import ReadOptions
from tracekit.sources.copying import concatenated, taken
from tracekit.sources.kernel.events import (
    CPU_MAX,
    EVENT_KINDS,
    SCHEDULING_KINDS,
    Batch,
    KernelStream,
    Number,
    Records,
    Rows,
    wide,
)
from tracekit.sources.kernel.tracepoints import KIND
from tracekit.sources.perf_data import judging, walk
from tracekit.sources.perf_data.decode import decode, pair_switches
from tracekit.sources.perf_data.header import Header
from tracekit.sources.perf_data.holes import ASTRAY_NS, Holes
from tracekit.sources.perf_data.layout import TID_AT
from tracekit.sources.perf_data.names import Names
from tracekit.sources.perf_data.planning import Planned
from tracekit.sources.perf_data.records import Window, Windows

_FORK, _KNOWN, _EXIT, _SWITCH = (EVENT_KINDS[kind] for kind in ("fork", "known", "exit", "switch"))
_FOREVER = (1 << 63) - 1

Policy = dict[str, object]
Chosen = npt.NDArray[np.bool_]


def kernel_stream(windows: Windows, header: Header, planned: Planned, options: ReadOptions, size: int) -> KernelStream:
    """The recording in the kernel's terms. Its gaps and policies are complete when its batches are read."""
    reading = _Reading(windows, header, planned)
    stream = KernelStream((), reading.holes.gaps, reading.holes.streams, options.wakeup, list(planned.policies))

    def batches() -> Iterator[Batch]:
        for window in reading.windows():
            options.progress(min(window.at, size), size)
            batch = reading.batch(window)
            if batch is not None:
                yield batch
        reading.holes.finish(reading.past.last_ns)
        stream.policies += reading.policies()

    stream.batches = batches()
    return stream


class _Reading:
    """What is carried from window to window.

    Records of several CPUs' buffers are in the file one behind the other. What is in it after a round has ended is
    from after all that was in it when the round before ended (process_finished_round in tools/perf/util/session.c),
    so up to there events can be put in order of time and handed on; the others are pending.
    """

    def __init__(self, windows: Windows, header: Header, planned: Planned) -> None:
        self._windows, self._big = windows, header.big
        self._plan, self._layouts = planned.plan, planned.layouts
        self.holes = Holes(header.big)
        self.past = judging.Past(*(np.full(CPU_MAX, -1, np.int64) for _ in range(3)))
        self._names = Names(planned.layouts, planned.formats, header.big, self._plan.switches)
        self._pending = np.empty(0, walk.RECORD)
        self._reached: list[tuple[int, int]] = []  # rounds ended, and the last sound time, at the ends of windows
        self._given_ns = 0  # the last time handed on
        self._pairs = (np.full(CPU_MAX, -1, np.int64), np.full(CPU_MAX, -1, np.int64))
        self._foreign: bool | None = None
        self._left_out = self._late = self._late_ns = self._switches = 0

    def windows(self) -> Iterator[Window]:
        """Window by window; each must be made a batch of before the next is asked for."""
        while True:
            window = self._windows.next(self._pending)
            yield window
            if window.last:
                return

    def batch(self, window: Window) -> Batch | None:
        """The events that are settled when this window is read, in order of time."""
        self._judge(window)
        until_ns = _FOREVER if window.last else self._settled_ns(window.rounds)
        records, rest = in_time_order(self._pending, until_ns)
        self._retain(rest)
        events = decode(window.data, records, self._layouts, self._plan, self._big)
        self._mend_late(events)
        kept = self._kept(events, records)
        if not kept.all():
            rows = np.flatnonzero(kept)
            events, records = taken(events, rows), taken(records, rows)
        if not len(events):
            return None
        self._given_ns = max(self._given_ns, int(events["time_ns"][-1]))
        return Batch(events, self._names.reader(window.data, records, events))

    def policies(self) -> list[Policy]:
        """What was chosen while reading."""
        found: list[Policy] = []
        if self._foreign:
            choice = "its notes of names, forks and exits are left out"
            found.append(_policy("the recorder saw other task ids than the kernel", choice, self._left_out))
        if self._late:
            choice = f"counted as later, by {self._late_ns} ns at most"
            found.append(_policy("events that came after the end of their round", choice, self._late))
        if self._plan.switches:
            choice = "PERF_RECORD_SWITCH: who was not preempted is BLOCKED until it runs"
            found.append(_policy("there is no sched_switch", choice, self._switches))
        return found

    def _judge(self, window: Window) -> None:
        """The window's records become pending, but for those whose time can't be."""
        new, before = window.records, len(self._pending)
        verdicts = np.full(before + len(new), -1, np.int64)
        judging.judge(new, before, self.past, ASTRAY_NS, verdicts)
        self.holes.take(window, verdicts[before:])
        wanted = np.empty(before + len(new), np.bool_)
        astray = judging.choose(new, before, verdicts, self._plan.rows[:, KIND] >= 0, self._plan.switches, wanted)
        self._pending = concatenated([self._pending, new]) if before else new
        if astray:
            odd = np.flatnonzero(judging.contradicted(self._pending, verdicts))
            self.holes.add_astray(self._pending[odd], verdicts[odd])
        self._retain(wanted)

    def _retain(self, kept: Chosen) -> None:
        """Of the pending records only these, and where the last of each CPU is among them."""
        if kept.all():
            return
        if not kept.any():
            self.past.last_row[:] = -1
            self._pending = np.empty(0, walk.RECORD)
            return
        places = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
        self.past.last_row[:] = places[self.past.last_row]
        self._pending = taken(self._pending, np.flatnonzero(kept))

    def _settled_ns(self, rounds: int) -> int:
        """Up to when nothing more can come: what was there when the round before the last began."""
        settled = max((time_ns for ended, time_ns in self._reached if ended <= rounds - 2), default=-1)
        self._reached = [(ended, time_ns) for ended, time_ns in self._reached if time_ns >= settled]
        self._reached.append((rounds, int(self.past.before_ns.max())))
        return settled

    def _mend_late(self, events: Records) -> None:
        """An event must not be earlier than what was handed on. Notes without a time tell of before the recording.

        `events` are in order of time.
        """
        if not len(events) or events["time_ns"][0] >= self._given_ns:
            return
        late = events["time_ns"] < self._given_ns
        noted = late & (events["time_ns"] <= 0)
        told = late & ~noted
        if told.any():
            first_ns = int(events["time_ns"][told].min())
            self._late += int(told.sum())
            self._late_ns = max(self._late_ns, self._given_ns - first_ns)
            self.holes.add(first_ns, self._given_ns, "inconsistent")
        events["kind"][noted & (events["kind"] == _FORK)] = _KNOWN
        events["kind"][noted & (events["kind"] == _EXIT)] = -1
        events["time_ns"][late] = self._given_ns

    def _kept(self, events: Records, records: Records) -> Chosen:
        """Which events count: not those that are broken, told twice, or about other ids than the kernel's."""
        if self._plan.switches:
            self._switches += pair_switches(events, *self._pairs)
        kept: Chosen = events["kind"] >= 0
        if self._foreign is None:
            self._foreign = _is_foreign(events, records, self._layouts)
        if self._foreign:
            noted = kept & (records["type"] != walk.SAMPLE)
            self._left_out += int(noted.sum())
            kept &= ~noted
        return kept


def _policy(policy: str, choice: str, count: int) -> Policy:
    return {"policy": policy, "choice": choice, "count": count}


def _is_foreign(events: Records, records: Records, layouts: Rows) -> bool | None:
    """Whether the recorder is in a pid namespace of its own: the ids in its notes are not those in the events.

    None while no event tells.
    """
    if not len(layouts) or not (layouts[:, TID_AT] >= 0).all():
        return False
    traced, known = (int(count) for count in ids_told(events, records))
    return 2 * known < traced if traced else None


@cached_njit
def ids_told(events: Records, records: Records) -> tuple[Number, Number]:
    """How many events of scheduling name a task, and in how many of them the sample's own tid is that task's."""
    traced = known = 0
    for row in range(len(events)):
        event = events[row]
        if records[row]["type"] == walk.SAMPLE and 0 <= event["kind"] < SCHEDULING_KINDS and event["tid"] > 0:
            traced += 1
            known += event["tgid"] >= 0
    return traced, known


def in_time_order(records: Records, until_ns: int) -> tuple[Records, Chosen]:
    """Those up to a time by time, and which others there are. Of one time in file order: that is perf's order too."""
    rest = np.empty(len(records), np.bool_)
    rows, times = np.empty(len(records), np.int64), np.empty(len(records), np.int64)
    count, ordered = divide(records, until_ns, rest, rows, times)
    if not ordered:
        rows[:count] = rows[np.argsort(times[:count], kind="stable")]
    return taken(records, rows[:count]), rest


@cached_njit
def divide(
    records: Records, until_ns: int, rest: Chosen, rows: Rows, times: Rows
) -> tuple[Number, Number]:  # fmt: skip
    """Rows and times of the records up to a time, which are counted; `rest` are the others. Also whether they rise."""
    count, ordered, last_ns = 0, True, wide(-1)
    for row in range(len(records)):
        time_ns = records[row]["time_ns"]
        rest[row] = time_ns > until_ns
        if rest[row]:
            continue
        rows[count], times[count] = row, time_ns
        ordered = ordered and time_ns >= last_ns
        last_ns = time_ns
        count += 1
    return count, ordered
