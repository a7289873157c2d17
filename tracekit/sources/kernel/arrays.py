"""The arrays of the state machine, with room for what comes next."""

from __future__ import annotations

import numpy as np

from tracekit.sources.copying import words_of
from tracekit.sources.kernel import world as k
from tracekit.sources.kernel.events import GAP, PID_MAX, PREV_STATES, Records
from tracekit.tables.build import NULL
from tracekit.vocabulary import REASONS, STATES

_FIRST = 1024  # room for rows of each kind to begin with


def new_world() -> k.World:
    """The state before the first event."""
    states = list(PREV_STATES.values())
    return k.World(
        _tasks(_FIRST),
        _cpus(1),
        np.full(1, NULL, np.int64),
        np.empty(_FIRST, k.INTERVAL),
        np.empty(_FIRST, k.WAKE),
        np.empty(_FIRST, GAP),
        np.zeros(k.COUNTERS, np.int64),
        np.array([STATES[state] for state, _ in states]),
        np.array([NULL if reason is None else REASONS[reason] for _, reason in states]),
        False,
    )


def with_ids(world: k.World, tids: int, cpus: int) -> k.World:
    """`world` with places for so many tids and CPUs."""
    task_of_tid, of_cpu = world.task_of_tid, world.cpus
    if tids > len(task_of_tid):
        more = max(tids, min(2 * len(task_of_tid), PID_MAX + 1)) - len(task_of_tid)
        task_of_tid = np.concatenate([task_of_tid, np.full(more, NULL, np.int64)])
    if cpus > len(of_cpu):
        of_cpu = np.concatenate([of_cpu, _cpus(cpus - len(of_cpu))])
    return world._replace(task_of_tid=task_of_tid, cpus=of_cpu)


def with_room(world: k.World, events: int) -> k.World:
    """`world` with room for the rows of about so many events."""
    count = world.counts
    return world._replace(
        tasks=_grown(world.tasks, int(count[k.N_TASKS]), 0),
        intervals=_grown(world.intervals, int(count[k.N_INTERVALS]), events),  # about one an event
        wakeups=_grown(world.wakeups, int(count[k.N_WAKEUPS]), events // 4),
        gaps=_grown(world.gaps, int(count[k.N_GAPS]), 0),
    )


def _grown(records: Records, used: int, wanted: int) -> Records:
    if used + max(wanted, k.ROOM) <= len(records):
        return records
    size = max(2 * len(records), used + wanted) + k.ROOM
    grown = _tasks(size) if records.dtype == k.TASK else np.empty(size, records.dtype)
    words_of(grown)[:used] = words_of(records[:used])
    return grown


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


def _cpus(size: int) -> Records:
    return _blank(k.CPU, size, seen_ns=NULL, before_row=NULL, task=k.NOT_SEEN, wakee=NULL)
