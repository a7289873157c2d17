"""Where packets are: the file, and what packets that hold packets become when they are inflated."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto.cursor import Bytes

# The recorder keeps packets below 512 kB before it compresses them (trace_packet.proto); this is what one that is
# damaged, or made to harm, may become.
MOST_BYTES = 64 << 20
_PIECE = 16 << 10  # inflated by this much at a time: of damaged data, what comes before the damage is kept
_KEPT_BYTES = 64 << 20  # inflated blocks kept; those that overlap in time are asked for in turns
_GZIP_OR_ZLIB = 47  # zlib.decompressobj's wbits for either header


class Compressed(NamedTuple):
    """Where a compressed message is in the file, and by which of TracePacket's fields it is known how."""

    at: int
    end: int
    field: int


class Blocks:
    """A file's bytes as block 0, and its compressed packets, inflated, from 1 on."""

    def __init__(self, file: Bytes) -> None:
        self.file = file
        self.compressed: list[Compressed] = []
        self._inflated: OrderedDict[int, Bytes] = OrderedDict()

    def add(self, at: int, end: int, field: int) -> tuple[int, Bytes, bool]:
        """(a new block's number, its bytes, whether it was inflated to its end)."""
        self.compressed.append(Compressed(at, end, field))
        block = len(self.compressed)
        data, whole = _inflated(self.file[at:end].tobytes(), field)
        self._keep(block, data)
        return block, data, whole

    def data(self, block: int) -> Bytes:
        """A block's bytes."""
        if block == 0:
            return self.file
        if block in self._inflated:
            self._inflated.move_to_end(block)
            return self._inflated[block]
        where = self.compressed[block - 1]
        data, _ = _inflated(self.file[where.at : where.end].tobytes(), where.field)
        self._keep(block, data)
        return data

    def place(self, block: int, at: int) -> int:
        """Where in the file a block's byte is, or the packet that it was inflated from."""
        return at if block == 0 else self.compressed[block - 1].at

    def _keep(self, block: int, data: Bytes) -> None:
        self._inflated[block] = data
        while len(self._inflated) > 1 and sum(map(len, self._inflated.values())) > _KEPT_BYTES:
            self._inflated.popitem(last=False)


def _inflated(raw: bytes, field: int) -> tuple[Bytes, bool]:
    """The bytes, as far as they can be had, and whether that is to the end."""
    data, whole = _deflate(raw) if field == n.COMPRESSED else _zstd(raw)
    return np.frombuffer(data, np.uint8), whole


def _deflate(raw: bytes) -> tuple[bytes, bool]:
    machine, pieces, size = zlib.decompressobj(_GZIP_OR_ZLIB), [], 0
    try:
        for at in range(0, len(raw), _PIECE):
            pieces.append(machine.decompress(raw[at : at + _PIECE]))
            size += len(pieces[-1])
            if size > MOST_BYTES:
                break
    except zlib.error:
        pass
    return b"".join(pieces), machine.eof


def _zstd(raw: bytes) -> tuple[bytes, bool]:
    pieces, size = [], 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
            while piece := stream.read(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > MOST_BYTES:
                    return b"".join(pieces), False
    except (OSError, pa.ArrowException):
        return b"".join(pieces), False
    return b"".join(pieces), True
