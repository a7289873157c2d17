"""Samples and recorders' notes to scheduling events: fields are where each event's format says they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import (
    EVENT,
    EVENT_KINDS,
    EXECUTED,
    GENERIC_NUMBERS,
    IN_INTERRUPT,
    PREV_STATE_CODES,
    Number,
    Records,
    Row,
    Rows,
    wide,
)
from tracekit.sources.kernel.formats import EventFormat, Field, prev_state_masks
from tracekit.sources.perf_data.layout import END_SIZE, END_TID, HEADER_SIZE, TID_AT
from tracekit.sources.perf_data.numbers import Bytes, i32, integer, u16, u32
from tracekit.sources.perf_data.walk import COMM, EXIT, FORK, SAMPLE, SWITCH, SWITCH_CPU_WIDE, raw_at

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
NAME_FIELDS = {"switch": ("prev_comm", "next_comm"), "fork": (None, "child_comm"), "exec": (None, None),
               "sys_enter": (None, None), "sys_exit": (None, None)}  # fmt: skip

# Columns of a plan: the kind, then offset and size of each field; offset -1 where there is none.
KIND = 0
FLAGS, PID, TARGET, STATE, CPU, VALUE = (wide(column) for column in range(1, 13, 2))
PLAN_COLUMNS = 13
_KIND_FORK, _KIND_EXIT, _KIND_COMM = EVENT_KINDS["fork"], EVENT_KINDS["exit"], EVENT_KINDS["comm"]
KIND_SWITCH, _KIND_SYS_ENTER = EVENT_KINDS["switch"], EVENT_KINDS["sys_enter"]
_PREEMPTED, _OTHER_STATE = PREV_STATE_CODES["R+"], PREV_STATE_CODES["?"]
_RUNNABLE = PREV_STATE_CODES["R"]
_HARD_INTERRUPT = 0x08  # TRACE_FLAG_HARDIRQ, include/linux/trace_events.h
_COMM_EXEC = 1 << 13  # PERF_RECORD_MISC_COMM_EXEC
_SWITCH_OUT, _SWITCH_OUT_PREEMPT = 1 << 13, 1 << 14  # PERF_RECORD_MISC_*
SWITCHED_IN = 1  # value of a switch that is told by the task that comes, for the time being
_SIZES = (1, 2, 4, 8)


@dataclass
class Plan:
    """How to read each event's samples: `rows` by event (PLAN_COLUMNS), and how to read prev_state.

    `generic`: system calls have asm-generic's numbers. `switches`: PERF_RECORD_SWITCH tells who runs.
    """

    rows: Rows
    masks: Rows
    codes: Rows
    preempted_mask: int
    generic: bool = False
    switches: bool = False


def plan(formats: Sequence[EventFormat | None]) -> Plan:
    """A plan for events with these formats; an event without one, or not of TRACEPOINTS, has kind -1."""
    rows = np.full((len(formats), PLAN_COLUMNS), -1, np.int64)
    masks, codes, preempted = prev_state_masks("")
    for row, event in zip(rows, formats, strict=True):
        if event is None or event.name not in TRACEPOINTS:
            continue
        kind, target, cpu, value = TRACEPOINTS[event.name]
        names = {FLAGS: "common_flags", PID: "common_pid", TARGET: target, CPU: cpu, VALUE: value}
        if kind == "switch":
            names[STATE] = "prev_state"
            masks, codes, preempted = prev_state_masks(event.print_format)
        fields = {c: _integer_field(event, name, 8 if c in (VALUE, STATE) else 4) for c, name in names.items() if name}
        if any(fields[column] is None for column in fields if column not in (FLAGS, CPU)):
            continue  # a format that lacks what the event is for
        row[KIND] = EVENT_KINDS[kind]
        for column, found in fields.items():
            if found:
                row[column : column + 2] = found.offset, found.size
    return Plan(rows, np.array(masks, np.int64), np.array(codes, np.int64), preempted)


def _integer_field(event: EventFormat, name: str, widest: int) -> Field | None:
    found = event.fields.get(name)
    return found if found and found.size in _SIZES and found.size <= widest and not found.dynamic else None


@lean
def _field(data: Bytes, raw: int, size: int, row: Rows, column: int, big: bool) -> Number:
    offset, width = row[column], row[column + 1]
    if offset < 0 or offset + width > size:
        return -1
    return integer(data, raw + offset, width, big)


@lean
def _prev_state(value: int, masks: Rows, codes: Rows, preempted_mask: int) -> Number:
    if value < 0:
        return _OTHER_STATE
    for place in range(len(masks)):
        if value & masks[place]:
            return codes[place]
    if value & preempted_mask:
        return _PREEMPTED
    return _RUNNABLE if value == 0 else _OTHER_STATE


@lean
def _sample(event: Row, data: Bytes, at: int, layout: Rows, row: Rows, generic: bool, big: bool) -> Number:
    """A tracepoint's sample into `event`; returns the raw prev_state, or -1."""
    raw = raw_at(data, at, layout, big)
    if raw < 0:
        event["kind"] = -1
        return -1
    size = u32(data, raw - 4, big)
    event["kind"] = row[KIND]
    pid = _field(data, raw, size, row, PID, big)
    event["tid"] = pid
    flags = _field(data, raw, size, row, FLAGS, big)
    event["flags"] = IN_INTERRUPT if flags > 0 and flags & _HARD_INTERRUPT else 0
    if generic and event["kind"] == _KIND_SYS_ENTER:
        event["flags"] |= GENERIC_NUMBERS
    event["target_tid"] = _field(data, raw, size, row, TARGET, big)
    event["target_cpu"] = _field(data, raw, size, row, CPU, big)
    event["value"] = _field(data, raw, size, row, VALUE, big)
    if layout[TID_AT] >= 0 and pid > 0 and i32(data, at + layout[TID_AT] + 4, big) == pid:
        tgid = i32(data, at + layout[TID_AT], big)
        event["tgid"] = tgid if tgid > 0 else -1
    return _field(data, raw, size, row, STATE, big)


@lean
def _switch(event: Row, data: Bytes, at: int, kind: int, size: int, layout: Rows, big: bool) -> None:
    """Who left and who came, of whom a record that is not CPU_WIDE names one (struct perf_record_switch)."""
    event["kind"] = -1
    wide = kind == SWITCH_CPU_WIDE
    if layout[END_TID] == 0 or size < HEADER_SIZE + layout[END_SIZE] + (8 if wide else 0):
        return
    process, task = i32(data, at + size + layout[END_TID], big), i32(data, at + size + layout[END_TID] + 4, big)
    other_process, other = (i32(data, at + 8, big), i32(data, at + 12, big)) if wide else (-1, -1)
    event["kind"] = KIND_SWITCH
    misc = u16(data, at + 4, big)
    if misc & _SWITCH_OUT:
        event["tid"], event["tgid"], event["target_tid"] = task, process, other
        event["prev_state"] = _PREEMPTED if misc & _SWITCH_OUT_PREEMPT else _OTHER_STATE
    else:
        event["tid"], event["tgid"], event["target_tid"] = other, other_process, task
        event["value"] = SWITCHED_IN


@lean
def _note(event: Row, data: Bytes, at: int, kind: int, size: int, cpu: int, big: bool) -> None:
    """A COMM, FORK or EXIT record: pid, then tid or parent's pid, and so on (struct perf_record_*)."""
    event["kind"] = -1
    event["cpu"] = -1
    if size < HEADER_SIZE + (8 if kind == COMM else 16):
        return
    event["value"] = i32(data, at + 8, big)
    if kind == COMM:
        event["kind"] = _KIND_COMM
        event["target_tid"] = i32(data, at + 12, big)
        event["flags"] = EXECUTED if u16(data, at + 4, big) & _COMM_EXEC else 0
        return
    event["kind"] = _KIND_FORK if kind == FORK else _KIND_EXIT
    event["target_tid"] = i32(data, at + 16, big)
    if kind == EXIT:  # it is the ending task itself that reports (perf_event_exit_task)
        event["tid"] = event["target_tid"]
        event["cpu"] = cpu
    else:
        event["tid"] = i32(data, at + 20, big)
        event["tgid"] = i32(data, at + 12, big)


@cached_njit
def _decode(
    data: Bytes, records: Records, layouts: Rows, rows: Rows, masks: Rows, codes: Rows, preempted: int,
    generic: bool, big: bool, events: Records,
) -> None:  # fmt: skip
    for number in range(len(records)):
        record, event = records[number], events[number]
        event["time_ns"] = record["time_ns"]
        event["cpu"] = record["cpu"]
        event["value"] = event["tid"] = event["tgid"] = event["target_tid"] = event["target_cpu"] = -1
        event["prev_state"] = _OTHER_STATE
        event["flags"] = 0
        kind, attr = record["type"], record["attr"]
        if kind == SAMPLE:
            state = _sample(event, data, record["at"], layouts[attr], rows[attr], generic, big)
            if rows[attr, STATE] >= 0:
                event["prev_state"] = _prev_state(state, masks, codes, preempted)
        elif kind in (SWITCH, SWITCH_CPU_WIDE):
            _switch(event, data, record["at"], kind, record["size"], layouts[attr], big)
        else:
            _note(event, data, record["at"], kind, record["size"], record["cpu"], big)


def decode(data: Bytes, records: Records, layouts: Rows, how: Plan, big: bool) -> Records:
    """EVENT records: of samples of planned events, of switches, of COMM, FORK and EXIT. Kind -1: broken."""
    events = np.empty(len(records), EVENT)
    _decode(
        data, records, layouts, how.rows, how.masks, how.codes, how.preempted_mask, how.generic, big, events
    )  # fmt: skip
    return events


@cached_njit
def pair_switches(events: Records, left: Rows, came: Rows) -> int:
    """A switch is told by the task that leaves and by the one that comes: drop what is told again (kind -1).

    `left` and `came`, by CPU, are the tasks of the last one told by who left, or -1. Returns how many are kept.
    """
    count = 0
    for event in events:
        cpu = event["cpu"]
        if event["kind"] != KIND_SWITCH or cpu < 0 or cpu >= len(left):
            continue
        if event["value"] != SWITCHED_IN:
            left[cpu], came[cpu] = event["tid"], event["target_tid"]
            count += 1
            continue
        event["value"] = -1
        target = event["target_tid"]
        if event["tid"] >= 0 and left[cpu] == event["tid"] and came[cpu] == target:
            event["kind"] = -1
        else:
            count += 1
        left[cpu] = came[cpu] = -1
    return count
