"""First pass over a file's packets: where each bundle is, of which CPU, from when to when, and what it says is lost.

Nothing is decoded yet but times: with them the second pass takes bundles in order of time, so that it never has to
hold more than those that overlap, however the file interleaves its CPUs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.jit import lean
from tracekit.sources.kernel.events import Number, Records, Row, Rows, wide
from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto import wire
from tracekit.sources.perfetto.cursor import Bytes, field, kernel, varint

BUNDLE = np.dtype(
    [
        ("at", np.int64),  # the FtraceEventBundle's bytes, in its block
        ("end", np.int64),
        ("first_ns", np.int64),  # of its leading events, of all kinds; -1: it has none
        ("last_ns", np.int64),
        ("previous_end_ns", np.int64),  # the recorder's last event of this CPU before; 0: none; -1: it does not say
        ("ftrace_ns", np.int64),  # the ftrace clock and CLOCK_BOOTTIME at one moment; -1: not there
        ("boot_ns", np.int64),
        ("error_ns", np.int64),
        ("sequence", np.int64),
        ("machine", np.int64),
        ("shift_ns", np.int64),  # to be added to its times
        ("limit_ns", np.int64),  # later events' times are damaged
        ("switches", np.int64),  # compact ones
        ("wakings", np.int64),
        ("plain", np.int64),  # scheduling events that are not compact, and how many of them are switches
        ("plain_switches", np.int64),
        ("events", np.int64),  # ftrace events of all kinds
        ("astray", np.int64),  # events left out because their time can not be
        ("block", np.int32),  # 0: the file; others: packets that were compressed
        ("cpu", np.int32),
        ("stream", np.int32),  # all bundles of one sequence, machine and CPU
        ("clock", np.int32),  # FtraceClock
        ("flags", np.int32),
    ],
    align=True,
)
# flags: the recorder says that it lost events, or packets; that it could not decode a page. Found here: bytes that
# make no message; arrays of one bundle that do not fit each other; events missing between this and the one before.
LOST, DROPPED, FAULTY, BROKEN, UNEVEN, HOLE = (1 << bit for bit in range(6))

OTHER = np.dtype(
    [
        ("at", np.int64),  # a message within a packet
        ("end", np.int64),
        ("sequence", np.int64),
        ("machine", np.int64),
        ("time_ns", np.int64),  # -1: the packet has none
        ("clock", np.int64),  # -1: the sequence's default
        ("field", np.int64),
    ],
    align=True,
)

# Positions in `state`; AT is where the next packet begins.
AT, N_BUNDLES, N_OTHERS, N_PACKETS, DAMAGE_END = (wide(place) for place in range(5))
STATE = 5
DONE, FULL, COMPRESSED, DAMAGED = (wide(place) for place in range(4))  # why the survey stopped
ROOM = 4  # rows of OTHER that one packet may add

_VARINT, _LENGTH, _TAG = wide(wire.VARINT), wide(wire.LENGTH), wide(wire.PACKET_TAG)
_SWITCH_KIND = wide(0)


@lean
def _event(data: Bytes, at: int, end: int, kinds: npt.NDArray[np.int8], bundle: Row) -> None:
    """Count one FtraceEvent."""
    time_ns, kind = wide(-1), wide(-1)
    while at < end and (time_ns < 0 or kind < 0):
        number, wire_type, value, _, at = field(data, at, end)
        if at < 0:
            break
        if number == n.EVENT_TIME and wire_type == _VARINT:
            time_ns = value
        elif wire_type == _LENGTH and kind < 0:
            kind = number
    bundle["events"] += 1
    if time_ns >= 0:
        _span(bundle, time_ns, time_ns, bundle["events"] == 1)
    if 0 <= kind < n.PLANS and kinds[kind] >= 0:
        bundle["plain"] += 1
        bundle["plain_switches"] += wide(1) if kinds[kind] == _SWITCH_KIND else wide(0)


@lean
def _span(bundle: Row, first_ns: int, last_ns: int, leading: bool) -> None:
    if leading and (bundle["first_ns"] < 0 or first_ns < bundle["first_ns"]):
        bundle["first_ns"] = first_ns
    bundle["last_ns"] = max(bundle["last_ns"], last_ns)


@lean
def _times(data: Bytes, at: int, end: int, time_ns: int) -> tuple[Number, Number, Number]:
    """(how many packed times there are, the first, the last); each adds to the one before."""
    count, first_ns = wide(0), wide(-1)
    while at < end:
        delta, at = varint(data, at, end)
        if at < 0:
            break
        time_ns += delta
        if count == 0:
            first_ns = time_ns
        count += 1
    return count, first_ns, time_ns


@lean
def _compact(data: Bytes, at: int, end: int, bundle: Row) -> None:
    switch_ns, waking_ns = wide(0), wide(0)
    while at < end:
        number, wire_type, _, start, stop = field(data, at, end)
        if stop < 0:
            bundle["flags"] |= BROKEN
            break
        if number in (n.SWITCH_TIME, n.WAKING_TIME) and wire_type in (_VARINT, _LENGTH):
            switching = number == n.SWITCH_TIME
            before = bundle["switches"] if switching else bundle["wakings"]
            count, first_ns, last_ns = _times(data, start, stop, switch_ns if switching else waking_ns)
            if switching:
                bundle["switches"] += count
                switch_ns = last_ns
            else:
                bundle["wakings"] += count
                waking_ns = last_ns
            bundle["events"] += count
            if count > 0 and first_ns >= 0:
                _span(bundle, first_ns, last_ns, before == 0)
        at = stop


@lean
def _number_in_bundle(bundle: Row, number: int, value: int) -> None:
    if number == n.CPU:
        bundle["cpu"] = value if 0 <= value < 1 << 20 else -1
    elif number == n.LOST_EVENTS and value != 0:
        bundle["flags"] |= LOST
    elif number == n.FTRACE_CLOCK:
        bundle["clock"] = value if 0 <= value < 1 << 20 else n.FTRACE_UNKNOWN
    elif number == n.FTRACE_TIME:
        bundle["ftrace_ns"] = value
    elif number == n.BOOT_TIME:
        bundle["boot_ns"] = value
    elif number in (n.LAST_READ_EVENT_TIME, n.PREVIOUS_BUNDLE_END):
        bundle["previous_end_ns"] = value


@lean
def _bundle(data: Bytes, at: int, end: int, block: int, kinds: npt.NDArray[np.int8], bundle: Row) -> None:
    bundle["at"], bundle["end"], bundle["block"] = at, end, block
    bundle["cpu"] = bundle["first_ns"] = bundle["last_ns"] = bundle["previous_end_ns"] = -1
    bundle["ftrace_ns"] = bundle["boot_ns"] = bundle["error_ns"] = bundle["stream"] = -1
    bundle["switches"] = bundle["wakings"] = bundle["plain"] = bundle["plain_switches"] = bundle["events"] = 0
    bundle["astray"] = 0
    bundle["flags"] = bundle["clock"] = bundle["shift_ns"] = bundle["limit_ns"] = 0
    while at < end:
        number, wire_type, value, start, at = field(data, at, end)
        if at < 0:
            bundle["flags"] |= BROKEN
            break
        if number == n.EVENT_FIELD and wire_type == _LENGTH:
            _event(data, start, at, kinds, bundle)
        elif number == n.COMPACT_SCHED and wire_type == _LENGTH:
            _compact(data, start, at, bundle)
        elif number == n.ERROR and wire_type == _LENGTH:
            bundle["flags"] |= FAULTY
            first, _, error_ns, _, stop = field(data, start, at)
            if stop >= 0 and first == 1:  # FtraceError's timestamp
                bundle["error_ns"] = error_ns
        elif wire_type == _VARINT:
            _number_in_bundle(bundle, number, value)


@lean
def _of_interest(number: int) -> bool:
    return (
        number in (n.PROCESS_TREE, n.CLOCK_SNAPSHOT, n.PROCESS_STATS, n.FTRACE_STATS, n.SYSTEM_INFO, n.DEFAULTS)
        or number == n.COMPRESSED
        or number == n.ZSTD_COMPRESSED
    )


@lean
def _packet(
    data: Bytes, at: int, end: int, block: int, kinds: npt.NDArray[np.int8], bundles: Records, others: Records,
    state: Rows,
) -> Number:  # fmt: skip
    """One TracePacket. Returns DAMAGED when it does not end where it says, COMPRESSED when it holds packets, or DONE."""
    sequence, machine, time_ns, clock, flags = wide(0), wide(0), wide(-1), wide(-1), wide(0)
    bundle_at, bundle_end, found, outcome = wide(-1), wide(-1), wide(0), DONE
    while at < end:
        number, wire_type, value, start, at = field(data, at, end)
        if at < 0:
            return DAMAGED
        if wire_type == _VARINT:
            if number == n.TIMESTAMP:
                time_ns = value
            elif number == n.SEQUENCE:
                sequence = value
            elif number == n.CLOCK:
                clock = value
            elif number == n.MACHINE:
                machine = value
            elif number == n.DROPPED and value != 0:
                flags = wide(DROPPED)
        elif wire_type == _LENGTH and number == n.FTRACE_EVENTS:
            bundle_at, bundle_end = start, at
        elif wire_type == _LENGTH and found < ROOM and _of_interest(number):
            other = others[state[N_OTHERS] + found]
            other["at"], other["end"], other["field"] = start, at, number
            found += 1
            if number in (n.COMPRESSED, n.ZSTD_COMPRESSED):
                outcome = COMPRESSED
    for place in range(found):
        other = others[state[N_OTHERS] + place]
        other["sequence"], other["machine"], other["time_ns"], other["clock"] = sequence, machine, time_ns, clock
    state[N_OTHERS] += found
    if bundle_at >= 0:
        bundle = bundles[state[N_BUNDLES]]
        state[N_BUNDLES] += 1
        _bundle(data, bundle_at, bundle_end, block, kinds, bundle)
        bundle["sequence"], bundle["machine"] = sequence, machine
        bundle["flags"] |= flags
    return outcome


@kernel
def survey(
    data: Bytes, end: int, pause: int, block: int, kinds: npt.NDArray[np.int8], bundles: Records, others: Records,
    state: Rows,
) -> Number:  # fmt: skip
    """Packets from state[AT] on, as rows of BUNDLE and OTHER. Returns why it stopped: DONE at `pause` or `end`.

    COMPRESSED: the last row of OTHER holds packets. DAMAGED: what is at state[AT] is no packet; it may go on at
    state[DAMAGE_END], if that is not -1. FULL: a packet might not fit.
    """
    while state[AT] < min(pause, end):
        at = state[AT]
        if state[N_BUNDLES] >= len(bundles) or state[N_OTHERS] + ROOM > len(others):
            return FULL
        state[DAMAGE_END] = -1
        if data[at] != _TAG:
            return DAMAGED
        size, start = varint(data, at + 1, end)
        if start < 0 or size < 0 or size > end - start:
            return DAMAGED
        outcome = _packet(data, start, start + size, block, kinds, bundles, others, state)
        if outcome == DAMAGED:
            if start + size == end or data[start + size] == _TAG:
                state[DAMAGE_END] = start + size
            return DAMAGED
        state[AT] = start + size
        state[N_PACKETS] += 1
        if outcome == COMPRESSED:
            return COMPRESSED
    return DONE


_CHAIN = 4  # packets in a row that make bytes after damage believable
_LAST_FIELD = wide(200)


@lean
def _sound(data: Bytes, at: int, end: int) -> tuple[Number, Number]:
    """(whether it is fields of a TracePacket, how many were looked at)."""
    count = wide(0)
    while at < end:
        number, wire_type, _, _, at = field(data, at, end)
        count += 1
        if at < 0 or number > _LAST_FIELD or wire_type not in (_VARINT, _LENGTH):
            return wide(0), count
    return min(count, wide(1)), count


@kernel
def next_packet(data: Bytes, at: int, end: int, budget: int) -> Number:
    """Where packets begin again at or after `at`: several in a row, or up to the end. -1: nowhere, or not found.

    `budget` bounds the fields looked at, as bytes can be made that look like packets everywhere.
    """
    while at < end and budget > 0:
        place, links = wide(at), wide(0)
        while place < end and links < _CHAIN and data[place] == _TAG:
            size, start = varint(data, place + 1, end)
            if start < 0 or size < 1 or size > end - start:
                break
            sound, looked_at = _sound(data, start, start + size)
            budget -= looked_at
            if sound == 0:
                break
            links += 1
            place = start + size
        if links == _CHAIN or (links > 0 and place == end):
            return at
        at += 1
    return -1
