"""Files packed as a whole (gzip, xz, zstd), and what comes by a pipe: brought into a plain file for the readers.

Readers jump about in a file and read it as memory, so it is unpacked to a temporary file (in TMPDIR), which is gone
when the reading ends. What it may grow to is bounded by the room there: some is always left for others.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tracekit.errors import SourceError
from tracekit.units import format_bytes

if TYPE_CHECKING:
    from tracekit.sources.base import Progress

# How each begins: RFC 1952, RFC 8878, and the .xz file format.
_MAGICS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz"}
_PIECE_BYTES = 1 << 20
_LEFT_BYTES = 256 << 20  # of the disk, for whoever else writes there
MORE_ROOM = "set TMPDIR to a folder on a larger disk"


@dataclass
class Plain:
    """A file as readers need it. `damage` says why it is less than what was packed, if it is."""

    path: Path
    damage: str | None = None


def wrapper_of(head: bytes) -> str | None:
    """What a file that begins with `head` is packed with."""
    return next((name for magic, name in _MAGICS.items() if head.startswith(magic)), None)


def unpacked_head(path: Path, wrapper: str, size: int) -> bytes:
    """The first `size` bytes of what is packed, or as many as can be unpacked."""
    head = b""
    for piece in _pieces(path, wrapper, Plain(path), lambda done, total: None):
        head += piece
        if len(head) >= size:
            break
    return head[:size]


@contextmanager
def unpacked(path: Path, wrapper: str, progress: Progress) -> Iterator[Plain]:
    """What is packed in `path`, as a file of its own. Raises SourceError when there is no room for it."""
    with _temporary() as file:
        plain = Plain(Path(file.name))
        _copy(_pieces(path, wrapper, plain, progress), file, str(path))
        yield plain


@contextmanager
def spooled(stream: BinaryIO, shown: str) -> Iterator[Plain]:
    """All that comes from a pipe, as a file. Raises SourceError when there is no room for it."""
    with _temporary() as file:
        _copy(iter(lambda: stream.read(_PIECE_BYTES), b""), file, shown)
        yield Plain(Path(file.name))


def _temporary() -> Any:
    return tempfile.NamedTemporaryFile(prefix="tracekit-")


def _copy(pieces: Iterator[bytes], file: BinaryIO, where: str) -> None:
    folder = tempfile.gettempdir()
    room = max(shutil.disk_usage(folder).free - _LEFT_BYTES, 0)
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise SourceError(
                f"it is larger than the room in {folder} ({format_bytes(file.tell())} were written)",
                where=where,
                remedy=MORE_ROOM,
            )
        try:
            file.write(piece)
            file.flush()
        except OSError as error:
            raise SourceError(f"can't write to {folder} ({error.strerror})", where=where, remedy=MORE_ROOM) from None


def _pieces(path: Path, wrapper: str, plain: Plain, progress: Progress) -> Iterator[bytes]:
    """The packed bytes. Where they are damaged they end, and `plain` says so."""
    total = path.stat().st_size
    with path.open("rb") as raw, _opened(raw, wrapper) as packed:
        while True:
            try:
                piece = packed.read1(_PIECE_BYTES)
            except EOFError:
                plain.damage = f"the {wrapper} data ends before it should"
                return
            except (OSError, ValueError, zlib.error, lzma.LZMAError) as error:
                plain.damage = f"the {wrapper} data is damaged ({' '.join(str(error).split())})"
                return
            if not piece:
                return
            yield piece
            progress(min(raw.tell(), total), total)


def _opened(raw: BinaryIO, wrapper: str) -> Any:
    if wrapper == "gzip":
        return gzip.GzipFile(fileobj=raw)
    if wrapper == "xz":
        return lzma.LZMAFile(raw)
    return _Zstd(raw)


class _Zstd:
    """zstd as pyarrow reads it: frames one after the other."""

    def __init__(self, raw: BinaryIO) -> None:
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(raw, "zstd")

    def __enter__(self) -> _Zstd:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read1(self, size: int) -> bytes:
        """Up to `size` bytes. Raises OSError for damaged data, EOFError where it is cut."""
        piece: bytes = self._stream.read(min(size, 1 << 16))  # what damage costs, at most
        return piece
