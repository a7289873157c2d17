"""Kernel events to the tables of a trace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tracekit.errors import SourceError
from tracekit.sources.kernel import machine
from tracekit.sources.kernel import world as k
from tracekit.sources.kernel.events import (
    EVENT,
    EVENT_KINDS,
    GAP,
    PREV_STATES,
    SCHEDULING_KINDS,
    KernelRecording,
    KernelStream,
    Records,
    Rows,
)
from tracekit.sources.kernel.flaws import find_flaws
from tracekit.sources.kernel.tasks import task_columns
from tracekit.tables.build import NULL, table
from tracekit.vocabulary import GAP_CAUSES, REASONS, STATES

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1 << 18  # events between two reports of progress
_TASKS_FIRST = 1024  # room for tasks to begin with


@dataclass
class Built:
    """The four tables, and what a trace's meta wants to know."""

    tables: dict[str, pa.Table]
    origin_ns: int
    end_ns: int
    events: int
    cpus: int
    form: str | None
    policies: list[dict[str, object]]


def build(recording: KernelRecording) -> Built:
    """The tables of a recording; time 0 is its first scheduling event. Raises SourceError when it has none.

    Writes into `recording.events`.
    """
    recording, bad_gaps = _sound(recording)
    events = recording.events
    scheduling = (events["kind"] < SCHEDULING_KINDS) & (events["cpu"] >= 0)
    if not scheduling.any():
        raise SourceError("no scheduling events")
    origin_ns = int(events["time_ns"][scheduling.argmax()])
    last_ns = int(events["time_ns"][len(events) - 1 - scheduling[::-1].argmax()])
    _before_origin(events, origin_ns)
    world = _world(events, use_wakeup(events, recording.wakeup))
    world = _run(world, events, origin_ns, recording)
    machine.finish(world, last_ns - origin_ns)
    tables, form = _tables(world, recording, np.concatenate([recording.gaps, bad_gaps]), origin_ns)
    return Built(
        tables,
        origin_ns,
        last_ns - origin_ns,
        int(scheduling.sum()),
        int(events["cpu"].max()) + 1,
        form,
        recording.policies + _policies(world, events, recording.wakeup),
    )


def build_stream(stream: KernelStream) -> Built:
    """`build` for a recording that comes in batches. Raises SourceError when it has no scheduling event."""
    batches = list(stream.batches)
    starts = np.cumsum([0, *(len(batch.events) for batch in batches)])

    def names(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        found = [""] * len(rows)
        owners = np.searchsorted(starts, rows, side="right") - 1
        for owner in np.unique(owners).tolist():
            places = np.flatnonzero(owners == owner)
            named = batches[owner].names(rows[places] - starts[owner], roles[places])
            for place, name in zip(places.tolist(), named, strict=True):
                found[place] = name
        return found

    events = np.concatenate([batch.events for batch in batches]) if batches else np.zeros(0, EVENT)
    gaps = np.concatenate([np.zeros(0, GAP), *stream.gaps])
    return build(KernelRecording(events, names, gaps, stream.wakeup, policies=stream.policies, streams=stream.streams))


def use_wakeup(events: Records, chosen: str) -> bool:
    """Whether sched_wakeup makes tasks runnable: when chosen and there, or when there is nothing else."""
    kinds = events["kind"]
    has_wakeup = bool((kinds == k.WAKEUP).any())
    return has_wakeup and (chosen == "wakeup" or not (kinds == k.WAKING).any())


def _sound(recording: KernelRecording) -> tuple[KernelRecording, Records]:
    """Without events whose ids can not be, each a gap, as ids index arrays from here on."""
    events, names = recording.events, recording.names
    flaws = np.zeros(len(events), np.int8)
    if not find_flaws(events, flaws):
        return recording, np.zeros(0, GAP)
    bad = events[flaws == k.FLAWED]
    gaps = np.zeros(len(bad), GAP)
    gaps["start_ns"] = gaps["end_ns"] = np.maximum(bad["time_ns"], 0)
    gaps["lost_events"], gaps["cpu"], gaps["cause"] = 1, NULL, GAP_CAUSES["corrupt"]
    kept = np.flatnonzero(flaws == 0)
    return replace(recording, events=events[kept], names=lambda rows, roles: names(kept[rows], roles)), gaps


def _before_origin(events: Records, origin_ns: int) -> None:
    """Recorders' notes from before the first scheduling event tell what existed, not what happened."""
    notes = events[: int(np.searchsorted(events["time_ns"], origin_ns))]
    ended = notes["kind"] == k.EXIT
    notes["tid"][ended] = NULL
    notes["kind"][(notes["kind"] == k.FORK) | ended] = k.KNOWN
    notes["time_ns"] = origin_ns


def _blank(dtype: np.dtype[np.void], size: int, **fields: int) -> Records:
    records = np.zeros(size, dtype)
    for name, value in fields.items():
        records[name] = value
    return records


def _tasks(size: int) -> Records:
    return _blank(
        k.TASK, size, row=NULL, start_ns=NULL, end_ns=NULL, first=NULL, hint_ns=k.NO_TIME, wakeup_row=NULL,
        name_row=NULL, tgid=NULL, parent=NULL, cpu=NULL, waker=NULL, waking_cpu=NULL, state=NULL,
    )  # fmt: skip


def _world(events: Records, wakeup: bool) -> k.World:
    tids = int(max(events["tid"].max(), events["target_tid"].max(), 0)) + 1
    cpus = int(events["cpu"].max()) + 1
    states = list(PREV_STATES.values())
    return k.World(
        _tasks(_TASKS_FIRST),
        _blank(k.CPU, cpus, seen_ns=NULL, task=k.NOT_SEEN, wakee=NULL),
        np.full(tids, NULL, np.int64),
        np.empty(len(events) + k.ROOM, k.INTERVAL),  # about one an event
        np.empty(len(events) // 4 + k.ROOM, k.WAKE),
        np.empty(k.ROOM, GAP),
        np.zeros(k.COUNTERS, np.int64),
        np.array([STATES[state] for state, _ in states]),
        np.array([NULL if reason is None else REASONS[reason] for _, reason in states]),
        wakeup,
    )


def _grown(records: Records, used: int) -> Records:
    """`records` with room for more events, doubled when it must grow."""
    if used + k.ROOM <= len(records):
        return records
    size = 2 * len(records) + k.ROOM
    grown = _tasks(size) if records.dtype == k.TASK else np.empty(size, records.dtype)
    grown[:used] = records[:used]
    return grown


def _run(world: k.World, events: Records, origin_ns: int, recording: KernelRecording) -> k.World:
    at = 0
    while at < len(events):
        stop = min(at + CHUNK, len(events))
        at, count = machine.run(world, events, at, stop, origin_ns), world.counts
        world = world._replace(
            tasks=_grown(world.tasks, int(count[k.N_TASKS])),
            intervals=_grown(world.intervals, int(count[k.N_INTERVALS])),
            wakeups=_grown(world.wakeups, int(count[k.N_WAKEUPS])),
            gaps=_grown(world.gaps, int(count[k.N_GAPS])),
        )
        recording.progress(at, len(events))
    return world


def _tables(
    world: k.World, recording: KernelRecording, gaps: Records, origin_ns: int
) -> tuple[dict[str, pa.Table], str | None]:
    count = world.counts
    intervals = world.intervals[: count[k.N_INTERVALS]]
    tasks = world.tasks[: count[k.N_TASKS]]
    columns, renamed, form = task_columns(tasks, recording)
    ours = world.gaps[: count[k.N_GAPS]]
    gaps = gaps.copy()
    gaps["start_ns"] = np.maximum(gaps["start_ns"] - origin_ns, 0)
    gaps["end_ns"] = np.maximum(gaps["end_ns"] - origin_ns, gaps["start_ns"])
    return {
        "tasks": table("tasks", columns),
        "intervals": _interval_table(intervals, renamed),
        "wakeups": _wakeup_table(world.wakeups[: count[k.N_WAKEUPS]], renamed),
        "gaps": _gap_table(np.concatenate([gaps, ours]), recording.streams),
    }, form


def _renamed(numbers: npt.NDArray[np.int32], renamed: Rows) -> Rows:
    return np.where(numbers < 0, NULL, renamed[numbers])


def _interval_table(intervals: Records, renamed: Rows) -> pa.Table:
    rows = np.flatnonzero(intervals["end_ns"] > intervals["start_ns"])
    task_ids, starts = renamed[intervals["task"][rows]], intervals["start_ns"][rows]
    order = _by_start(starts, task_ids, len(renamed))
    rows = rows[order]
    return table(
        "intervals",
        {
            "task_id": task_ids[order].astype(np.int32),
            "cpu": intervals["cpu"][rows],
            "state": intervals["state"][rows],
            "start_ns": starts[order],
            "end_ns": intervals["end_ns"][rows],
            "reason": intervals["reason"][rows],
            "inferred": intervals["inferred"][rows] != 0,
        },
    )


def _by_start(starts: Rows, task_ids: Rows, tasks: int) -> Rows:
    """Places by start, then task: one key where both fit one, as it is nearly sorted, which timsort is fast at."""
    if len(starts) and int(starts.max()) < (1 << 62) // max(tasks, 1):
        return np.argsort(starts * tasks + task_ids, kind="stable")
    return np.lexsort((task_ids, starts))


def _wakeup_table(wakeups: Records, renamed: Rows) -> pa.Table:
    rows = wakeups[np.argsort(wakeups["at_ns"], kind="stable")]
    return table(
        "wakeups",
        {
            "at_ns": rows["at_ns"],
            "waker_id": _renamed(rows["waker"], renamed),
            "wakee_id": renamed[rows["wakee"]],
            "cpu": rows["cpu"],
            "target_cpu": rows["target_cpu"],
            "reason": rows["reason"],
        },
    )


def _gap_table(gaps: Records, streams: list[str | None]) -> pa.Table:
    order = np.lexsort((gaps["cpu"], gaps["end_ns"], gaps["start_ns"]))
    rows = gaps[order]
    columns: dict[str, object] = {name: rows[name] for name in ("cpu", "start_ns", "end_ns", "lost_events", "cause")}
    if any(streams):
        columns["stream"] = [streams[row] if row < len(streams) else None for row in order.tolist()]
    return table("gaps", columns)


# What is counted while reading: the policy, the choice made, where the count is.
_COUNTED = (
    ("a wakeup of a task that is RUNNING", "no change of state", k.WOKEN_RUNNING),
    ("a wakeup of a task that is RUNNABLE", "no change of state", k.WOKEN_RUNNABLE),
    ("a wakeup that came while its task was leaving the CPU", "RUNNABLE from the switch-out", k.EARLY_WAKEUP),
    ("a task that runs again without a recorded wakeup", "BLOCKED until it runs", k.MISSED_WAKEUP),
    ("a switch-in that is missing", "inferred; see gaps", k.INFERRED),
    ("the start of an inferred switch-in", "from sched_stat_runtime", k.REFINED),
)


def _policies(world: k.World, events: Records, chosen: str) -> list[dict[str, object]]:
    used = "wakeup" if world.use_wakeup else "waking"
    kind = EVENT_KINDS[used]
    found: list[dict[str, object]] = [
        {
            "policy": "the event that makes a task runnable",
            "choice": f"sched_{used}" + ("" if used == chosen else f"; the recording has no sched_{chosen}"),
            "count": int((events["kind"] == kind).sum()),
        }
    ]
    counted = [
        {"policy": policy, "choice": choice, "count": int(world.counts[at])}
        for policy, choice, at in _COUNTED
        if world.counts[at]
    ]
    return found + counted
