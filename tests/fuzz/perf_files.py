"""Small perf.data files, written from scheduling events: for tests that need no recording, and for damage."""

from __future__ import annotations

import io
import itertools
import struct
from dataclasses import dataclass

import pyarrow as pa

from tests.fuzz import perf_kernel
from tests.unit.kernel_text import events_of
from tracekit.sources.kernel.events import EVENT_KINDS, IN_INTERRUPT, PREV_STATES, Row
from tracekit.vocabulary import REASONS

# (declaration, struct code) of each field behind the common ones, as the kernel's format texts have them
_COMM = "16s"
_WAKE = (("char comm[16]", _COMM), ("pid_t pid", "i"), ("int prio", "i"), ("int target_cpu", "i"))
_EVENTS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "switch": ("sched_switch", (
        ("char prev_comm[16]", _COMM), ("pid_t prev_pid", "i"), ("int prev_prio", "i"), ("long prev_state", "q"),
        ("char next_comm[16]", _COMM), ("pid_t next_pid", "i"), ("int next_prio", "i"))),
    "waking": ("sched_waking", _WAKE),
    "wakeup": ("sched_wakeup", _WAKE),
    "wakeup_new": ("sched_wakeup_new", _WAKE),
    "migrate": ("sched_migrate_task", (
        ("char comm[16]", _COMM), ("pid_t pid", "i"), ("int prio", "i"), ("int orig_cpu", "i"), ("int dest_cpu", "i"))),
    "stat_runtime": ("sched_stat_runtime", (("char comm[16]", _COMM), ("pid_t pid", "i"), ("u64 runtime", "Q"))),
    "fork": ("sched_process_fork", (
        ("char parent_comm[16]", _COMM), ("pid_t parent_pid", "i"),
        ("char child_comm[16]", _COMM), ("pid_t child_pid", "i"))),
}  # fmt: skip
_STATES = {"R": 0, "R+": 0x100, "S": 1, "D": 2, "T": 4, "t": 8, "X": 0x10, "Z": 0x20, "P": 0x40, "I": 0x80}
_FLAGS = ", ".join(f'{{ {value:#x}, "{name}" }}' for name, value in _STATES.items() if len(name) == 1 and value)
_PACKED_BYTES = 333
_FIRST_ID = 300  # of the events' numbers in tracefs; ids of samples are 1000 more
_IDENTIFIER, _IP, _TID, _TIME, _CALLCHAIN, _CPU, _PERIOD, _RAW = 1 << 16, 1, 2, 4, 1 << 5, 1 << 7, 1 << 8, 1 << 10


@dataclass(frozen=True)
class Shape:
    """How a file is laid out. `common_size`: of the fields that every event begins with. `namespace`: by how much
    the recorder's task ids are off from the kernel's. `packed`: 81 or 83, the type of records that hold all others.
    `mapped`: 1 or 10, the type of the record that says where the kernel of the callchains is (see perf_kernel)."""

    big: bool = False
    pipe: bool = False
    callchains: bool = False
    common_size: int = 8
    finished: bool = True
    namespace: int = 0
    packed: int = 0
    mapped: int = 1


def perf_file(text: str, shape: Shape | None = None) -> bytes:
    """A perf.data of the events in `text` (see tests.unit.kernel_text), in the order given."""
    return _Writer(shape or Shape()).file(text)


def flushed(parts: list[bytes]) -> list[bytes]:
    """What zstd makes of each part, as parts of one stream that never ends."""
    sink = io.BytesIO()
    file = pa.PythonFile(sink, mode="w")
    stream, made = pa.CompressedOutputStream(file, "zstd"), [0]
    for part in parts:
        stream.write(part)
        stream.flush()
        made.append(sink.tell())
    return [sink.getvalue()[start:end] for start, end in itertools.pairwise(made)]


def is_born(event: Row) -> bool:
    """Whether the event tells a task's process."""
    return EVENT_KINDS.names[event["kind"]] in ("fork", "known") and bool(event["value"] >= 0)


class _Writer:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.order = ">" if shape.big else "<"
        self.kinds = list(_EVENTS)
        self.names: dict[int, str] = {}
        self.processes: dict[int, int] = {}
        self.cpus: dict[int, int] = {}

    def pack(self, codes: str, *values: object) -> bytes:
        return struct.pack(self.order + codes, *values)

    def file(self, text: str) -> bytes:
        events, self.names = events_of(text)
        self.processes = {int(event["target_tid"]): int(event["value"]) for event in events if is_born(event)}
        records = b"".join(self.record(event) for event in events)
        if self.shape.packed:
            records = self.packed(records)
        if self.shape.callchains:
            records = self.kernel_mapped() + records
        return self.piped(records) if self.shape.pipe else self.seekable(records)

    def kernel_mapped(self) -> bytes:
        name = b"[kernel.kallsyms]_text".ljust(32, b"\0") + self.pack("iiQIIQ", -1, 0, 0, 0, 0, 0)
        place = self.pack("iiQQQ", -1, 0, perf_kernel.TEXT_AT, 0x1000, perf_kernel.TEXT_AT)
        return self.whole(self.shape.mapped, place + (bytes(32) if self.shape.mapped == 10 else b"") + name, 1)

    def packed(self, records: bytes) -> bytes:
        """One zstd stream over all, of whose records none but the last ends where a record in it does."""
        halves = [records[at : at + _PACKED_BYTES] for at in range(0, len(records), _PACKED_BYTES)]
        return b"".join(self.packed_record(data) + self.whole(68, b"") for data in flushed(halves))

    def packed_record(self, data: bytes) -> bytes:
        if self.shape.packed == 81:
            return self.whole(81, data)
        size = -(-(16 + len(data)) // 8) * 8
        return (self.pack("IHHQ", 83, 0, size, len(data)) + data).ljust(size, b"\0")

    def layout(self, kind: str) -> list[tuple[str, str, int]]:
        """(declaration, code, offset) of each field: aligned, as a C struct is."""
        at, fields = self.shape.common_size, []
        for declaration, code in _EVENTS[kind][1]:
            size = struct.calcsize("<" + code)
            align = min(size, 8) if code != _COMM else 1
            at = -(-at // align) * align
            fields.append((declaration, code, at))
            at += size
        return fields

    def format_text(self, kind: str) -> str:
        fields = [
            ("unsigned short common_type", "H", 0), ("unsigned char common_flags", "B", 2),
            ("unsigned char common_preempt_count", "B", 3), ("int common_pid", "i", 4),
        ]  # fmt: skip
        lines = [
            f"\tfield:{declaration};\toffset:{at};\tsize:{struct.calcsize('<' + code)};\tsigned:{int(code.islower())};"
            for declaration, code, at in fields + self.layout(kind)
        ]
        number = _FIRST_ID + self.kinds.index(kind)
        print_format = f'"%s", __print_flags(REC->prev_state, "|", {_FLAGS})'
        return (
            f"name: {_EVENTS[kind][0]}\nID: {number}\nformat:\n" + "\n".join(lines) + f"\n\nprint fmt: {print_format}\n"
        )

    def payload(self, event: Row) -> bytes:
        kind = EVENT_KINDS.names[event["kind"]]
        tid, target = int(event["tid"]), int(event["target_tid"])
        values: dict[str, object] = {
            "prev_pid": tid, "next_pid": target, "pid": target, "parent_pid": tid, "child_pid": target,
            "prev_state": _STATES.get(list(PREV_STATES)[event["prev_state"]], 0), "runtime": max(int(event["value"]), 0),
            "target_cpu": int(event["target_cpu"]), "dest_cpu": int(event["target_cpu"]),
            "prev_comm": self.names.get(tid, ""), "comm": self.names.get(target, ""),
            "next_comm": self.names.get(target, ""), "child_comm": self.names.get(target, ""),
        }  # fmt: skip
        flags = 8 if event["flags"] & IN_INTERRUPT else 0
        raw = self.pack("HBBi", _FIRST_ID + self.kinds.index(kind), flags, 0, tid)
        for declaration, code, at in self.layout(kind):
            value = values.get(declaration.split()[-1].split("[")[0], "" if code == _COMM else 0)
            encoded = value.encode() if isinstance(value, str) else value
            raw = raw.ljust(at, b"\0") + self.pack(code, encoded)
        return raw

    def sample(self, event: Row) -> bytes:
        number = 1000 + _FIRST_ID + self.kinds.index(EVENT_KINDS.names[event["kind"]])
        tid, cpu = int(event["tid"]), int(event["cpu"])
        self.cpus |= {tid: cpu, int(event["target_tid"]): cpu}
        body = self.pack(
            "QQiiQIIQ",
            number,
            0,
            self.processes.get(tid, tid),
            tid + self.shape.namespace,
            int(event["time_ns"]),
            cpu,
            0,
            1,
        )
        if self.shape.callchains:
            of_wait = EVENT_KINDS.names[event["kind"]] == "switch" and event["value"] >= 0
            frames = perf_kernel.chain(REASONS.names[event["value"]] if of_wait else None)
            body += self.pack(f"{1 + len(frames)}Q", len(frames), *frames)
        raw = self.payload(event)
        padded = -(-(len(raw) + 4) // 8) * 8 - 4
        return self.whole(9, body + self.pack("I", padded) + raw.ljust(padded, b"\0"))

    def whole(self, kind: int, body: bytes, misc: int = 0) -> bytes:
        return self.pack("IHH", kind, misc, 8 + len(body)) + body

    def record(self, event: Row) -> bytes:
        kind = EVENT_KINDS.names[event["kind"]]
        if event["cpu"] >= 0:
            return self.sample(event)
        target = int(event["target_tid"])
        process = self.processes.get(target, target)
        parent, time = int(event["tid"]), int(event["time_ns"])
        end = self.pack("iiQIIQ", process, target, time, self.cpus.get(target, 0), 0, 0)
        if kind == "comm":
            return self.whole(3, self.pack("ii16s", process, target, self.names[target].encode()) + end)
        kinds = {"fork": 7, "known": 7, "exit": 4}
        return self.whole(kinds[kind], self.pack("iiiiQ", process, parent, target, parent, time) + end)

    def attr(self, kind: str) -> bytes:
        sample_type = _IDENTIFIER | _IP | _TID | _TIME | _CPU | _PERIOD | _RAW | (_CALLCHAIN * self.shape.callchains)
        bits = (1 << 18, 1 << 25)  # sample_id_all, use_clockid
        flags = sum(1 << 63 - bit.bit_length() + 1 if self.shape.big else bit for bit in bits)
        number = _FIRST_ID + self.kinds.index(kind)
        return self.pack("IIQQQQQ", 2, 128, number, 1, sample_type, 0, flags).ljust(92, b"\0") + self.pack("i32x", 1)

    def tracing(self) -> bytes:
        texts = [self.format_text(kind).encode() for kind in self.kinds]
        data = b"\x17\x08\x44tracing0.6\0" + bytes([self.shape.big, 8]) + self.pack("I", 4096)
        data += b"header_page\0" + self.pack("Q", 0) + b"header_event\0" + self.pack("Q", 0)
        data += self.pack("II", 0, 1) + b"sched\0" + self.pack("I", len(texts))
        data += b"".join(self.pack("Q", len(text)) + text for text in texts)
        return data + self.pack("IIQ", 0, 0, 0)

    def text_feature(self, text: str) -> bytes:
        return self.pack("I64s", 64, text.encode())

    def magic(self) -> bytes:
        return b"2ELIFREP" if self.shape.big else b"PERFILE2"

    def seekable(self, records: bytes) -> bytes:
        attrs_at = 104 + 8 * len(self.kinds)
        ids = [1000 + _FIRST_ID + place for place in range(len(self.kinds))]
        attrs = b"".join(self.attr(kind) + self.pack("QQ", 104 + 8 * place, 8) for place, kind in enumerate(self.kinds))
        data_at = attrs_at + len(attrs)
        features = {
            1: self.tracing(),
            3: self.text_feature("here"),
            4: self.text_feature(perf_kernel.RELEASE),
            7: self.pack("II", 2, 2),
        }
        table, at = b"", data_at + len(records) + 16 * len(features)
        for section in features.values():
            table += self.pack("QQ", at, len(section))
            at += len(section)
        size = len(records) if self.shape.finished else 0
        header = self.magic() + self.pack("8Q", 104, 144, attrs_at, len(attrs), data_at, size, 0, 0)
        header += self.pack("4Q", sum(1 << bit for bit in features), 0, 0, 0)
        return header + self.pack(f"{len(ids)}Q", *ids) + attrs + records + table + b"".join(features.values())

    def piped(self, records: bytes) -> bytes:
        attrs = b"".join(
            self.whole(64, self.attr(kind) + self.pack("Q", 1000 + _FIRST_ID + place))
            for place, kind in enumerate(self.kinds)
        )
        tracing = self.tracing()
        padded = tracing.ljust(-(-len(tracing) // 8) * 8, b"\0")
        host = self.whole(80, self.pack("Q", 3) + self.text_feature("here"))
        described = self.whole(66, self.pack("II", len(padded), 0)) + padded
        return self.magic() + self.pack("Q", 16) + attrs + host + described + records
