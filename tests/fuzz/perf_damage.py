"""Damaged perf.data files: each gives a sound Trace or one SourceError, never anything else.

    python -m tests.fuzz.perf_damage [COUNT] [SEED]

cuts a small file at every byte and changes COUNT (10,000) copies of it at random: bits, words that are lengths,
and whole stretches. Memory is bounded by an address-space limit.
"""

from __future__ import annotations

import random
import re
import resource
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.perf_files import Shape, perf_file
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.perf_data import SOURCE
from tracekit.tables.checks import check

STORY = """
    0 - 1 known 1 of 1
    0 - 0 comm 1 main
    1000 cpu0 1 stat_runtime 1 50
    1100 - 1 fork 4 of 1
    1110 cpu0 1 fork 4
    1120 cpu0 1 wakeup_new 4 cpu1
    1200 cpu1 3 switch S 4
    1300 cpu1 4 waking 3 cpu0 irq
    1310 cpu1 4 migrate 3 cpu1
    1400 cpu0 1 switch D 0
    1500 cpu1 4 switch R+ 3
    1650 - 0 exit 4
    1700 cpu1 4 switch Z 0
"""
SHAPES = (
    Shape(), Shape(pipe=True), Shape(big=True), Shape(callchains=True), Shape(finished=False),
    Shape(packed=81), Shape(packed=83, pipe=True),
)  # fmt: skip
_WORDS = (0, 1, 7, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
_MEMORY_BYTES = 8 << 30  # compiled code and libraries are mapped too; a trusted length would ask for far more


def outcome(data: bytes, folder: Path) -> str:
    """`read`, or the error's first words. Anything but a sound Trace or a SourceError goes through."""
    path = folder / "damaged.data"
    path.write_bytes(data)
    try:
        trace = SOURCE.read(path, ReadOptions())
    except SourceError as error:
        line = str(error)
        assert "\n" not in line and line.startswith(str(path)), line
        return re.sub(r"\d+", "N", error.what)[:60]
    assert [str(finding) for finding in check(trace)] == []
    return "read"


def cuts(data: bytes) -> Iterator[bytes]:
    """The file's beginning, of every length."""
    return (data[:size] for size in range(len(data)))


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Copies with one to four changes each."""
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            _change(changed, chance)
        yield bytes(changed)


def _change(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            code = chance.choice("HIQ")
            at = min(at // 4 * 4, len(data) - 8)
            value = chance.choice(_WORDS) & ((1 << 8 * struct.calcsize("<" + code)) - 1)
            struct.pack_into("<" + code, data, at, value)
        case 2:
            del data[at : at + chance.randrange(1, 64)]
        case 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 64))
        case _:
            other = chance.randrange(len(data))
            data[at : at + 32] = data[other : other + 32]
    if not data:
        data.append(0)


def main(count: int, seed: int) -> None:
    """Run, and print how often each outcome came."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for shape in SHAPES:
            data = perf_file(STORY, shape)
            outcomes.update(outcome(piece, Path(folder)) for piece in cuts(data))
            outcomes.update(outcome(piece, Path(folder)) for piece in mutations(data, count // len(SHAPES), seed))
    for what, times in outcomes.most_common():
        print(f"{times:8}  {what}")


if __name__ == "__main__":
    main(*(int(text) for text in [*sys.argv[1:3], *("10000", "1")[len(sys.argv) - 1 :]]))
