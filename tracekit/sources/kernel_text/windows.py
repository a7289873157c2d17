"""A text file in windows of whole lines, so that no file need fit in memory."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracekit.sources.kernel_text.words import Bytes

WINDOW_BYTES = 4 << 20  # about 30,000 lines; four times as much falls out of the caches and takes a quarter longer
_LONGEST_LINE = 1 << 20
_HEAD_OF_LINE = 4096  # what is kept of a longer one: its columns and an event's text are far shorter
_HEAD_BYTES = 64 * 1024
_PIECE_BYTES = 1024
_NEWLINE = 10
_ATRACE = re.compile(rb"(?:\A|\n)TRACE:\r?\n(?=\x78)")  # what `atrace -z` writes: a zlib stream


class Window(NamedTuple):
    """Whole lines, whose bytes change when the next window is asked for; `cut`: the only one lacked its end."""

    data: Bytes
    cut: bool


class Text:
    """A file's lines. `digest` and `damage` are there when all windows have been taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.done = 0
        self.head = b""  # of the file, as it is
        self.digest = ""
        self._kept = 0  # bytes of a line that goes on in the next window
        self.damage: str | None = None  # a gap's cause, where compressed text breaks off

    def windows(self) -> Iterator[Window]:
        """Each window once."""
        room = np.empty(_LONGEST_LINE + WINDOW_BYTES + 1, np.uint8)
        with _Hashed(self) as file:
            for size in self._filled(file, room):
                end = self._kept + size
                whole = _whole_lines(room, self._kept, end)
                if whole:
                    yield Window(room[:whole], cut=False)
                file.let_go()
                rest = room[whole:end]
                self._kept = len(rest) if len(rest) <= _LONGEST_LINE else _HEAD_OF_LINE
                room[: self._kept] = rest[: self._kept]
        if self._kept:
            room[self._kept] = _NEWLINE
            yield Window(room[: self._kept + 1], cut=True)

    def _filled(self, file: _Hashed, room: Bytes) -> Iterator[int]:
        """Fill `room` behind what is kept of it, again and again, and say with how many bytes."""
        size = file.read_into(room[:WINDOW_BYTES])
        packed = _ATRACE.search(self.head)
        if packed is None:
            while size:
                yield size
                size = file.read_into(room[self._kept : self._kept + WINDOW_BYTES])
            return
        chunks = chain([room[packed.end() : size].tobytes()], file.chunks())
        for chunk in self._inflated(chunks):
            for at in range(0, len(chunk), WINDOW_BYTES):
                piece = np.frombuffer(chunk, np.uint8)[at : at + WINDOW_BYTES]
                room[self._kept : self._kept + len(piece)] = piece
                yield len(piece)
        for _ in chunks:  # the digest is of the whole file
            pass

    def _inflated(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """In small pieces, so that damage costs what is behind it only; none grows beyond 1032 times its size."""
        stream, held = zlib.decompressobj(), bytearray()
        try:
            for piece in _pieces(chunks):
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


class _Hashed:
    """The file, read and hashed: hashing lets go of the interpreter, and so runs beside the reading of lines."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._state = hashlib.sha256()
        self._hashing: Future[None] | None = None

    def __enter__(self) -> _Hashed:
        self._file = self._text.path.open("rb", buffering=0)
        self._beside = ThreadPoolExecutor(1)
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go()
        self._beside.shutdown()
        self._file.close()
        self._text.digest = self._state.hexdigest()

    def read_into(self, room: Bytes) -> int:
        """How many bytes there were; these must not change before `let_go`."""
        size = self._file.readinto(room.data) or 0
        self._text.head = self._text.head or room[: min(size, _HEAD_BYTES)].tobytes()
        self._text.done += size
        self._hashing = self._beside.submit(self._state.update, room[:size].data)
        return size

    def let_go(self) -> None:
        """Wait until what was read is hashed."""
        if self._hashing is not None:
            self._hashing.result()

    def chunks(self) -> Iterator[bytes]:
        """What is left of it."""
        room = np.empty(WINDOW_BYTES, np.uint8)
        self.let_go()
        while size := self.read_into(room):
            yield room[:size].tobytes()
            self.let_go()


def _whole_lines(room: Bytes, start: int, end: int) -> int:
    """Where the last line ends in room[:end], of which only room[start:end] is looked at; 0: nowhere."""
    near = max(start, end - _HEAD_OF_LINE)
    for begin in (near, start):
        found = room[begin:end].tobytes().rfind(b"\n")
        if found >= 0:
            return begin + found + 1
    return 0


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[at : at + _PIECE_BYTES]
