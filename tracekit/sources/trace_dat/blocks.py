"""A CPU's pages in blocks of some MB: where they are in the file, or unpacked chunk by chunk."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.trace_dat.compression import chunks, unpack
from tracekit.sources.trace_dat.cursor import Cursor

_ALL_BYTES, _LEAST_BYTES, _MOST_BYTES = 32 << 20, 64 << 10, 4 << 20  # of the blocks of all CPUs; of one


class Block(NamedTuple):
    """Pages in data[at:end]; or, where `missing` is a gap's cause, none. `done`: how far this is in the file."""

    data: Bytes
    at: int
    end: int
    done: int
    packed_at: int | None = None  # where data was unpacked from; None: data is the file
    missing: str | None = None
    part: str | None = None

    def label(self, at: int, end: int) -> str:
        """What a user would call data[at:end]."""
        inside = "" if self.packed_at is None else f" of what is packed from byte {self.packed_at} on"
        return f"bytes {at} to {end}{inside}"


def mapped(path: Path) -> Bytes:
    """A file's bytes, each page read when it is looked at."""
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def let_go(data: Bytes) -> None:
    """Forget a mapped file's pages, which count as ours until then; one that is wanted again comes back by itself."""
    owner = data.base.obj if isinstance(data.base, memoryview) else data.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def block_bytes(streams: int, page_size: int) -> int:
    """How large a block should be: whole pages, and all that are held at once no more than a few times 32 MiB."""
    size = min(max(_ALL_BYTES // max(streams, 1), _LEAST_BYTES), _MOST_BYTES)
    return max(size // page_size, 1) * page_size


def chunk_bytes(streams: int, page_size: int) -> int:
    """How large a chunk may be: more than any is (trace-cmd makes them of ten pages), yet bounded for all CPUs."""
    return max(4 * _ALL_BYTES // max(streams, 1), 16 * min(page_size, _LEAST_BYTES))


def stored(data: Bytes, offset: int, size: int, limit: int, step: int) -> Iterator[Block]:
    """Blocks of pages that are in the file as they are, before `limit`."""
    end = min(offset + size, limit)
    for at in range(offset, end, step):
        yield Block(data, at, min(at + step, end), min(at + step, end))
    if size > max(end - offset, 0):
        yield _missing(data, min(end, len(data)), "truncated", f"bytes {min(offset, end)} to {offset + size}")


def packed(data: Bytes, offset: int, limit: int, codec: str, step: int, most: int, order: str) -> Iterator[Block]:
    """Blocks of pages unpacked from chunks before `limit`; a chunk that can't be unpacked is a hole."""
    view = data.data[:limit]
    found: list[bytes] = []
    begin = done = offset
    cursor = Cursor(view, "chunk", order, min(offset, limit))
    try:
        for at, packed_size, size in chunks(cursor):
            begin = begin if found else at
            done = at + packed_size
            try:
                found.append(unpack(view[at:done], codec, size, "chunk", most))
            except SourceError:
                yield from _joined(found, done, begin)
                found = []
                yield _missing(data, done, "corrupt", f"bytes {at} to {done}")
            if sum(map(len, found)) >= step:
                yield from _joined(found, done, begin)
                found = []
    except SourceError:  # the file ends before its chunks do
        yield from _joined(found, done, begin)
        yield _missing(data, limit, "truncated", f"bytes {done} to {limit}")
        return
    yield from _joined(found, done, begin)


def _joined(found: list[bytes], done: int, begin: int) -> Iterator[Block]:
    if found:
        data = np.frombuffer(b"".join(found), np.uint8)
        yield Block(data, 0, len(data), done, begin)


def _missing(data: Bytes, done: int, cause: str, part: str) -> Block:
    return Block(data, 0, 0, done, None, cause, part)
