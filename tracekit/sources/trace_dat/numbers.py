"""Numbers in a byte array, in either byte order, for compiled code. No bounds are checked here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.jit import lean
from tracekit.sources.kernel.events import Number

Bytes = npt.NDArray[np.uint8]


@lean
def u16(data: Bytes, at: int, big: bool) -> Number:
    """Two bytes, unsigned."""
    low, high = np.int64(data[at]), np.int64(data[at + 1])
    return low << 8 | high if big else high << 8 | low


@lean
def u32(data: Bytes, at: int, big: bool) -> Number:
    """Four bytes, unsigned."""
    a, b, c, d = np.int64(data[at]), np.int64(data[at + 1]), np.int64(data[at + 2]), np.int64(data[at + 3])
    return a << 24 | b << 16 | c << 8 | d if big else d << 24 | c << 16 | b << 8 | a


@lean
def signed(data: Bytes, at: int, size: int, big: bool) -> Number:
    """1, 2, 4 or 8 bytes; those of 4 and 8 are signed."""
    if size == 4:
        value = u32(data, at, big)
        return value - (1 << 32) if value >= 1 << 31 else value
    if size == 8:
        first, second = u32(data, at, big), u32(data, at + 4, big)
        return first << 32 | second if big else second << 32 | first
    return u16(data, at, big) if size == 2 else np.int64(data[at])
