"""What Perfetto traces are fuzzed with: small ones of every form, and changes at random: bits, bytes, whole stretches,
and numbers of the wire format."""

from __future__ import annotations

import random
from functools import partial

from tests.fuzz import damage
from tests.fuzz.perfetto_files import Shape, varint
from tracekit.sources.perfetto import SOURCE

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


mutations = partial(damage.mutations, _change)
outcome = partial(damage.outcome, SOURCE)
