"""Small Perfetto traces, written from scheduling events: for tests that need no recording, and for damage."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from tests.unit.kernel_text import events_of
from tracekit.sources.kernel.events import EVENT_KINDS, IN_INTERRUPT, PREV_STATES, Records, Row

_STATES = {"R": 0, "R+": 0x100, "S": 1, "D": 2, "T": 4, "t": 8, "X": 0x10, "Z": 0x20, "P": 0x40, "I": 0x80}
_SEQUENCE = 3
MARKER = bytes.fromhex("82477a76b28d42ba81dc33326d57a079")  # TracePacket's synchronization_marker
WALL_NS, MONOTONIC_NS = 1_700_000_000_000_000_000, 500  # what the clocks read at 0 of CLOCK_BOOTTIME


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def packed(field: int, values: Iterable[int]) -> bytes:
    return block(field, b"".join(map(varint, values)))


def packet(content: bytes, *, sequence: int = _SEQUENCE, dropped: bool = False) -> bytes:
    return block(1, content + number(10, sequence) + (number(42, 1) if dropped else b""))


@dataclass(frozen=True)
class Shape:
    """How a file is laid out. `bundle_events`: of one CPU's events at most. `compress`: deflate or zstd."""

    compact: bool = False
    compress: str | None = None
    bundle_events: int = 4
    previous_end: bool = False
    clock: int = 0
    release: str = "6.1.0"


def perfetto_file(text: str, shape: Shape | None = None) -> bytes:
    """A trace of the events in `text` (see tests.unit.kernel_text)."""
    events, names = events_of(text)
    return whole_file(events, lambda tid: names.get(tid, ""), shape or Shape())


def whole_file(events: Records, name_of, shape: Shape) -> bytes:  # type: ignore[no-untyped-def]
    """Header packets, process tree, and bundles as a recorder's rounds over the CPUs make them."""
    writer = Writer(name_of, shape)
    bundles = [packet(block(1, content)) for content in writer.bundles(events)]
    packets = [writer.snapshot(), packet(block(36, MARKER)), writer.system(), *writer.trees(events), *bundles]
    if shape.compress is None:
        return b"".join(packets)
    groups = [b"".join(packets[at : at + 3]) for at in range(0, len(packets), 3)]
    return b"".join(packet(compressed(group, shape.compress)) for group in groups)


def compressed(content: bytes, how: str) -> bytes:
    if how == "deflate":
        return block(50, zlib.compress(content))
    return block(133, pa.compress(content, codec="zstd", asbytes=True))


class Writer:
    def __init__(self, name_of, shape: Shape) -> None:  # type: ignore[no-untyped-def]
        self.name_of, self.shape = name_of, shape
        self.ended: dict[int, int] = {}

    def snapshot(self) -> bytes:
        clocks = {6: 10, 1: WALL_NS + 10, 3: MONOTONIC_NS + 10, 5: 10}
        content = b"".join(block(1, number(1, clock) + number(2, ns)) for clock, ns in clocks.items())
        return packet(block(6, content + number(2, 6)))

    def system(self) -> bytes:
        return packet(
            block(45, block(1, block(1, "Linux") + block(3, self.shape.release)) + block(4, "v1") + number(8, 2))
        )

    def trees(self, events: Records) -> list[bytes]:
        """A process tree for each note."""
        made = []
        for event in events:
            kind, tid = EVENT_KINDS.names[event["kind"]], int(event["target_tid"])
            if kind == "known":
                process = int(event["value"])
                parent = number(2, int(event["tid"])) if event["tid"] > 0 else b""
                leader = block(1, number(1, tid) + parent) if process == tid else b""
                thread = block(2, number(1, tid) + number(3, process)) if process != tid else b""
                made.append(packet(block(2, leader + thread) + number(8, int(event["time_ns"]))))
        return made

    def bundles(self, events: Records) -> list[bytes]:
        """The CPUs' bundles in rounds."""
        traced = events[(events["cpu"] >= 0)]
        made: list[bytes] = []
        size = self.shape.bundle_events
        for start in range(0, len(traced), size * 2):
            round_of = traced[start : start + size * 2]
            for cpu in sorted({int(cpu) for cpu in round_of["cpu"]}):
                mine = [event for event in round_of if event["cpu"] == cpu]
                made += [self.bundle(cpu, mine[at : at + size]) for at in range(0, len(mine), size)]
        return made

    def bundle(self, cpu: int, events: list[Row], extra: bytes = b"") -> bytes:
        content = number(1, cpu)
        for event in events:
            if not (self.shape.compact and EVENT_KINDS.names[event["kind"]] in ("switch", "waking")):
                content += self.plain(event)
        content += extra
        if self.shape.previous_end:
            content += number(10, self.ended.get(cpu, 0))
        if self.shape.clock:
            content += number(5, self.shape.clock) + number(6, 1000) + number(7, 1700)
        self.ended[cpu] = int(events[-1]["time_ns"])
        return content + (self.compact(events) if self.shape.compact else b"")

    def plain(self, event: Row) -> bytes:
        kind, tid, target = EVENT_KINDS.names[event["kind"]], int(event["tid"]), int(event["target_tid"])
        own, other = self.name_of(tid), self.name_of(target)
        wake = block(1, other) + number(2, target) + number(3, 120) + number(5, int(event["target_cpu"]))
        field, content = {
            "switch": (
                4,
                block(1, own) + number(2, tid) + number(4, self.state(event)) + block(5, other) + number(6, target),
            ),
            "wakeup": (17, wake),
            "waking": (20, wake),
            "wakeup_new": (114, wake),
            "migrate": (491, wake),
            "fork": (239, number(2, tid) + block(3, other) + number(4, target)),
            "exec": (237, block(1, "/bin/x") + number(2, tid)),
            "exit": (238, block(1, other) + number(2, target)),
            "stat_runtime": (13, number(1, 1)),  # no such event there; one that is not of scheduling takes its place
        }[kind]
        flags = number(5, 8) if event["flags"] & IN_INTERRUPT else b""
        return block(2, number(1, int(event["time_ns"])) + number(2, tid) + flags + block(field, content))

    @staticmethod
    def state(event: Row) -> int:
        return _STATES.get(list(PREV_STATES)[event["prev_state"]], 0)

    def compact(self, events: list[Row]) -> bytes:
        switches = [event for event in events if EVENT_KINDS.names[event["kind"]] == "switch"]
        wakings = [event for event in events if EVENT_KINDS.names[event["kind"]] == "waking"]
        names = sorted({self.name_of(int(event["target_tid"])) for event in [*switches, *wakings]})
        content = b"".join(block(5, name) for name in names)

        def column(rows: list[Row], field: str) -> list[int]:
            return [int(event[field]) for event in rows]

        def deltas(rows: list[Row]) -> list[int]:
            times = [0, *column(rows, "time_ns")]
            return [later - earlier for earlier, later in pairwise(times)]

        def indices(rows: list[Row]) -> list[int]:
            return [names.index(self.name_of(tid)) for tid in column(rows, "target_tid")]

        if switches:
            content += packed(1, deltas(switches)) + packed(2, map(self.state, switches))
            content += packed(3, column(switches, "target_tid")) + packed(4, [120] * len(switches))
            content += packed(6, indices(switches))
        if wakings:
            content += packed(7, deltas(wakings)) + packed(8, column(wakings, "target_tid"))
            content += packed(9, column(wakings, "target_cpu")) + packed(10, [120] * len(wakings))
            content += packed(11, indices(wakings))
            content += packed(12, [8 if event["flags"] & IN_INTERRUPT else 0 for event in wakings])
        return block(4, content) if switches or wakings else b""
