"""What perf.data files are fuzzed with: small ones of every form, and changes at random: bits, words that are lengths,
and whole stretches."""

from __future__ import annotations

import random
import struct
from functools import partial
from pathlib import Path

from tests.fuzz import damage, perf_kernel
from tests.fuzz.perf_files import Shape
from tracekit.sources.perf_data import SOURCE

STORY = """
    0 - 1 known 1 of 1
    0 - 0 comm 1 main
    1000 cpu0 1 stat_runtime 1 50
    1100 - 1 fork 4 of 1
    1110 cpu0 1 fork 4
    1120 cpu0 1 wakeup_new 4 cpu1
    1200 cpu1 3 switch S 4 lock
    1300 cpu1 4 waking 3 cpu0 irq
    1310 cpu1 4 migrate 3 cpu1
    1400 cpu0 1 switch D 0 io
    1500 cpu1 4 switch R+ 3
    1650 - 0 exit 4
    1700 cpu1 4 switch Z 0
"""
SHAPES = (
    Shape(), Shape(pipe=True), Shape(big=True), Shape(callchains=True), Shape(finished=False),
    Shape(callchains=True, pipe=True, big=True, mapped=10), Shape(packed=81), Shape(packed=83, pipe=True),
)  # fmt: skip
_WORDS = (0, 1, 7, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


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


mutations = partial(damage.mutations, _change)


def outcome(data: bytes, folder: Path) -> str:
    """What came of the file, read where the kernel runs that it is of: its callchains are read too."""
    with perf_kernel.booted():
        return damage.outcome(SOURCE, data, folder)
