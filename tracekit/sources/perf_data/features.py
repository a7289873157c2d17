"""Feature sections: what perf noted about the machine, and the formats of the recorded events.

Numbers and contents: HEADER_* in tools/perf/util/header.h and perf.data-file-format.txt. A section that does
not make sense is passed over: it never stops the reading of the records.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tracekit.sources.kernel.formats import EventFormat, parse_format

TRACING_DATA, HOSTNAME, OSRELEASE, VERSION, ARCH, NRCPUS, DIR_FORMAT, CLOCK_DATA = 1, 3, 4, 5, 6, 7, 24, 29
_TEXT_MOST = 1 << 16
_TRACING_MAGIC = b"\x17\x08\x44tracing"


@dataclass
class Notes:
    """What the feature sections say; None where they do not."""

    formats: dict[int, EventFormat]
    host: str | None = None
    kernel: str | None = None
    version: str | None = None
    machine: str | None = None  # as uname -m names it
    cpus: int | None = None
    wall_offset_ns: int | None = None  # add it to the recording's clock for UNIX time


def sections(data: memoryview, order: str, at: int, bits: list[int]) -> Iterator[tuple[int, int, int]]:
    """(bit, offset, size) of each feature section listed at `at`, as far as the file holds them whole."""
    for place, bit in enumerate(bits):
        entry = at + 16 * place
        if entry + 16 > len(data):
            return
        offset, size = struct.unpack_from(order + "2Q", data, entry)
        if offset + size <= len(data):
            yield bit, offset, size


def note(notes: Notes, bit: int, data: memoryview, order: str) -> None:
    """Take in one feature section."""
    read = _READERS.get(bit)
    if read is None:
        return
    try:
        read(notes, data, order)
    except (struct.error, IndexError, ValueError):
        return


def _text(data: memoryview, order: str) -> str:
    """A string with its padded length before it."""
    (size,) = struct.unpack_from(order + "I", data)
    if size > _TEXT_MOST:
        raise ValueError("a text of impossible size")
    return bytes(data[4 : 4 + size]).split(b"\0", 1)[0].decode("utf-8", "replace")


def _host(notes: Notes, data: memoryview, order: str) -> None:
    notes.host = _text(data, order)


def _kernel(notes: Notes, data: memoryview, order: str) -> None:
    notes.kernel = _text(data, order)


def _version(notes: Notes, data: memoryview, order: str) -> None:
    notes.version = _text(data, order)


def _machine(notes: Notes, data: memoryview, order: str) -> None:
    notes.machine = _text(data, order)


def _cpus(notes: Notes, data: memoryview, order: str) -> None:
    notes.cpus = struct.unpack_from(order + "I", data)[0]


def _clock(notes: Notes, data: memoryview, order: str) -> None:
    _version, _clockid, wall_ns, clock_ns = struct.unpack_from(order + "2I2Q", data)
    notes.wall_offset_ns = wall_ns - clock_ns


def _tracing(notes: Notes, data: memoryview, order: str) -> None:
    for text in tracing_formats(data):
        event = parse_format(text)
        if event:
            notes.formats[event.id] = event


_READERS: dict[int, Callable[[Notes, memoryview, str], None]] = {
    TRACING_DATA: _tracing,
    HOSTNAME: _host,
    OSRELEASE: _kernel,
    VERSION: _version,
    ARCH: _machine,
    NRCPUS: _cpus,
    CLOCK_DATA: _clock,
}


def tracing_formats(data: memoryview) -> Iterator[str]:
    """The format texts in tracing data (trace-cmd's layout; tools/perf/util/trace-event-info.c writes it)."""
    if bytes(data[: len(_TRACING_MAGIC)]) != _TRACING_MAGIC:
        return
    cursor = _Cursor(data, len(_TRACING_MAGIC))
    cursor.string()  # the layout's version
    cursor.order = ">" if cursor.take(1) == b"\1" else "<"
    cursor.take(1 + 4)  # sizes of a long and of a page
    for _ in ("header_page", "header_event"):
        cursor.string()
        cursor.take(cursor.number("Q"))
    for _ in range(cursor.number("I")):  # ftrace's own events
        cursor.take(cursor.number("Q"))
    for _ in range(cursor.number("I")):
        cursor.string()  # the system's name
        for _ in range(cursor.number("I")):
            yield cursor.take(cursor.number("Q")).decode("utf-8", "replace")


class _Cursor:
    """Reads on; raises ValueError at the end."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data, self.at, self.order = data, at, "<"

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise ValueError("the tracing data ends too early")
        taken, self.at = bytes(self.data[self.at : end]), end
        return taken

    def number(self, code: str) -> int:
        value: int = struct.unpack(self.order + code, self.take(struct.calcsize("<" + code)))[0]
        return value

    def string(self) -> str:
        window = bytes(self.data[self.at : self.at + _TEXT_MOST])
        size = window.index(b"\0")  # ValueError where there is none
        self.at += size + 1
        return window[:size].decode("utf-8", "replace")
