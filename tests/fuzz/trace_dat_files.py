"""Small trace.dat files, written from scheduling events: for tests that need no recording, and for damage."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tests.unit.kernel_text import events_of
from tracekit.sources.kernel.events import EVENT_KINDS, IN_INTERRUPT, PREV_STATES, Records, Row

# (declaration, struct code) of each field behind the common ones, as the kernel's format texts have them
_COMM = "16s"
_WAKE = (("char comm[16]", _COMM), ("pid_t pid", "i"), ("int prio", "i"), ("int target_cpu", "i"))
_EVENTS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "switch": ("sched_switch", (
        ("char prev_comm[16]", _COMM), ("pid_t prev_pid", "i"), ("int prev_prio", "i"), ("long prev_state", "l"),
        ("char next_comm[16]", _COMM), ("pid_t next_pid", "i"), ("int next_prio", "i"))),
    "waking": ("sched_waking", _WAKE),
    "wakeup": ("sched_wakeup", _WAKE),
    "wakeup_new": ("sched_wakeup_new", _WAKE),
    "migrate": ("sched_migrate_task", (
        ("char comm[16]", _COMM), ("pid_t pid", "i"), ("int prio", "i"), ("int orig_cpu", "i"), ("int dest_cpu", "i"))),
    "stat_runtime": ("sched_stat_runtime", (("char comm[16]", _COMM), ("pid_t pid", "i"), ("u64 runtime", "Q"))),
    "fork": ("sched_process_fork", (
        ("__data_loc char[] parent_comm", "loc"), ("pid_t parent_pid", "i"),
        ("__data_loc char[] child_comm", "loc"), ("pid_t child_pid", "i"))),
    "sys_enter": ("sys_enter", (("long id", "l"), ("unsigned long args[6]", "48s"))),
}  # fmt: skip
_KINDS = list(_EVENTS)
_STATES = {"R": 0, "R+": 0x100, "S": 1, "D": 2, "T": 4, "t": 8, "X": 0x10, "Z": 0x20, "P": 0x40, "I": 0x80}
_FLAGS = ", ".join(f'{{ {value:#x}, "{name}" }}' for name, value in _STATES.items() if len(name) == 1 and value)
_FIRST_TYPE = 300
MAGIC = b"\x17\x08\x44tracing"
LOST, COUNTED = 1 << 31, 1 << 30
DONE, BUFFER, TRACECLOCK, CPUCOUNT, STRINGS = 0, 3, 4, 8, 15


@dataclass(frozen=True)
class Shape:
    """How a file is laid out. `common_size`: of the fields that every event begins with. `chunk`: pages in one."""

    version: int = 7
    big: bool = False
    long_size: int = 8
    page_size: int = 512
    codec: str = "none"
    chunk: int = 2
    common_size: int = 8
    clock: str = "mono"
    options: tuple[tuple[int, bytes], ...] = ()
    cpus: int = 2


@dataclass
class Ring:
    """A ring buffer: its name, its clock, and each CPU's pages."""

    name: str = ""
    clock: str = "mono"
    pages: list[bytes] = field(default_factory=list)  # by CPU


def trace_dat(text: str, shape: Shape | None = None) -> bytes:
    """A trace.dat of the events in `text` (see tests.unit.kernel_text), in one buffer."""
    shape = shape or Shape()
    writer = Writer(shape)
    return writer.file([Ring("", shape.clock, writer.rings(text))])


class Writer:
    """Writes parts of a file of one shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.order = shape, ">" if shape.big else "<"

    def pack(self, codes: str, *values: object) -> bytes:
        return struct.pack(self.order + codes.replace("l", "q" if self.shape.long_size == 8 else "i"), *values)

    # Pages.

    def record(self, kind: int, delta: int, rest: bytes = b"") -> bytes:
        """A header word of type_len and time_delta, and what follows it."""
        return self.pack("I", kind << 27 | delta if self.shape.big else delta << 5 | kind) + rest

    def data(self, delta: int, payload: bytes) -> bytes:
        """An event's record, behind a time extend where the delta needs one."""
        before = b""
        if delta >= 1 << 27:
            before, delta = self.record(30, delta & (1 << 27) - 1, self.pack("I", delta >> 27)), 0
        padded = payload.ljust(-(-len(payload) // 4) * 4, b"\0")
        if len(padded) <= 28 * 4:
            return before + self.record(len(padded) // 4, delta, padded)
        return before + self.record(0, delta, self.pack("I", len(payload) + 4) + padded)

    def page(self, begin: int, records: bytes, lost: int | None = 0) -> bytes:
        """A page; `lost` events before it, None: some."""
        flags = 0 if lost == 0 else LOST if lost is None else LOST | COUNTED
        commit = len(records) | flags
        count = self.pack("l", lost) if lost else b""
        head = self.pack("Q", begin) + self.pack("Q" if self.shape.long_size == 8 else "I", commit)
        return (head + records + count).ljust(self.shape.page_size, b"\0")

    def rings(self, text: str) -> list[bytes]:
        """Each CPU's pages with the events of `text`."""
        events, names = events_of(text)
        return [self.ring(events[events["cpu"] == cpu], names) for cpu in range(self.shape.cpus)]

    def ring(self, events: Records, names: dict[int, str]) -> bytes:
        pages, records, begin, last = b"", b"", 0, 0
        for event in events:
            time = int(event["time_ns"])
            payload = self.payload(event, names)
            if records and len(records) + len(payload) + 16 > self.shape.page_size - 8 - self.shape.long_size:
                pages, records = pages + self.page(begin, records), b""
            if not records:
                begin = last = time
            records += self.data(time - last, payload)
            last = time
        return pages + self.page(begin, records) if records else pages

    # Events.

    def layout(self, kind: str) -> list[tuple[str, str, int, int]]:
        """(declaration, code, offset, size) of each field: aligned, as a C struct is."""
        at, fields = self.shape.common_size, []
        for declaration, code in _EVENTS[kind][1]:
            size = len(self.pack("I" if code == "loc" else code, *([b""] if code.endswith("s") else [0])))
            align = 1 if code.endswith("s") else min(size, self.shape.long_size)
            at = -(-at // align) * align
            fields.append((declaration, code, at, size))
            at += size
        return fields

    def format_text(self, kind: str) -> bytes:
        common = [
            ("unsigned short common_type", "H", 0, 2), ("unsigned char common_flags", "B", 2, 1),
            ("unsigned char common_preempt_count", "B", 3, 1), ("int common_pid", "i", 4, 4),
        ]  # fmt: skip
        lines = [
            f"\tfield:{declaration};\toffset:{at};\tsize:{size};\tsigned:{int(code in 'il')};"
            for declaration, code, at, size in common + self.layout(kind)
        ]
        printed = (
            f'"%s", __print_flags(REC->prev_state, "|", {_FLAGS})' if kind == "switch" else '"%d", REC->common_pid'
        )
        number = _FIRST_TYPE + _KINDS.index(kind)
        body = "\n".join([*lines[:4], "", *lines[4:]])
        return f"name: {_EVENTS[kind][0]}\nID: {number}\nformat:\n{body}\n\nprint fmt: {printed}\n".encode()

    def payload(self, event: Row, names: dict[int, str]) -> bytes:
        kind = EVENT_KINDS.names[event["kind"]]
        tid, target = int(event["tid"]), int(event["target_tid"])
        values: dict[str, object] = {
            "prev_pid": tid, "next_pid": target, "pid": target, "parent_pid": tid, "child_pid": target,
            "prev_state": _STATES.get(list(PREV_STATES)[event["prev_state"]], 0), "runtime": max(int(event["value"]), 0),
            "target_cpu": int(event["target_cpu"]), "dest_cpu": int(event["target_cpu"]), "id": int(event["value"]),
            "prev_comm": names.get(tid, ""), "comm": names.get(target, ""), "parent_comm": names.get(tid, ""),
            "next_comm": names.get(target, ""), "child_comm": names.get(target, ""),
        }  # fmt: skip
        flags = 8 if event["flags"] & IN_INTERRUPT else 0
        raw = self.pack("HBBi", _FIRST_TYPE + _KINDS.index(kind), flags, 0, tid)
        fields, tail = self.layout(kind), b""
        end = fields[-1][2] + fields[-1][3]
        for declaration, code, at, _ in fields:
            value = values.get(declaration.split()[-1].split("[")[0], "" if code.endswith("s") else 0)
            if code == "loc":
                name = str(value).encode() + b"\0"
                code, value, tail = "I", len(name) << 16 | end + len(tail), tail + name
            raw = raw.ljust(at, b"\0") + self.pack(code, value.encode() if isinstance(value, str) else value)
        return raw + tail

    # The parts of a header.

    def header_info(self) -> bytes:
        long, size = self.shape.long_size, self.shape.page_size - 8 - self.shape.long_size
        page = (
            "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
            f"\tfield: local_t commit;\toffset:8;\tsize:{long};\tsigned:1;\n"
            "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
            f"\tfield: char data;\toffset:{8 + long};\tsize:{size};\tsigned:1;\n"
        ).encode()
        event = b"# compressed entry header\n\tpadding     : type == 29\n\tdata max type_len  == 28\n"
        return b"header_page\0" + self.sized("Q", page) + b"header_event\0" + self.sized("Q", event)

    def sized(self, code: str, data: bytes) -> bytes:
        return self.pack(code, len(data)) + data

    def formats(self) -> bytes:
        texts = [self.sized("Q", self.format_text(kind)) for kind in _KINDS]
        return self.pack("I", 1) + b"sched\0" + self.pack("I", len(texts)) + b"".join(texts)

    def option(self, number: int, data: bytes) -> bytes:
        return self.pack("HI", number, len(data)) + data

    def file(self, rings: Sequence[Ring]) -> bytes:
        initial = MAGIC + str(self.shape.version).encode() + bytes([0, self.shape.big, self.shape.long_size])
        initial += self.pack("I", self.shape.page_size)
        return self.version_6(initial, rings) if self.shape.version == 6 else self.version_7(initial, rings)

    def version_6(self, data: bytes, rings: Sequence[Ring]) -> bytes:
        top, *instances = rings
        data += self.header_info() + self.pack("I", 0) + self.formats()
        data += self.sized("I", b"") * 2 + self.sized("Q", b"1 saved\n77 sleeper\n")
        data += self.pack("I", len(top.pages)) + b"options  \0"
        options = b"".join(self.option(*option) for option in self.shape.options) + self.option(TRACECLOCK, b"")
        clock = self.sized("Q", f"local [{top.clock}]".encode() + b"\0")
        size = len(data + options) + sum(6 + 8 + len(ring.name) + 1 for ring in instances) + 2
        at = size + 10 + 16 * len(top.pages) + len(clock)
        tables = []
        for ring in rings:
            at = self.aligned(at if ring is top else at + 10 + 16 * len(ring.pages))
            tables.append(at)
            at += sum(map(len, ring.pages))
        for ring, begin in zip(instances, tables[1:], strict=True):
            place = begin - 10 - 16 * len(ring.pages)
            options += self.option(BUFFER, self.pack("Q", place) + ring.name.encode() + b"\0")
        data += options + self.pack("H", DONE) + self.placed(top, tables[0]) + clock
        for ring, begin in zip(rings, tables, strict=True):
            if ring is not top:
                data = data.ljust(begin - 10 - 16 * len(ring.pages), b"\0") + self.placed(ring, begin)
            data = data.ljust(begin, b"\0") + b"".join(ring.pages)
        return data

    def placed(self, ring: Ring, at: int) -> bytes:
        table = b"flyrecord\0"
        for pages in ring.pages:
            table += self.pack("QQ", at, len(pages))
            at += len(pages)
        return table

    def aligned(self, at: int) -> int:
        return -(-at // self.shape.page_size) * self.shape.page_size

    def section(self, number: int, content: bytes) -> bytes:
        flags = int(self.shape.codec != "none")
        if flags:
            packed = self.compressed(content)
            content = self.pack("II", len(packed), len(content)) + packed
        return self.pack("HHIQ", number, flags, 0, len(content)) + content

    def compressed(self, data: bytes) -> bytes:
        return zlib.compress(data) if self.shape.codec == "zlib" else pa.compress(data, codec="zstd", asbytes=True)

    def version_7(self, data: bytes, rings: Sequence[Ring]) -> bytes:
        data += self.shape.codec.encode() + b"\x001.0\0"
        first = len(data)
        data += self.pack("Q", 0)
        found = {}
        contents = {
            16: self.header_info(), 17: self.pack("I", 0), 18: self.formats(), 19: self.sized("I", b""),
            20: self.sized("I", b""), 21: self.sized("Q", b"1 saved\n77 sleeper\n"),
        }  # fmt: skip
        for number, content in contents.items():
            found[number] = len(data)
            data += self.section(number, content)
        options = [*self.shape.options, *((number, self.pack("Q", at)) for number, at in found.items())]
        for ring in rings:
            data, option = self.buffer(data, ring)
            options.append((BUFFER, option))
        data = data[:first] + self.pack("Q", len(data)) + data[first + 8 :]
        content = b"".join(self.option(*option) for option in options) + self.option(DONE, self.pack("Q", 0))
        return data + self.section(DONE, content)

    def buffer(self, data: bytes, ring: Ring) -> tuple[bytes, bytes]:
        """The file with a buffer's section behind it, and its BUFFER option."""
        begin = len(data)
        data += self.pack("HHIQ", BUFFER, int(self.shape.codec != "none"), 0, 0)
        option = self.pack("Q", begin) + ring.name.encode() + b"\0" + ring.clock.encode() + b"\0"
        option += self.pack("II", self.shape.page_size, len(ring.pages))
        for cpu, pages in enumerate(ring.pages):
            data = data.ljust(self.aligned(len(data)), b"\0")
            stored = pages if self.shape.codec == "none" or not pages else self.chunks(pages)
            option += self.pack("IQQ", cpu, len(data), len(stored))
            data += stored
        size = self.pack("Q", len(data) - begin - 16)
        return data[: begin + 8] + size + data[begin + 16 :], option

    def chunks(self, pages: bytes) -> bytes:
        step = self.shape.chunk * self.shape.page_size
        pieces = [pages[at : at + step] for at in range(0, len(pages), step)]
        packed = [(self.compressed(piece), len(piece)) for piece in pieces]
        return self.pack("I", len(packed)) + b"".join(self.pack("II", len(p), size) + p for p, size in packed)
