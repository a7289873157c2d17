"""Numbers in a byte array, in either byte order, for compiled code. No bounds are checked here."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracekit.jit import JIT, lean
from tracekit.sources.kernel.events import Number

Bytes = npt.NDArray[np.uint8]

_HOST_IS_BIG = sys.byteorder == "big"
_SIGN_32, _RANGE_32 = 1 << 31, 1 << 32


def _load(size: int) -> Any:
    """A function of (data, at, big): an unsigned number of `size` bytes, as int64. One load, where bytes joined by
    shifts are as many loads, each with a look at whether its index is negative."""

    def plain(data: Bytes, at: int, big: bool) -> int:
        value = int.from_bytes(data[at : at + size].tobytes(), "big" if big else "little")
        return value - (1 << 64) if value >= 1 << 63 else value

    def typed(context: Any, data: Any, at: Any, big: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            place = builder.gep(array.data, [arguments[1]])
            word = ir.IntType(8 * size)
            value = builder.load(builder.bitcast(place, word.as_pointer()), align=1)
            swap = builder.not_(arguments[2]) if _HOST_IS_BIG else arguments[2]
            value = builder.select(swap, builder.bswap(value), value)
            return builder.zext(value, ir.IntType(64)) if size < 8 else value

        return types.int64(data, types.int64, types.boolean), generate

    return intrinsic(typed) if JIT else plain


u16, u32, i64 = _load(2), _load(4), _load(8)


@lean
def i32(data: Bytes, at: int, big: bool) -> Number:
    """Four bytes, signed."""
    value = u32(data, at, big)
    return value - _RANGE_32 if value >= _SIGN_32 else value


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
