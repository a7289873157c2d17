"""Unsigned variable-length integers: seven bits a byte, the lowest first, the top bit says that more follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.sources.go_trace.compiled import part


@part
def varint(data: Any, offset: int, limit: int) -> tuple[Any, Any]:
    """(value, offset past it); the offset is -1 if the number has no end before `limit` or within 10 bytes.

    Values of 2^63 and more come out negative: no field of the format needs them except the thread id that
    stands for none, 2^64 - 1, which comes out as -1.
    """
    if offset < 0 or offset >= limit:
        return np.int64(0), np.int64(-1)
    byte = np.int64(data[offset])
    offset += 1
    if byte < 0x80:
        return byte, np.int64(offset)
    value = byte & np.int64(0x7F)
    shift = np.int64(7)
    while offset < limit and shift < 64:
        byte = np.int64(data[offset])
        offset += 1
        value |= (byte & np.int64(0x7F)) << shift
        if byte < 0x80:
            return value, np.int64(offset)
        shift += np.int64(7)
    return np.int64(0), np.int64(-1)
