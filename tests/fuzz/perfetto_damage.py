"""Damaged Perfetto traces: each gives a sound Trace or one SourceError, never anything else.

    python -m tests.fuzz.perfetto_damage [COUNT] [SEED]

cuts a small file at every byte and changes COUNT (10,000) copies of it at random: bits, bytes, whole stretches, and
numbers of the wire format. Memory is bounded by an address-space limit.
"""

from __future__ import annotations

import random
import re
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.perfetto_files import Shape, perfetto_file, varint
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.perfetto import SOURCE
from tracekit.tables.checks import check

STORY = """
    0 - 1 known 1 of 1
    0 - 1 known 2 of 1
    0 - 0 comm 1 main
    0 - 0 comm 3 other
    1000 cpu0 0 switch R 1
    1005 cpu1 0 switch R 3
    1110 cpu0 1 fork 4
    1120 cpu0 1 wakeup_new 4 cpu1
    1200 cpu1 3 switch S 4
    1300 cpu1 4 waking 3 cpu0 irq
    1310 cpu1 4 migrate 3 cpu1
    1400 cpu0 1 switch D 0
    1500 cpu1 4 switch R+ 3
    1600 cpu1 3 waking 1 cpu0
    1650 cpu0 0 switch R 1
    1700 cpu1 3 switch S 4
    1710 cpu1 4 exit 4
    1720 cpu1 4 switch Z 0
"""
SHAPES = (
    Shape(),
    Shape(compact=True, previous_end=True),
    Shape(compress="deflate"),
    Shape(compress="zstd", compact=True),
    Shape(clock=3),
)
_NUMBERS = (0, 1, 127, 128, 1 << 14, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
_MEMORY_BYTES = 8 << 30  # compiled code and libraries are mapped too; a trusted length would ask for far more


def outcome(data: bytes, folder: Path) -> str:
    """`read`, or the error's first words. Anything but a sound Trace or a SourceError goes through."""
    path = folder / "damaged"
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
    match chance.randrange(6):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at] = chance.randrange(256)
        case 2:
            number = varint(chance.choice(_NUMBERS))
            data[at : at + chance.choice((1, len(number)))] = number
        case 3:
            del data[at : at + chance.randrange(1, 64)]
        case 4:
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
            data = perfetto_file(STORY, shape)
            outcomes.update(outcome(piece, Path(folder)) for piece in cuts(data))
            outcomes.update(outcome(piece, Path(folder)) for piece in mutations(data, count // len(SHAPES), seed))
    for what, times in outcomes.most_common():
        print(f"{times:8}  {what}")


if __name__ == "__main__":
    main(*(int(text) for text in [*sys.argv[1:3], *("10000", "1")[len(sys.argv) - 1 :]]))
