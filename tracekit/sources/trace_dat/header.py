"""The beginning of a trace.dat, and the sections that are like it: what was recorded, and where the pages are.

Layout: trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5), which trace-cmd installs.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field

from tracekit.errors import SourceError
from tracekit.sources.kernel.events import CPU_MAX, Rows
from tracekit.sources.kernel.formats import EventFormat, parse_format
from tracekit.sources.kernel.tracepoints import TRACEPOINTS
from tracekit.sources.trace_dat import options as o
from tracekit.sources.trace_dat.compression import CODECS, unpack_section
from tracekit.sources.trace_dat.cursor import AGAIN, Cursor, text
from tracekit.sources.trace_dat.layout import PAGE_SIZE, TYPE_AT, is_page_size, page_layout, type_at

_MAGIC_SIZE = 10
_OPTION_SECTIONS_MOST = 1 << 12
_SECTION_PACKED = 1
_NAME_MOST = 64  # letters of a name in an error
_FORMAT_MOST = 1 << 14  # letters of a scheduling event's format; the longest has 1,500
_NAME = re.compile(rb"\s*name: (\w+)")
_PADDING_IS_ZERO = re.compile(r"padding\s*: type == 0\b")  # the ring buffer of Linux 2.6.30 and before
_COMMAND = re.compile(r"^[ \t]*(\d{1,9}) (.+)$", re.M)


@dataclass
class Header:
    """What the file says of itself. `layout`: of its pages (see layout.py)."""

    version: int
    big: bool
    layout: Rows
    page_size: int
    codec: str = "none"
    formats: dict[int, EventFormat] = field(default_factory=dict)  # of TRACEPOINTS, by number
    commands: dict[int, str] = field(default_factory=dict)  # saved command lines: the last name of a tid
    options: o.Options = field(default_factory=o.Options)
    unread: list[str] = field(default_factory=list)  # buffers whose list of CPUs is not there


def read_header(data: memoryview, where: str) -> Header:
    """The header of a file. Raises SourceError."""
    cursor = Cursor(data, where, at=_MAGIC_SIZE)
    version = cursor.string()
    if version not in ("6", "7"):
        raise SourceError(
            f"its file version is {version[:_NAME_MOST]!r}",
            where=where,
            remedy="trace-cmd convert makes a version 6 or 7 of it",
        )
    big, long_size = cursor.number("B") == 1, cursor.number("B")
    cursor.order = ">" if big else "<"
    page_size = cursor.number("I")
    header = Header(int(version), big, page_layout("", 4 if long_size == 4 else 8), page_size)
    if version == "6":
        _version_6(header, cursor, long_size)
    else:
        _version_7(header, cursor, long_size)
    header.layout[TYPE_AT] = type_at(header.formats)
    if not is_page_size(header.page_size):
        raise SourceError(f"a page of {page_size} bytes can't be", where=where, remedy=AGAIN)
    return header


def _header_info(header: Header, cursor: Cursor, long_size: int) -> None:
    for name in ("header_page", "header_event"):
        if cursor.string() != name:
            raise cursor.error(f"here should be {name}")
        said = text(cursor.sized("Q")[:_FORMAT_MOST])
        if name == "header_page":
            header.layout = page_layout(said, 4 if long_size == 4 else 8)
        elif _PADDING_IS_ZERO.search(said):
            raise SourceError("its ring buffer is that of Linux 2.6.30 and before", where=cursor.where)
    if header.layout[PAGE_SIZE] > header.page_size:  # sub-buffers of several pages
        header.page_size = int(header.layout[PAGE_SIZE])


def _event_formats(header: Header, cursor: Cursor) -> None:
    for _ in range(cursor.number("I")):
        cursor.string()  # the system's name
        for _ in range(cursor.number("I")):
            described = cursor.sized("Q")
            name = _NAME.match(described)
            if name and name[1].decode() in TRACEPOINTS:
                with suppress(ValueError):  # digits that are no number
                    event = parse_format(text(described[:_FORMAT_MOST]))
                    # damage may part the name that was looked for from the one that was parsed
                    header.formats |= {event.id: event} if event and event.name in TRACEPOINTS else {}


def _commands(header: Header, cursor: Cursor) -> None:
    for tid, name in _COMMAND.findall(text(cursor.sized("Q"))):
        if name != "<...>":
            header.commands[int(tid)] = name


def _version_6(header: Header, cursor: Cursor, long_size: int) -> None:
    _header_info(header, cursor, long_size)
    for _ in range(cursor.number("I")):  # ftrace's own events
        cursor.sized("Q")
    _event_formats(header, cursor)
    cursor.sized("I")  # kallsyms
    cursor.sized("I")  # formats of trace_printk
    _commands(header, cursor)
    cpus = cursor.number("I")
    top = o.Buffer(cursor.at, "")
    instances = header.options.buffers
    _records_6(header, cursor, cpus, top)
    if header.options.clock_follows and cursor.left >= 8:
        header.options.clock = o.clock_in(text(cursor.sized("Q"))) or header.options.clock
    for instance in list(instances):
        cursor.at = min(instance.offset, len(cursor.data))
        try:
            _records_6(header, cursor, header.options.cpus or cpus, instance)
        except SourceError:  # the top buffer may do
            header.unread.append(f"the buffer {instance.name[:_NAME_MOST]!r}")
    header.options.buffers = [top, *instances]
    for buffer in header.options.buffers:
        buffer.clock = header.options.clock


def _records_6(header: Header, cursor: Cursor, cpus: int, buffer: o.Buffer) -> None:
    """Options, then where each CPU's pages are."""
    kind = text(cursor.take(10))
    if kind.startswith("options"):
        while number := cursor.number("H"):
            o.take_in(header.options, number, cursor.sized("I"), cursor.order)
        kind = text(cursor.take(10))
    if kind.startswith("latency"):
        raise SourceError(
            "it holds a latency tracer's text", where=cursor.where, remedy="give the output of: trace-cmd report"
        )
    if not kind.startswith("flyrecord"):
        raise cursor.error("here should be flyrecord")
    cpus = header.options.cpus or cpus
    if cpus > CPU_MAX:
        raise cursor.error(f"it claims {cpus} CPUs")
    buffer.cpus = [(cpu, cursor.number("Q"), cursor.number("Q")) for cpu in range(cpus)]
    buffer.page_size = header.page_size


def _version_7(header: Header, cursor: Cursor, long_size: int) -> None:
    header.codec = cursor.string()
    cursor.string()  # the version of the library that packed it
    if header.codec not in CODECS:
        raise SourceError(
            f"it is packed with {header.codec[:_NAME_MOST]!r}",
            where=cursor.where,
            remedy="trace-cmd convert --compression none",
        )
    _options_7(header, cursor, cursor.number("Q"))
    sections = header.options.sections
    for number in (o.HEADER_INFO, o.EVENT_FORMATS, o.CMDLINES):
        if number not in sections:
            continue
        section = _section(header, cursor, sections[number], number)
        if number == o.HEADER_INFO:
            _header_info(header, section, long_size)
        elif number == o.EVENT_FORMATS:
            _event_formats(header, section)
        else:
            with suppress(SourceError):  # only names
                _commands(header, section)
    for buffer in header.options.buffers:
        _buffer_7(header, cursor, buffer)


def _options_7(header: Header, cursor: Cursor, offset: int) -> None:
    """Sections of options, each with the offset of the next at its end."""
    seen: set[int] = set()
    while offset and len(seen) < _OPTION_SECTIONS_MOST and offset not in seen:
        seen.add(offset)
        try:
            section = _section(header, cursor, offset, o.DONE)
        except SourceError:
            if len(seen) == 1:
                raise
            break  # the file is cut; what came before may do
        offset = 0
        while section.left >= 6:
            number, said = section.number("H"), section.sized("I")
            if number == o.DONE:
                offset = Cursor(said, cursor.where, cursor.order).number("Q")
                break
            o.take_in(header.options, number, said, cursor.order)
    if not header.options.buffers:
        raise SourceError(
            "the list of its buffers is missing: trace-cmd writes it at the end of the file",
            where=cursor.where,
            remedy=AGAIN,
        )


def _section(header: Header, cursor: Cursor, offset: int, number: int) -> Cursor:
    """The content, unpacked, of the section with this number at `offset`. Raises SourceError."""
    cursor.at = min(offset, len(cursor.data))
    found, flags = cursor.number("H"), cursor.number("H")
    cursor.number("I")  # its description
    size = cursor.number("Q")
    if found != number:
        raise cursor.error(f"here should be section {number}, but there is {found}")
    section = Cursor(cursor.data[: cursor.at + min(size, cursor.left)], cursor.where, cursor.order, cursor.at)
    return unpack_section(section, header.codec) if flags & _SECTION_PACKED else section


def _buffer_7(header: Header, cursor: Cursor, buffer: o.Buffer) -> None:
    cursor.at = min(buffer.offset, len(cursor.data))
    if cursor.left >= 4:
        cursor.number("H")
        buffer.packed = bool(cursor.number("H") & _SECTION_PACKED) and header.codec != "none"
    if not is_page_size(buffer.page_size):
        buffer.page_size = header.page_size
