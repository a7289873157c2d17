"""The beginning of a perf.data file: what was recorded, and where its parts are.

Layout: tools/perf/Documentation/perf.data-file-format.txt, `struct perf_file_header` in tools/perf/util/header.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tracekit.errors import SourceError
from tracekit.sources.perf_data import features
from tracekit.sources.perf_data.layout import USE_CLOCKID, Attr

MAGIC, SWAPPED_MAGIC = b"PERFILE2", b"2ELIFREP"
OLD_MAGICS = (b"PERFFILE", b"ELIFFREP")
PIPE_HEADER_SIZE = 16
FILE_HEADER_SIZE = 104
_ATTR_LEAST = 64  # PERF_ATTR_SIZE_VER0
_ATTR_MOST = 4096  # the kernel refuses a perf_event_attr larger than a page (perf_copy_attr)
_ID_MOST = 1 << 20  # ids of all events: events × CPUs
_FEATURES_MOST = 256  # bits in the header's feature bitmap

Section = tuple[int, int]  # offset, size


@dataclass
class Header:
    """Byte order, events, where the records are, and the places of the feature sections by bit number."""

    big: bool
    pipe: bool
    attrs: list[Attr]
    data: Section
    features: list[int] = field(default_factory=list)
    unfinished: bool = False

    @property
    def order(self) -> str:
        """The byte order for `struct`."""
        return ">" if self.big else "<"


def read_header(data: memoryview, where: str) -> Header:
    """The header of a file or of a pipe's output (whose events come as records). Raises SourceError."""
    magic = bytes(data[:8])
    big = magic == SWAPPED_MAGIC
    if magic in OLD_MAGICS:
        raise SourceError(
            "a perf.data of the first format (PERFFILE), which names its events in another way",
            where=where,
            remedy="record it again with a perf of this decade",
        )
    if len(data) < PIPE_HEADER_SIZE:
        raise _cut(where, len(data))
    order = ">" if big else "<"
    (size,) = struct.unpack_from(order + "Q", data, 8)
    if size == PIPE_HEADER_SIZE:
        return Header(big, True, [], (PIPE_HEADER_SIZE, len(data) - PIPE_HEADER_SIZE))
    if len(data) < FILE_HEADER_SIZE:
        raise _cut(where, len(data))
    if size < FILE_HEADER_SIZE:
        raise SourceError(f"its header has the impossible size {size}", where=f"{where} at byte 8", remedy=_AGAIN)
    attr_size, attrs_at, attrs_size, data_at, data_size = struct.unpack_from(order + "5Q", data, 16)
    bitmap = struct.unpack_from(order + "4Q", data, 72)
    bits = [bit for bit in range(_FEATURES_MOST) if bitmap[bit // 64] >> (bit % 64) & 1]
    if data_at < FILE_HEADER_SIZE or data_at >= len(data):
        raise _cut(where, len(data))
    if features.DIR_FORMAT in bits:
        raise SourceError(
            "the records of this perf.data are in several files beside it (perf record --threads)",
            where=where,
            remedy="record it without --threads",
        )
    attrs = _attrs(data, order, (attrs_at, attrs_size), attr_size, where)
    unfinished = data_size == 0
    return Header(big, False, attrs, (data_at, data_size or len(data) - data_at), bits, unfinished)


_AGAIN = "record it again"


def _cut(where: str, size: int) -> SourceError:
    return SourceError(
        f"the file ends at byte {size}, before its first record", where=where, remedy="copy it again, or record again"
    )


def _attrs(data: memoryview, order: str, section: Section, attr_size: int, where: str) -> list[Attr]:
    at, size = section
    if at + size > len(data):
        raise _cut(where, len(data))
    if not _ATTR_LEAST + 16 <= attr_size <= _ATTR_MOST or size < attr_size:
        raise SourceError("its list of recorded events is damaged", where=f"{where} at byte {at}", remedy=_AGAIN)
    attrs = []
    for start in range(at, at + size - attr_size + 1, attr_size):
        attr = parse_attr(data, order, start)
        ids_at, ids_size = struct.unpack_from(order + "2Q", data, start + attr_size - 16)
        if ids_at + ids_size > len(data) or ids_size > 8 * _ID_MOST:
            raise SourceError("its list of event ids is damaged", where=f"{where} at byte {start}", remedy=_AGAIN)
        attr.ids = list(struct.unpack_from(f"{order}{ids_size // 8}Q", data, ids_at))
        attrs.append(attr)
    return attrs


def parse_attr(data: memoryview, order: str, at: int) -> Attr:
    """The perf_event_attr at `at`, of which at least PERF_ATTR_SIZE_VER0 bytes are there."""
    kind, size, config, _, sample_type, read_format, flags = struct.unpack_from(order + "2I5Q", data, at)
    if order == ">":  # bit fields are laid out from the other end
        flags = int(f"{flags:064b}"[::-1], 2)
    has_clock = size >= 96 and len(data) >= at + 96
    clockid = struct.unpack_from(order + "i", data, at + 92)[0] if has_clock else 0
    return Attr(kind, config, sample_type, read_format, flags, clockid)


def pipe_attr(data: memoryview, order: str, at: int, size: int) -> Attr | None:
    """A HEADER_ATTR record of a pipe: an attr, then its ids to the record's end. None when it is too short."""
    if size < 8 + _ATTR_LEAST:
        return None
    attr = parse_attr(data, order, at + 8)
    (attr_size,) = struct.unpack_from(order + "I", data, at + 12)
    if not _ATTR_LEAST <= attr_size <= size - 8:
        return None
    count = (size - 8 - attr_size) // 8
    attr.ids = list(struct.unpack_from(f"{order}{count}Q", data, at + 8 + attr_size))
    return attr


# clockid_t, include/uapi/linux/time.h
_CLOCKS = {0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC", 4: "CLOCK_MONOTONIC_RAW", 7: "CLOCK_BOOTTIME", 11: "CLOCK_TAI"}
PERF_CLOCK = "perf"  # sched_clock, when no other was asked for


def clock_name(attr: Attr) -> str:
    """The clock of an event's times."""
    if not attr.flags & USE_CLOCKID:
        return PERF_CLOCK
    return _CLOCKS.get(attr.clockid, f"clock {attr.clockid}")
