"""One FtraceEvent to one event: which of its fields means what is in `numbers.PLAIN`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracekit.jit import lean
from tracekit.sources.kernel.events import EVENT_KINDS, IN_INTERRUPT, PREV_STATE_CODES, Number, Records, Row, Rows, wide
from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto import wire
from tracekit.sources.perfetto.cursor import Bytes, field, i32
from tracekit.sources.perfetto.interning import Names, intern

NameIds = npt.NDArray[np.int32]  # (events, 2): numbers of the names of `tid` and of `target_tid`, -1 for none

_VARINT, _LENGTH, _NO_KIND, _UNKNOWN = wide(wire.VARINT), wide(wire.LENGTH), wide(-1), wide(-1)
_SWITCH, _EXEC, _COMM = (wide(EVENT_KINDS[kind]) for kind in ("switch", "exec", "comm"))
_OTHER_STATE = wide(PREV_STATE_CODES["?"])
HARD_INTERRUPT = wide(0x08)  # TRACE_FLAG_HARDIRQ, include/linux/trace_events.h
_CLONE_THREAD = wide(0x10000)  # include/uapi/linux/sched.h
OF_ITS_CREATOR, _ITS_OWN = wide(-2), wide(-3)  # a fork's value: whose process the child is in


class Meanings(NamedTuple):
    """What numbers mean: `kinds` and `fields` as from `numbers.plans`, `states` from a raw prev_state to its code."""

    kinds: npt.NDArray[np.int8]
    fields: Rows
    states: npt.NDArray[np.int8]


@lean
def blank(event: Row, time_ns: int, cpu: int, kind: int) -> None:
    """An event of which only this is known."""
    event["time_ns"], event["cpu"], event["kind"] = time_ns, cpu, kind
    event["value"] = event["tid"] = event["tgid"] = event["target_tid"] = event["target_cpu"] = -1
    event["prev_state"] = _OTHER_STATE
    event["flags"] = 0


@lean
def state_code(meanings: Meanings, value: int) -> Number:
    """The PREV_STATE_CODES code of a raw prev_state."""
    return np.int64(meanings.states[value]) if 0 <= value < len(meanings.states) else _OTHER_STATE


@lean
def _own_fields(
    data: Bytes, at: int, end: int, number: int, meanings: Meanings, known: Names, event: Row, ids: NameIds, row: int
) -> None:
    while at < end:
        inner, wire_type, value, start, at = field(data, at, end)
        if at < 0:
            return
        meaning = meanings.fields[number, inner] if inner < meanings.fields.shape[1] else wide(0)
        if wire_type == _LENGTH:
            if meaning == n.OWN_NAME:
                ids[row, 0] = intern(data, start, at, known)
            elif meaning == n.TARGET_NAME:
                ids[row, 1] = intern(data, start, at, known)
        elif wire_type != _VARINT:
            continue
        elif meaning == n.OWN_TID:
            event["tid"] = i32(value)
        elif meaning == n.TARGET_TID:
            event["target_tid"] = i32(value)
        elif meaning == n.TARGET_CPU:
            event["target_cpu"] = i32(value)
        elif meaning == n.STATE:
            event["prev_state"] = state_code(meanings, value)
        elif meaning == n.CLONE_FLAGS:
            event["value"] = OF_ITS_CREATOR if value & _CLONE_THREAD else _ITS_OWN


@lean
def plain_event(
    data: Bytes, at: int, end: int, cpu: int, meanings: Meanings, known: Names, events: Records, ids: NameIds, row: int
) -> bool:
    """The FtraceEvent in data[at:end] into events[row]. False when it is none that is read, or has no time.

    Numbers that are not there are 0, as protobuf has it, but for who was on the CPU: that is unknown.
    """
    time_ns, pid, flags, number, own_at, own_end = wide(-1), wide(-1), wide(0), wide(-1), wide(0), wide(0)
    while at < end:
        inner, wire_type, value, start, at = field(data, at, end)
        if at < 0:
            break
        if wire_type == _LENGTH:
            if number < 0:
                number, own_at, own_end = inner, start, at
        elif inner == n.EVENT_TIME:
            time_ns = value
        elif inner == n.EVENT_PID:
            pid = i32(value)
        elif inner == n.EVENT_FLAGS:
            flags = value
    if time_ns < 0 or number < 0 or number >= n.PLANS or meanings.kinds[number] < 0:
        return False
    event = events[row]
    blank(event, time_ns, cpu, meanings.kinds[number])
    ids[row, 0] = ids[row, 1] = -1
    event["flags"] = IN_INTERRUPT if flags & HARD_INTERRUPT else 0
    event["tid"] = pid
    event["target_tid"] = 0
    if event["kind"] == _SWITCH:
        event["prev_state"] = state_code(meanings, wide(0))
    _own_fields(data, own_at, own_end, number, meanings, known, event, ids, row)
    _put_right(event)
    return True


@lean
def _put_right(event: Row) -> None:
    if event["kind"] == _COMM:  # about a task, whoever runs
        event["cpu"] = event["tid"] = -1
    elif event["kind"] == _EXEC:
        event["target_tid"] = -1
    elif event["value"] == _ITS_OWN:
        event["value"] = event["target_tid"]
