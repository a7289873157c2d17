"""A text file in windows of whole lines, so that no file need fit in memory."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracekit.sources.kernel.events import Rows
from tracekit.sources.kernel_text.words import Bytes

WINDOW_BYTES = 8 << 20  # about 55,000 lines; twice as much falls out of the caches and takes a quarter longer
_LONGEST_LINE = 1 << 20
_HEAD_OF_LINE = 4096  # what is kept of a longer one: its columns and an event's text are far shorter
_HEAD_BYTES = 64 * 1024
_PIECE_BYTES = 1024
_NEWLINE = 10
_ATRACE = re.compile(rb"(?:\A|\n)TRACE:\r?\n(?=\x78)")  # what `atrace -z` writes: a zlib stream


class Window(NamedTuple):
    """Whole lines; `cut`: the only one is the file's last and lacks its end."""

    data: Bytes
    ends: Rows  # of each line
    cut: bool


class Text:
    """A file's lines. `digest` and `damage` are there when all windows have been taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.done = 0
        self.head = b""  # of the file, as it is
        self.digest = ""
        self.damage: str | None = None  # a gap's cause, where compressed text breaks off

    def windows(self) -> Iterator[Window]:
        """Each window once."""
        rest = b""
        for chunk in self._unpacked():
            data = rest + chunk
            whole = data.rfind(b"\n") + 1
            rest = data[whole:]
            if len(rest) > _LONGEST_LINE:
                rest = rest[:_HEAD_OF_LINE]
            if whole:
                yield _window(data[:whole] if whole < len(data) else data, cut=False)
        if rest:
            yield _window(rest + b"\n", cut=True)

    def _unpacked(self) -> Iterator[bytes]:
        chunks = self._chunks()
        first = next(chunks, b"")
        packed = _ATRACE.search(first[:_HEAD_BYTES])
        if packed is None:
            yield first
            yield from chunks
            return
        yield from self._inflated(first[packed.end() :], chunks)
        for _ in chunks:  # the digest is of the whole file
            pass

    def _inflated(self, first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """In small pieces, so that damage costs what is behind it only; none grows beyond 1032 times its size."""
        stream, held = zlib.decompressobj(), bytearray()
        try:
            for piece in _pieces(chain([first], chunks)):
                held += stream.decompress(piece)
                if stream.eof:
                    break
                if len(held) >= WINDOW_BYTES:
                    yield bytes(held)
                    held.clear()
            else:
                self.damage = "truncated"
        except zlib.error:
            self.damage = "corrupt"
        yield bytes(held)

    def _chunks(self) -> Iterator[bytes]:
        state = hashlib.sha256()
        with self.path.open("rb") as file, ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter
            while chunk := file.read(WINDOW_BYTES):
                hashed = beside.submit(state.update, chunk)
                self.head = self.head or chunk[:_HEAD_BYTES]
                self.done += len(chunk)
                yield chunk
                hashed.result()
        self.digest = state.hexdigest()


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[at : at + _PIECE_BYTES]


def _window(text: bytes, cut: bool) -> Window:
    data = np.frombuffer(text, np.uint8)
    return Window(data, np.flatnonzero(data == _NEWLINE), cut)
