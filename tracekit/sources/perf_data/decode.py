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
    PREV_STATE_CODES,
    Records,
    Row,
    Rows,
)
from tracekit.sources.kernel.formats import EventFormat
from tracekit.sources.kernel.numbers import Bytes, i32, u16, u32
from tracekit.sources.kernel.tracepoints import PLAN_COLUMNS, States, fill, plan_row, states_of
from tracekit.sources.perf_data.callchains import NONE, Functions, reason_of
from tracekit.sources.perf_data.layout import END_SIZE, END_TID, HAS_CALLCHAIN, HEADER_SIZE, TID_AT
from tracekit.sources.perf_data.walk import COMM, EXIT, FORK, SAMPLE, SWITCH, SWITCH_CPU_WIDE, callchain_at, raw_at

_KIND_FORK, _KIND_EXIT, _KIND_COMM = EVENT_KINDS["fork"], EVENT_KINDS["exit"], EVENT_KINDS["comm"]
KIND_SWITCH = EVENT_KINDS["switch"]
_PREEMPTED, _OTHER_STATE = PREV_STATE_CODES["R+"], PREV_STATE_CODES["?"]
_COMM_EXEC = 1 << 13  # PERF_RECORD_MISC_COMM_EXEC
_SWITCH_OUT, _SWITCH_OUT_PREEMPT = 1 << 13, 1 << 14  # PERF_RECORD_MISC_*
SWITCHED_IN = 1  # value of a switch that is told by the task that comes, for the time being


@dataclass
class Plan:
    """How to read each event's samples: `rows` by event (PLAN_COLUMNS), and how to read prev_state.

    `switches`: PERF_RECORD_SWITCH tells who runs. `functions` are those of the kernel in which tasks wait.
    """

    rows: Rows
    states: States
    switches: bool = False
    functions: Functions = NONE


def plan(formats: Sequence[EventFormat | None]) -> Plan:
    """A plan for events with these formats; an event without one, or not of TRACEPOINTS, has kind -1."""
    rows = np.full((len(formats), PLAN_COLUMNS), -1, np.int64)
    for row, event in zip(rows, formats, strict=True):
        planned = plan_row(event) if event else None
        if planned is not None:
            row[:] = planned
    return Plan(rows, states_of(formats))


@lean
def _sample(
    event: Row, data: Bytes, at: int, layout: Rows, row: Rows, states: States, functions: Functions, big: bool
) -> None:
    """A tracepoint's sample into `event`."""
    raw = raw_at(data, at, layout, big)
    if raw < 0:
        event["kind"] = -1
        return
    fill(event, data, raw, u32(data, raw - 4, big), row, states, big)
    pid = event["tid"]
    if layout[TID_AT] >= 0 and pid > 0 and i32(data, at + layout[TID_AT] + 4, big) == pid:
        tgid = i32(data, at + layout[TID_AT], big)
        event["tgid"] = tgid if tgid > 0 else -1
    if event["kind"] == KIND_SWITCH and layout[HAS_CALLCHAIN]:
        event["value"] = reason_of(data, callchain_at(data, at, layout, big), functions, big)


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
    data: Bytes, records: Records, layouts: Rows, rows: Rows, states: States, functions: Functions, big: bool,
    events: Records,
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
            _sample(event, data, record["at"], layouts[attr], rows[attr], states, functions, big)
        elif kind in (SWITCH, SWITCH_CPU_WIDE):
            _switch(event, data, record["at"], kind, record["size"], layouts[attr], big)
        else:
            _note(event, data, record["at"], kind, record["size"], record["cpu"], big)


def decode(data: Bytes, records: Records, layouts: Rows, how: Plan, big: bool) -> Records:
    """EVENT records: of samples of planned events, of switches, of COMM, FORK and EXIT. Kind -1: broken."""
    events = np.empty(len(records), EVENT)
    _decode(data, records, layouts, how.rows, how.states, how.functions, big, events)
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
