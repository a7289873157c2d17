"""What packets without events tell: clocks side by side, the machine, the kernel's own count of losses, the processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto.wire import fields

_START, _END = 1, 2  # FtraceStats.Phase


@dataclass
class Snapshot:
    """Clocks read at one moment, ns by ClockSnapshot's numbers, and the one that the trace goes by (0: not said)."""

    clocks: dict[int, int]
    primary: int


@dataclass
class Note:
    """A task that a process tree names. Ids are -1 where it does not say; so is the packet's time."""

    tid: int
    process: int
    parent: int
    name: str
    clock: int
    time_ns: int


@dataclass
class Facts:
    """All of a recording's, in file order. `losses` are (start, end) of each sequence, by CPU: events lost."""

    snapshots: list[Snapshot] = field(default_factory=list)
    release: str | None = None
    host: str | None = None
    version: str | None = None
    cpus: int | None = None
    losses: dict[int, tuple[dict[int, int], dict[int, int]]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    _noted: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    _default_clocks: dict[int, int] = field(default_factory=dict)

    def take(self, packet: Any, message: bytes) -> None:
        """One message; `packet` is its row of survey.OTHER."""
        number, sequence = int(packet["field"]), int(packet["sequence"])
        if packet["machine"] != 0:  # another machine's, recorded together with this one
            return
        if number == n.CLOCK_SNAPSHOT:
            self._snapshot(message)
        elif number == n.SYSTEM_INFO:
            self._system(message)
        elif number == n.FTRACE_STATS:
            self._stats(sequence, message)
        elif number == n.DEFAULTS:
            self._default_clocks[sequence] = _numbers(message).get(int(n.CLOCK), n.BOOTTIME)
        else:
            clock = int(packet["clock"])
            clock = self._default_clocks.get(sequence, n.BOOTTIME) if clock < 0 else clock
            tasks = _tree(message) if number == n.PROCESS_TREE else _process_stats(message)
            for tid, process, parent, name in tasks:
                self._note(Note(tid, process, parent, name, clock, int(packet["time_ns"])))

    def _note(self, note: Note) -> None:
        said = note.process, note.parent, note.name
        known = self._noted.get(note.tid)
        if known != said and not (known and known[0] == note.process and said[1:] == (-1, "")):
            self._noted[note.tid] = said
            self.notes.append(note)

    def _snapshot(self, message: bytes) -> None:
        clocks, primary = {}, 0
        for number, value in fields(message):
            if number == 1 and isinstance(value, bytes):
                clock = _numbers(value)
                clocks[clock.get(1, 0)] = clock.get(2, 0) * clock.get(4, 1)
            elif number == 2 and isinstance(value, int):
                primary = value
        self.snapshots.append(Snapshot({number: ns for number, ns in clocks.items() if ns < 1 << 63}, primary))

    def _system(self, message: bytes) -> None:
        for number, value in fields(message):
            if number == 1 and isinstance(value, bytes):
                self.release = dict(_texts(value)).get(3, self.release)
            elif number == 8 and isinstance(value, int):
                self.cpus = value if value < 1 << 16 else self.cpus
        texts = dict(_texts(message))
        self.version = texts.get(4, self.version)
        self.host = texts.get(17) or texts.get(2) or self.host  # the machine's name, or Android's build

    def _stats(self, sequence: int, message: bytes) -> None:
        phase, by_cpu = 0, {}
        for number, value in fields(message):
            if number == 1 and isinstance(value, int):
                phase = value
            elif number == 2 and isinstance(value, bytes):
                cpu = _numbers(value)
                by_cpu[cpu.get(1, 0)] = cpu.get(3, 0) + cpu.get(4, 0) + cpu.get(8, 0)  # overwritten, failed, dropped
        start, end = self.losses.get(sequence, ({}, {}))
        self.losses[sequence] = (start or by_cpu, end) if phase == _START else (start, by_cpu)


def _numbers(message: bytes) -> dict[int, int]:
    return {number: value for number, value in fields(message) if isinstance(value, int)}


def _texts(message: bytes) -> Iterator[tuple[int, str]]:
    for number, value in fields(message):
        if isinstance(value, bytes):
            yield number, value.decode("utf-8", "replace")


def _tid(numbers: dict[int, int], number: int) -> int:
    value = numbers.get(number, 0) & 0xFFFFFFFF
    return value if 0 < value < 1 << 31 else -1


def _tree(message: bytes) -> Iterator[tuple[int, int, int, str]]:
    """(tid, process, parent, name) of all in a ProcessTree."""
    for number, value in fields(message):
        if number == n.TREE_PROCESSES and isinstance(value, bytes):
            ids = _numbers(value)
            command = next((text for inner, text in _texts(value) if inner == 3), "")
            name = command if ids.get(n.TREE_NAME_IS_COMM) else command.split(" ")[0].rsplit("/", 1)[-1]
            yield _tid(ids, 1), _tid(ids, 1), _tid(ids, 2), name
        elif number == n.TREE_THREADS and isinstance(value, bytes):
            ids = _numbers(value)
            yield _tid(ids, 1), _tid(ids, 3), -1, dict(_texts(value)).get(2, "")


def _process_stats(message: bytes) -> Iterator[tuple[int, int, int, str]]:
    for number, value in fields(message):
        if number == n.STATS_PROCESSES and isinstance(value, bytes):
            process = _tid(_numbers(value), 1)
            yield process, process, -1, ""
            for inner, thread in fields(value):
                if inner == n.STATS_THREADS and isinstance(thread, bytes):
                    yield _tid(_numbers(thread), 1), process, -1, ""
