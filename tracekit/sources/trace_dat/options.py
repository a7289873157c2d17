"""Options: what trace-cmd noted about the recording. Numbers and contents: trace-cmd.dat.v7(5).

An option that does not make sense is passed over: it never stops the reading of the events.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from tracekit.errors import SourceError
from tracekit.sources.kernel.events import CPU_MAX
from tracekit.sources.trace_dat.cursor import Cursor, text

DONE, DATE, CPUSTAT, BUFFER, TRACECLOCK, UNAME, OFFSET, CPUCOUNT, VERSION, TIME_SHIFT, TSC2NSEC = (
    0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 14,
)  # fmt: skip
HEADER_INFO, EVENT_FORMATS, CMDLINES = 16, 18, 21
_NS_PER_US = 1000
_INTERPOLATE = 1  # TRACECMD_TSYNC_FLAG_INTERPOLATE
_NUMBER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]{1,16}|\d{1,19})")
_STAT = re.compile(r"^(overrun|commit overrun|dropped events): (\d{1,19})", re.M)
_STAT_CPU = re.compile(r"^CPU: (\d+)", re.M)
_CLOCKS_MOST = 1 << 10  # letters of the list of a kernel's clocks
_LOST_MOST = 1 << 48  # more is no count, and sums of it must fit 64 bits


@dataclass
class Buffer:
    """One ring buffer: the top one has no name. `cpus`: (cpu, offset, size) of each CPU's data in the file."""

    offset: int
    name: str
    clock: str | None = None
    page_size: int = 0
    cpus: list[tuple[int, int, int]] = field(default_factory=list)
    packed: bool = False


@dataclass(frozen=True)
class ShiftSample:
    """From `time` on: multiply by scaling, shift right by fraction, and add offset."""

    time: int
    offset: int
    scaling: int
    fraction: int


@dataclass
class Options:
    """What the options say; None where they do not."""

    clock: str | None = None
    date_ns: int | None = None  # add it for UNIX time
    offset_ns: int = 0
    tsc: tuple[int, int] | None = None  # multiplier, shift
    shifts: list[list[ShiftSample]] = field(default_factory=list)  # by CPU
    interpolated: bool = False
    host: str | None = None
    kernel: str | None = None
    machine: str | None = None
    recorder: str | None = None
    cpus: int | None = None
    lost: dict[int, int] = field(default_factory=dict)  # by CPU, as the kernel counted
    buffers: list[Buffer] = field(default_factory=list)
    sections: dict[int, int] = field(default_factory=dict)  # offset by id
    clock_follows: bool = False  # version 6: the clock's name is behind the list of CPU data


def take_in(options: Options, number: int, data: memoryview, order: str) -> None:
    """Take in one option of version 6 or 7."""
    cursor = Cursor(data, "option", order)
    try:
        if number in (HEADER_INFO, EVENT_FORMATS, CMDLINES):
            options.sections[number] = cursor.number("Q")
        elif number in _READERS:
            _READERS[number](options, cursor)
    except SourceError:
        return


def _integer(data: memoryview) -> int:
    found = _NUMBER.match(text(data))
    value = int(found[2], 16 if found[2][:2] in ("0x", "0X") else 10) if found else 0
    return -value if found and found[1] == "-" else value


def _date(options: Options, cursor: Cursor) -> None:
    options.date_ns = (options.date_ns or 0) + _integer(cursor.data) * _NS_PER_US


def _offset(options: Options, cursor: Cursor) -> None:
    options.offset_ns += _integer(cursor.data)


def _stat(options: Options, cursor: Cursor) -> None:
    stats = text(cursor.data)
    cpu = _STAT_CPU.search(stats)
    if cpu and len(cpu[1]) < len(str(_LOST_MOST)):
        lost = sum(min(int(count), _LOST_MOST) for _, count in _STAT.findall(stats))
        options.lost[int(cpu[1])] = options.lost.get(int(cpu[1]), 0) + lost


def _clock(options: Options, cursor: Cursor) -> None:
    options.clock_follows = not cursor.left
    options.clock = clock_in(text(cursor.data)) or options.clock


def clock_in(listed: str) -> str | None:
    """The clock in brackets in a text like `[local] global counter`."""
    found = re.search(r"\[([^\]]+)\]", listed[:_CLOCKS_MOST])
    return found[1] if found else None


def _buffer(options: Options, cursor: Cursor) -> None:
    """Version 7 lists the CPUs' data here; version 6 gives offset and name only."""
    buffer = Buffer(cursor.number("Q"), cursor.string() if b"\0" in bytes(cursor.data[8:]) else text(cursor.data[8:]))
    options.buffers.append(buffer)
    if cursor.left < 1:
        return
    buffer.clock = cursor.string()
    buffer.page_size = cursor.number("I")
    for _ in range(min(cursor.number("I"), CPU_MAX)):
        buffer.cpus.append((cursor.number("I"), cursor.number("Q"), cursor.number("Q")))


def _uname(options: Options, cursor: Cursor) -> None:
    """`Linux HOST RELEASE MACHINE`, as trace-cmd writes it."""
    said = text(cursor.data).split()
    if len(said) == 4:
        _, options.host, options.kernel, options.machine = said


def _version(options: Options, cursor: Cursor) -> None:
    options.recorder = text(cursor.data)


def _cpus(options: Options, cursor: Cursor) -> None:
    count = cursor.number("I")
    options.cpus = count if 0 < count <= CPU_MAX else None


def _tsc(options: Options, cursor: Cursor) -> None:
    """The option's own offset is for the peers of a host; trace-cmd adds it to no event's time."""
    multiplier, shift = cursor.number("I"), cursor.number("I")
    if multiplier and shift < 64:
        options.tsc = multiplier, shift


def _shift(options: Options, cursor: Cursor) -> None:
    cursor.number("Q")  # the peer's trace id
    interpolated = bool(cursor.number("I") & _INTERPOLATE)
    count = cursor.number("I")
    cpus = [_samples(cursor) for _ in range(count)] if count <= CPU_MAX else []
    if cursor.left:  # newer versions have the fractions of all CPUs behind
        cpus = [[(*sample[:3], min(cursor.number("Q"), 63)) for sample in samples] for samples in cpus]
    options.shifts = [
        [ShiftSample(*sample) for sample in sorted({sample[0]: sample for sample in samples}.values())]
        for samples in cpus
    ]
    options.interpolated = interpolated


def _samples(cursor: Cursor) -> list[tuple[int, int, int, int]]:
    count = cursor.number("I")
    columns = [struct.unpack(f"{cursor.order}{count}{code}", cursor.take(8 * count)) for code in "qqQ"]
    return [(time, offset, scaling, 0) for time, offset, scaling in zip(*columns, strict=True)]


_READERS: dict[int, Callable[[Options, Cursor], None]] = {
    DATE: _date,
    CPUSTAT: _stat,
    BUFFER: _buffer,
    TRACECLOCK: _clock,
    UNAME: _uname,
    OFFSET: _offset,
    CPUCOUNT: _cpus,
    VERSION: _version,
    TIME_SHIFT: _shift,
    TSC2NSEC: _tsc,
}
