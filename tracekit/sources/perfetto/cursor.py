"""protobuf's wire format for compiled code: every read checks that its bytes are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import Number
from tracekit.sources.perfetto import wire

Bytes = npt.NDArray[np.uint8]

F = TypeVar("F", bound=Callable[..., Any])

_BROKEN = np.int64(-1)
_VARINT, _LENGTH = np.int64(wire.VARINT), np.int64(wire.LENGTH)
_FIXED64, _FIXED32 = np.int64(wire.FIXED64), np.int64(wire.FIXED32)
_LAST_NUMBER = (1 << 29) - 1  # of a field, in any message


def kernel(function: F) -> F:
    """Compile `function`, which creates no array, when it is first called, and keep it on disk."""
    return cached_njit(function, counted=False)


@lean
def varint(data: Bytes, at: int, end: int) -> tuple[Number, Number]:
    """(value, where it ends); the end is -1 when there is none before `end` or within ten bytes.

    Numbers of 2^63 and more come out negative, as protobuf's signed ones are meant to.
    """
    value, shift, place = np.int64(0), np.int64(0), np.int64(at)
    while place < end and shift < 64:
        byte = np.int64(data[place])
        place += 1
        value |= (byte & np.int64(0x7F)) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    return np.int64(0), _BROKEN


@lean
def field(data: Bytes, at: int, end: int) -> tuple[Number, Number, Number, Number, Number]:
    """(number, wire type, value, where its content begins, where the field ends) of the field at `at`.

    The value is a number's, or a content's length. The end is -1 when the bytes before `end` make no field.
    """
    tag, start = varint(data, at, end)
    number, kind = tag >> 3, tag & 7
    if start < 0 or number < 1 or number > _LAST_NUMBER:
        return number, kind, tag, start, _BROKEN
    if kind == _VARINT:
        value, stop = varint(data, start, end)
        return number, kind, value, start, stop
    if kind == _LENGTH:
        size, start = varint(data, start, end)
        if start < 0 or size < 0 or size > end - start:
            return number, kind, size, start, _BROKEN
        return number, kind, size, start, start + size
    size = np.int64(8) if kind == _FIXED64 else np.int64(4)
    if kind not in (_FIXED64, _FIXED32) or size > end - start:
        return number, kind, size, start, _BROKEN
    return number, kind, size, start, start + size


@lean
def i32(value: int) -> Number:
    """A varint as int32, of which protobuf keeps the lowest 32 bits."""
    low = np.int64(value) & np.int64(0xFFFFFFFF)
    return low - (np.int64(1) << 32) if low >= np.int64(1) << 31 else low
