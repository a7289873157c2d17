"""The tracepoints of the scheduler, and their bytes to events: fields are where each event's format says they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tracekit.jit import lean
from tracekit.sources.kernel.events import (
    EVENT_KINDS,
    IN_INTERRUPT,
    PREV_STATE_CODES,
    Number,
    Row,
    Rows,
    wide,
)
from tracekit.sources.kernel.formats import EventFormat, prev_state_masks
from tracekit.sources.kernel.numbers import Bytes, integer

# tracepoint: (kind, field of target_tid, of target_cpu, of value)
TRACEPOINTS: dict[str, tuple[str, str | None, str | None, str | None]] = {
    "sched_switch": ("switch", "next_pid", None, None),
    "sched_waking": ("waking", "pid", "target_cpu", None),
    "sched_wakeup": ("wakeup", "pid", "target_cpu", None),
    "sched_wakeup_new": ("wakeup_new", "pid", "target_cpu", None),
    "sched_migrate_task": ("migrate", "pid", "dest_cpu", None),
    "sched_stat_runtime": ("stat_runtime", "pid", None, "runtime"),
    "sched_process_fork": ("fork", "child_pid", None, None),
    "sched_process_exec": ("exec", None, None, None),
    "sched_process_exit": ("exit", "pid", None, None),
    "sys_enter": ("sys_enter", None, None, "id"),
    "sys_exit": ("sys_exit", None, None, "id"),
}
# kind: the fields with the names of tid and of target_tid, where they are not ("", "comm")
NAME_FIELDS = {
    "switch": ("prev_comm", "next_comm"),
    "fork": ("parent_comm", "child_comm"),
    **dict.fromkeys(("exec", "sys_enter", "sys_exit"), ("", "")),
}

# Columns of a plan: the kind, flags to add, then offset and size of each field; offset -1 where there is none.
KIND, ADDED = (wide(column) for column in range(2))
FLAGS, PID, TARGET, STATE, CPU, VALUE = (wide(column) for column in range(2, 14, 2))
PLAN_COLUMNS = 14
_PREEMPTED, _OTHER_STATE, _RUNNABLE = PREV_STATE_CODES["R+"], PREV_STATE_CODES["?"], PREV_STATE_CODES["R"]
_HARD_INTERRUPT = 0x08  # TRACE_FLAG_HARDIRQ, include/linux/trace_events.h
_SIZES = (1, 2, 4, 8)


class States(NamedTuple):
    """How to read prev_state: masks to try in order, the code of each, and the mask of who was preempted."""

    masks: Rows
    codes: Rows
    preempted_mask: int


def states_of(formats: Iterable[EventFormat | None]) -> States:
    """By the last format that has a prev_state, or as it usually is."""
    listing = ""
    for event in formats:
        if event is not None and (row := plan_row(event)) is not None and row[STATE] >= 0:
            listing = event.print_format
    masks, codes, preempted = prev_state_masks(listing)
    return States(np.array(masks, np.int64), np.array(codes, np.int64), preempted)


def plan_row(event: EventFormat) -> Rows | None:
    """How to read an event (PLAN_COLUMNS); None for one that is not of TRACEPOINTS or lacks what it is for."""
    if event.name not in TRACEPOINTS:
        return None
    kind, target, cpu, value = TRACEPOINTS[event.name]
    state = "prev_state" if kind == "switch" else None
    row = np.full(PLAN_COLUMNS, -1, np.int64)
    row[KIND], row[ADDED] = EVENT_KINDS[kind], 0
    wanted = {FLAGS: "common_flags", PID: "common_pid", TARGET: target, CPU: cpu, VALUE: value, STATE: state}
    for column, name in wanted.items():
        found = event.fields.get(name) if name else None
        if found and found.size in _SIZES and found.size <= (8 if column in (VALUE, STATE) else 4):
            row[column : column + 2] = found.offset, found.size
        elif name and column not in (FLAGS, CPU):
            return None
    return row


@lean
def _field(data: Bytes, at: int, size: int, row: Rows, column: int, big: bool) -> Number:
    offset, width = row[column], row[column + 1]
    if offset < 0 or offset + width > size:
        return -1
    return integer(data, at + offset, width, big)


@lean
def _prev_state(value: int, states: States) -> Number:
    if value < 0:
        return _OTHER_STATE
    for place in range(len(states.masks)):
        if value & states.masks[place]:
            return states.codes[place]
    if value & states.preempted_mask:
        return _PREEMPTED
    return _RUNNABLE if value == 0 else _OTHER_STATE


@lean
def fill(event: Row, data: Bytes, at: int, size: int, row: Rows, states: States, big: bool) -> None:
    """The event in data[at : at + size], by a row of a plan; time and CPU are the caller's."""
    flags = _field(data, at, size, row, FLAGS, big)
    event["kind"] = row[KIND]
    event["flags"] = row[ADDED] | (IN_INTERRUPT if flags > 0 and flags & _HARD_INTERRUPT else 0)
    event["tid"] = _field(data, at, size, row, PID, big)
    event["tgid"] = -1
    event["target_tid"] = _field(data, at, size, row, TARGET, big)
    event["target_cpu"] = _field(data, at, size, row, CPU, big)
    event["value"] = _field(data, at, size, row, VALUE, big)
    event["prev_state"] = _OTHER_STATE
    if row[STATE] >= 0:
        event["prev_state"] = _prev_state(_field(data, at, size, row, STATE, big), states)
