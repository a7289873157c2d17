"""Task names as numbers: each different name is kept once, however many events and bundles give it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracekit.jit import lean
from tracekit.sources.kernel.events import Number, Rows, wide
from tracekit.sources.perfetto.cursor import Bytes

NAME_BYTES = 16  # TASK_COMM_LEN, include/linux/sched.h
MOST_NAMES = 1 << 17
_SLOTS = 4 * MOST_NAMES  # a power of two; at most a quarter is in use, so that a search is short

_NAME_BYTES, _MOST_NAMES, _MASK, _FREE = wide(NAME_BYTES), wide(MOST_NAMES), wide(_SLOTS - 1), wide(-1)
_OFFSET_BASIS, _PRIME, _WORD = wide(2166136261), wide(16777619), wide(0xFFFFFFFF)  # 32-bit FNV-1a


class Names(NamedTuple):
    """Names by number: `texts` (bytes padded with zeros), `hashes`, where to find them by hash, and how many."""

    texts: npt.NDArray[np.uint8]
    hashes: Rows
    slots: npt.NDArray[np.int32]
    used: Rows


def no_names() -> Names:
    """Room for MOST_NAMES."""
    slots = np.full(_SLOTS, -1, np.int32)
    return Names(
        np.zeros((MOST_NAMES, NAME_BYTES), np.uint8), np.zeros(MOST_NAMES, np.int64), slots, np.zeros(1, np.int64)
    )


def text_of(names: Names, number: int) -> str:
    """The name with this number."""
    return bytes(names.texts[number]).split(b"\0", 1)[0].decode("utf-8", "replace")


@lean
def _same(names: Names, number: Number, data: Bytes, at: int, size: int) -> Number:
    for place in range(size):
        if names.texts[number, place] != data[at + place]:
            return False
    return size == _NAME_BYTES or names.texts[number, size] == 0


@lean
def intern(data: Bytes, at: int, end: int, names: Names) -> Number:
    """The number of the name in data[at:end]; -1 when it is empty, or new and there is no room."""
    size, code = min(end - at, _NAME_BYTES), _OFFSET_BASIS
    if size == 0:
        return _FREE
    for place in range(size):
        code = ((code ^ np.int64(data[at + place])) * _PRIME) & _WORD
    slot = (code ^ code >> 15) & _MASK
    while names.slots[slot] != _FREE:
        number = np.int64(names.slots[slot])
        if names.hashes[number] == code and _same(names, number, data, at, size):
            return number
        slot = (slot + 1) & _MASK
    number = names.used[0]
    if number >= _MOST_NAMES:
        return _FREE
    names.used[0] += 1
    names.slots[slot] = number
    names.hashes[number] = code
    for place in range(size):
        names.texts[number, place] = data[at + place]
    return number
