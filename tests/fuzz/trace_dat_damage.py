"""What trace.dat files are fuzzed with: small ones of every form, and changes at random: bits, words that are
lengths, whole stretches, and pages, whose times and counts it knows."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from functools import partial

from tests.fuzz import damage
from tests.fuzz.trace_dat_files import BUFFER, LOST, Ring, Shape, Writer, trace_dat
from tracekit.sources.trace_dat import SOURCE

STORY = "\n".join(
    f"""\
    {1000 + 900 * n} cpu0 1 stat_runtime 1 50
    {1110 + 900 * n} cpu0 1 fork {4 + n}
    {1120 + 900 * n} cpu0 1 wakeup_new {4 + n} cpu1
    {1200 + 900 * n} cpu1 3 switch S {4 + n}
    {1300 + 900 * n} cpu1 {4 + n} waking 3 cpu0 irq
    {1310 + 900 * n} cpu1 {4 + n} migrate 3 cpu1
    {1400 + 900 * n} cpu0 1 switch D 0
    {1500 + 900 * n} cpu1 {4 + n} switch R+ 3
    {1700 + 900 * n} cpu1 3 switch S {4 + n}
    {1750 + 900 * n} cpu1 {4 + n} switch Z 3
    {1760 + 900 * n} cpu0 0 switch R 1""".rstrip()
    for n in range(3)
)
_OPTIONS = ((14, struct.pack("<IIQ", 3 << 20, 21, 0)), (7, b"100\0"))
SHAPES = (
    Shape(6), Shape(), Shape(6, big=True, long_size=4), Shape(codec="zlib"), Shape(codec="zstd", chunk=1),
    Shape(clock="x86-tsc", options=_OPTIONS),
)  # fmt: skip
_WORDS = (0, 1, 7, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


def seeds() -> Iterator[bytes]:
    """Small files of all forms, the last one with two buffers."""
    yield from (trace_dat(STORY, shape) for shape in SHAPES)
    writer = Writer(Shape(6))
    yield writer.file([Ring("", pages=writer.rings(STORY)), Ring("second", pages=writer.rings(STORY))])


def page_mutations(data: bytes, count: int, seed: int, page_size: int = 512) -> Iterator[bytes]:
    """Copies in which words of pages and of what leads to them are changed: times, counts, record headers."""
    chance = random.Random(seed)
    pages = range(-(-len(data) // 2 // page_size) * page_size, len(data) - page_size, page_size)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            page = chance.choice(pages or range(0, len(data) - 64))
            match chance.randrange(5):
                case 0:
                    struct.pack_into("<Q", changed, page, chance.choice(_WORDS))
                case 1:
                    struct.pack_into("<I", changed, page + 8, chance.choice(_WORDS) & 0xFFFFFFFF | LOST)
                case 2:
                    word = chance.randrange(32) | chance.choice(_WORDS) << 5 & 0xFFFFFFFF
                    struct.pack_into("<I", changed, page + 16 + 4 * chance.randrange(24), word)
                case 3:
                    other = chance.choice(pages or range(0, len(data) - 64))
                    changed[page : page + page_size] = changed[other : other + page_size]
                case _:
                    at = len(data) - 8 * chance.randrange(2, 30)
                    struct.pack_into("<Q", changed, at, chance.choice((*_WORDS, BUFFER, page, len(data))))
        yield bytes(changed)


outcome = partial(damage.outcome, SOURCE)
