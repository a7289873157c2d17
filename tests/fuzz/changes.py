"""Changes that any format may suffer: bits, words that may be lengths, stretches lost, doubled or moved, numbers."""

from __future__ import annotations

import random
import re
import struct

_WORDS = (0, 1, 7, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
_NUMBERS = (b"0", b"-1", b"1e300", b"NaN", b"9" * 40, b"4294967296", b"9223372036854775807", b"0.0000000001", b"")


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A copy with one to four changes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        _change(changed, chance)
    return bytes(changed)


def change_numbers(data: bytes, chance: random.Random) -> bytes:
    """A copy of a text in which one to four numbers are others; of no text, `mutate`."""
    places = list(re.finditer(rb"-?\d+(?:\.\d+)?", data))
    if not places or b"\0" in data:
        return mutate(data, chance)
    changed = bytearray(data)
    for place in sorted(chance.sample(places, min(len(places), chance.randint(1, 4))), key=lambda p: -p.start()):
        changed[place.start() : place.end()] = chance.choice(_NUMBERS)
    return bytes(changed)


def _change(data: bytearray, chance: random.Random) -> None:
    if not data:
        data.append(0)
    at = chance.randrange(len(data))
    match chance.randrange(6):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            code = chance.choice(["<H", "<I", "<Q", ">H", ">I", ">Q"])
            word = struct.pack(code, chance.choice(_WORDS) & ((1 << 8 * struct.calcsize(code)) - 1))
            data[at : at + len(word)] = word
        case 2:
            del data[at : at + chance.randrange(1, 64)]
        case 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 64))
        case 4:
            data[at:at] = data[at : at + chance.randrange(1, 200)]
        case _:
            other = chance.randrange(len(data))
            data[at : at + 32] = data[other : other + 32]
