"""How fast a Perfetto trace with compact scheduling events is read, beside the protobuf library on the same bytes."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from tests.bench.registry import Measurement, benchmark, seconds
from tests.fuzz.perfetto_files import block, number, packed, packet
from tests.fuzz.perfetto_messages import bundles
from tracekit.sources.base import ReadOptions
from tracekit.sources.perfetto import SOURCE

EVENTS = 4_000_000  # half switches, half wakings
_CPUS, _TASKS, _ROUND = 4, 64, 500  # switches of each CPU in a bundle
_STEP_NS = 20_000


def compact_file(events: int) -> bytes:
    """Tasks that take turns on four CPUs, each woken by the one that runs before it; the rounds repeat but for time."""
    chance = random.Random(1)
    rounds = events // (2 * _CPUS * _ROUND)
    names = b"".join(block(5, f"worker-{task}") for task in range(_TASKS))
    fixed = [_columns(cpu, chance) for cpu in range(_CPUS)]
    packets = []
    for place in range(rounds):
        began = 1_000_000_000 + place * _ROUND * _STEP_NS
        for cpu, (switches, wakings) in enumerate(fixed):
            steps = [_STEP_NS] * (_ROUND - 1)
            compact = packed(1, [began + 10_000 + cpu, *steps]) + packed(7, [began + cpu, *steps])
            packets.append(packet(block(1, number(1, cpu) + block(4, names + compact + switches + wakings))))
    return b"".join(packets)


def _columns(cpu: int, chance: random.Random) -> tuple[bytes, bytes]:
    """All but the times."""
    tasks = [place % (_TASKS // _CPUS) + cpu * (_TASKS // _CPUS) for place in range(_ROUND)]
    tids, prios = [1000 + task for task in tasks], [120] * _ROUND
    states = [chance.choice((0, 1, 1, 2)) for _ in tasks]
    switches = packed(2, states) + packed(3, tids) + packed(4, prios) + packed(6, tasks)
    return switches, packed(8, tids) + packed(9, [cpu] * _ROUND) + packed(10, prios) + packed(11, tasks)


def _values(data: bytes) -> int:
    """How many numbers and names the protobuf library gives; it is written in C, and makes no tables of them."""
    return sum(len(list(values)) for _, bundle in bundles(data) for _, values in bundle.compact_sched.ListFields())


@benchmark("perfetto", unit="events/s", goal=5e6, reference="the protobuf library, giving values only")
def perfetto() -> Measurement:
    """Compact scheduling events a second, from the file to tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        path.write_bytes(compact_file(EVENTS))
        events = SOURCE.read(path, ReadOptions()).meta["events"]  # compiles what is not compiled yet
        ours = seconds(lambda: SOURCE.read(path, ReadOptions()), repeat=3)
        theirs = seconds(lambda: _values(path.read_bytes()), repeat=3)
    return Measurement(value=events / ours, reference_value=events / theirs)
