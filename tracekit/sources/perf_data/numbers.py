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
    if big:
        return u16(data, at, big) << 16 | u16(data, at + 2, big)
    return (
        np.int64(data[at])
        | np.int64(data[at + 1]) << 8
        | np.int64(data[at + 2]) << 16
        | np.int64(data[at + 3]) << 24
    )  # fmt: skip


@lean
def i32(data: Bytes, at: int, big: bool) -> Number:
    """Four bytes, signed."""
    value = u32(data, at, big)
    return value - (1 << 32) if value >= 1 << 31 else value


@lean
def i64(data: Bytes, at: int, big: bool) -> Number:
    """Eight bytes, signed: what does not fit a signed number comes out negative."""
    if big:
        return u32(data, at, big) << 32 | u32(data, at + 4, big)
    return u32(data, at + 4, big) << 32 | u32(data, at, big)


@lean
def integer(data: Bytes, at: int, size: int, big: bool) -> Number:
    """1, 2, 4 or 8 bytes; 4 and 8 are signed."""
    if size == 4:
        return i32(data, at, big)
    if size == 8:
        return i64(data, at, big)
    if size == 2:
        return u16(data, at, big)
    return np.int64(data[at])
