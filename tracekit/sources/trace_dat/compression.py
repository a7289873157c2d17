"""Unpacking sections and chunks: by zstd or zlib, never to more than the file may ask for.

"COMPRESSION FORMAT OF THE FILE SECTIONS" and "OF THE TRACE DATA" in trace-cmd.dat.v7(5).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pyarrow as pa

from tracekit.errors import SourceError
from tracekit.sources.trace_dat.cursor import AGAIN, Cursor

CODECS = ("none", "zlib", "zstd")
_SECTION_MOST_BYTES = 64 << 20  # sections are texts of some MB
_ENDS_EARLY = "a packed part ends too early"


def unpack(packed: memoryview, codec: str, size: int, where: str, most: int) -> bytes:
    """`packed` as `size` bytes. Raises SourceError where it is damaged, or would be larger than `most`."""
    if codec == "none":
        raise SourceError("a packed part, though the file names no compression", where=where, remedy=AGAIN)
    if size > most:
        raise SourceError(f"a packed part that claims {size} bytes", where=where, remedy=AGAIN)
    try:
        if codec == "zlib":
            unpacked = zlib.decompressobj().decompress(packed, size) if size else b""
        else:  # as a stream, since that ends where the data ends, whatever size was claimed
            unpacked = pa.CompressedInputStream(pa.BufferReader(packed), codec).read(size)
    except (zlib.error, OSError) as error:
        raise SourceError(f"a packed part is damaged ({error})", where=where, remedy=AGAIN) from None
    if len(unpacked) != size:
        raise SourceError(_ENDS_EARLY, where=where, remedy=AGAIN)
    return bytes(unpacked)


def unpack_section(cursor: Cursor, codec: str) -> Cursor:
    """The content of a compressed section that begins here. Raises SourceError."""
    packed_size, size = cursor.number("I"), cursor.number("I")
    where = f"{cursor.where} at byte {cursor.at}, unpacked"
    unpacked = unpack(cursor.take(packed_size), codec, size, where, _SECTION_MOST_BYTES)
    return Cursor(memoryview(unpacked), where, cursor.order)


def chunks(cursor: Cursor) -> Iterator[tuple[int, int, int]]:
    """(offset, packed size, size) of each chunk of a CPU's data, as far as the file has them.

    Their count says where they end: the size that the BUFFER option gives was wrong in some versions
    (bugzilla.kernel.org 217367). Raises SourceError at the first that the file does not have whole.
    """
    for _ in range(cursor.number("I")):
        packed_size, size = cursor.number("I"), cursor.number("I")
        at = cursor.at
        cursor.take(packed_size)
        yield at, packed_size, size
