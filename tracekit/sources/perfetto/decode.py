"""Second pass: a bundle's events, plain and compact, in order of time.

CompactSched is a structure of arrays: switches and wakings, each stream's times as differences (compact_sched.h in
google/perfetto). Who leaves and who wakes is not stored: it is who the last switch, or plain event, put on the CPU.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracekit.jit import lean
from tracekit.sources.kernel.events import EVENT, EVENT_KINDS, IN_INTERRUPT, Number, Records, Row, Rows, wide
from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto import wire
from tracekit.sources.perfetto.cursor import Bytes, field, i32, kernel, varint
from tracekit.sources.perfetto.interning import Names, intern
from tracekit.sources.perfetto.plain import HARD_INTERRUPT, Meanings, NameIds, blank, plain_event, state_code
from tracekit.sources.perfetto.survey import HOLE, UNEVEN

UNSEEN, AFTER_HOLE = wide(-1), wide(-2)  # who is on a CPU, when nothing has told since the beginning, or since a hole
_SWITCH, _WAKING, _COMM = (wide(EVENT_KINDS[kind]) for kind in ("switch", "waking", "comm"))
_VARINT, _LENGTH, _IDLE = wide(wire.VARINT), wide(wire.LENGTH), wide(0)
_NEVER = wide((1 << 63) - 1)


class Scratch(NamedTuple):
    """One bundle's arrays: `columns` by CompactSched's field, how much of each is `used`, and its plain events."""

    columns: Rows
    used: Rows
    plain: Records
    plain_ids: NameIds


class Out(NamedTuple):
    """Where events go: EVENT rows, the names of each, how many there are, and who is on each stream's CPU."""

    events: Records
    ids: NameIds
    used: Rows
    current: Rows


def scratch_for(bundles: Records) -> Scratch:
    """Room for the largest of these."""
    compact = int(max(bundles["switches"].max(), bundles["wakings"].max())) + 1
    plain = int(bundles["plain"].max())
    columns = np.empty((n.COMPACT_FIELDS, compact), np.int64)
    return Scratch(
        columns, np.zeros(n.COMPACT_FIELDS, np.int64), np.empty(plain, EVENT), np.empty((plain, 2), np.int32)
    )


def out_for(bundles: Records, current: Rows) -> Out:
    """Room for all events of these."""
    size = int((bundles["switches"] + bundles["wakings"] + bundles["plain"]).sum())
    return Out(np.empty(size, EVENT), np.empty((size, 2), np.int32), np.zeros(1, np.int64), current)


@lean
def _fill(data: Bytes, at: int, end: int, scratch: Scratch, number: int) -> None:
    """Numbers of one array, packed or not: what does not fit is counted only."""
    used, room = scratch.used[number], scratch.columns.shape[1]
    while at < end:
        value, at = varint(data, at, end)
        if at < 0:
            break
        if used < room:
            scratch.columns[number, used] = value
        used += 1
    scratch.used[number] = used


@lean
def _compact(data: Bytes, at: int, end: int, scratch: Scratch, known: Names) -> None:
    while at < end:
        number, wire_type, _, start, at = field(data, at, end)
        if at < 0:
            return
        if number == n.INTERN_TABLE and wire_type == _LENGTH:
            if scratch.used[number] < scratch.columns.shape[1]:
                scratch.columns[number, scratch.used[number]] = intern(data, start, at, known)
            scratch.used[number] += 1
        elif number < n.COMPACT_FIELDS and wire_type in (_LENGTH, _VARINT):
            _fill(data, start, at, scratch, number)


@lean
def _collect(data: Bytes, bundle: Row, meanings: Meanings, known: Names, scratch: Scratch) -> Number:
    """A bundle's arrays and plain events; returns how many of these there are."""
    scratch.used[:] = 0
    at, end, plain = bundle["at"], bundle["end"], wide(0)
    while at < end:
        number, wire_type, _, start, at = field(data, at, end)
        if at < 0:
            break
        if wire_type != _LENGTH:
            continue
        if number == n.EVENT_FIELD:
            if plain < len(scratch.plain) and plain_event(
                data, start, at, bundle["cpu"], meanings, known, scratch.plain, scratch.plain_ids, plain
            ):
                plain += 1
        elif number == n.COMPACT_SCHED:
            _compact(data, start, at, scratch, known)
    return plain


@lean
def _rows(scratch: Scratch, first: int, last: int, bundle: Row) -> Number:
    """How many rows columns `first` to `last` have in common; the bundle is marked when they are not of one length."""
    shortest, longest = scratch.used[first], scratch.used[first]
    for number in range(first, last + 1):
        if number != n.INTERN_TABLE:
            shortest, longest = min(shortest, scratch.used[number]), max(longest, scratch.used[number])
    if shortest != longest:
        bundle["flags"] |= UNEVEN
    return shortest


@lean
def _name(scratch: Scratch, index: int, bundle: Row) -> Number:
    if 0 <= index < min(scratch.used[n.INTERN_TABLE], scratch.columns.shape[1]):
        return scratch.columns[n.INTERN_TABLE, index]
    bundle["flags"] |= UNEVEN
    return wide(-1)


@lean
def _switch(event: Row, ids: NameIds, row: int, place: int, current: int, meanings: Meanings, scratch: Scratch) -> None:
    # After a hole nobody knows who leaves. It is said to be the idle task, so that whoever was seen last is not
    # taken to have run all through the hole.
    event["tid"] = _IDLE if current == AFTER_HOLE else current
    event["target_tid"] = i32(scratch.columns[n.SWITCH_PID, place])
    event["prev_state"] = state_code(meanings, scratch.columns[n.SWITCH_STATE, place])
    ids[row, 0] = -1


@lean
def _waking(event: Row, ids: NameIds, row: int, place: int, current: int, scratch: Scratch) -> None:
    event["tid"] = max(current, UNSEEN)
    event["target_tid"] = i32(scratch.columns[n.WAKING_PID, place])
    event["target_cpu"] = i32(scratch.columns[n.WAKING_CPU, place])
    if place < scratch.used[n.WAKING_FLAGS] and scratch.columns[n.WAKING_FLAGS, place] & HARD_INTERRUPT:
        event["flags"] = IN_INTERRUPT
    ids[row, 0] = -1


@lean
def _next_time(scratch: Scratch, number: int, place: int, count: int, time_ns: int) -> Number:
    return time_ns + scratch.columns[number, place] if place < count else _NEVER


@lean
def _merge(bundle: Row, plain: int, meanings: Meanings, scratch: Scratch, out: Out) -> None:
    """The bundle's three streams by time; of one time, wakings come first and switches last."""
    switches = _rows(scratch, n.SWITCH_TIME, n.SWITCH_COMM, bundle)
    wakings = _rows(scratch, n.WAKING_TIME, n.WAKING_COMM, bundle)
    cpu, shift, stream = bundle["cpu"], bundle["shift_ns"], bundle["stream"]
    lowest, highest = bundle["first_ns"], bundle["limit_ns"]
    current, row = out.current[stream], out.used[0]
    i, j, k = wide(0), wide(0), wide(0)
    switch_ns = _next_time(scratch, n.SWITCH_TIME, i, switches, shift)
    waking_ns = _next_time(scratch, n.WAKING_TIME, j, wakings, shift)
    while i < switches or j < wakings or k < plain:
        plain_ns = scratch.plain[k]["time_ns"] + shift if k < plain else _NEVER
        event = out.events[row]
        if j < wakings and waking_ns <= plain_ns and waking_ns <= switch_ns:
            time_ns = waking_ns
            blank(event, time_ns, cpu, _WAKING)
            _waking(event, out.ids, row, j, current, scratch)
            out.ids[row, 1] = _name(scratch, scratch.columns[n.WAKING_COMM, j], bundle)
            j += 1
            waking_ns = _next_time(scratch, n.WAKING_TIME, j, wakings, waking_ns)
        elif k < plain and plain_ns <= switch_ns:
            time_ns = plain_ns
            out.events[row] = scratch.plain[k]
            event["time_ns"] = time_ns
            out.ids[row, 0], out.ids[row, 1] = scratch.plain_ids[k, 0], scratch.plain_ids[k, 1]
            k += 1
            if event["kind"] == _SWITCH:
                current = wide(event["target_tid"])
            elif event["tid"] >= 0:
                current = wide(event["tid"])
        else:
            time_ns = switch_ns
            blank(event, time_ns, cpu, _SWITCH)
            _switch(event, out.ids, row, i, current, meanings, scratch)
            out.ids[row, 1] = _name(scratch, scratch.columns[n.SWITCH_COMM, i], bundle)
            current = wide(event["target_tid"])
            i += 1
            switch_ns = _next_time(scratch, n.SWITCH_TIME, i, switches, switch_ns)
        if lowest <= time_ns <= highest:
            row += 1
        else:
            bundle["astray"] += 1
    out.used[0], out.current[stream] = row, current


@kernel
def decode(
    data: Bytes, bundles: Records, chosen: Rows, meanings: Meanings, known: Names, scratch: Scratch, out: Out
) -> Number:
    """Append the chosen bundles' events, all of one block, `data`. Returns how many there are."""
    for number in range(len(chosen)):
        bundle = bundles[chosen[number]]
        if bundle["flags"] & HOLE and out.current[bundle["stream"]] != UNSEEN:
            out.current[bundle["stream"]] = AFTER_HOLE
        plain = _collect(data, bundle, meanings, known, scratch)
        _merge(bundle, plain, meanings, scratch, out)
    return out.used[0]
