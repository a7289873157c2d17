"""The bytes that hold a file's records, window by window: the file's own, or what its compressed records hold."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tracekit.sources.kernel.events import Records
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.unpack import Unpacker

WINDOW_BYTES = 8 << 20
_UNPACKED_AT_ONCE = 1 << 20


@dataclass
class Damage:
    """Bytes passed over: from where to where on the tape, why, and where in the file."""

    start: int
    end: int
    cause: str
    stream: str


class Tape(Protocol):
    """`data[at:limit]` is the window; records that begin there may reach up to `end`."""

    data: Bytes
    at: int
    limit: int
    end: int
    finished: bool  # no window comes after this one
    file_at: int  # how far the file is read
    damage: list[Damage]  # met while the window was made

    def advance(self, pending: Records) -> None:
        """The next window. The bytes of `pending` stay readable, at places that are changed in it."""
        ...

    def place(self, start: int, end: int) -> str:
        """Where in the file."""
        ...


class PlainTape:
    """A file without compression: the tape is the file."""

    def __init__(self, data: Bytes, at: int, end: int, window_bytes: int) -> None:
        self.data, self.at, self.limit, self.end = data, at, at, end
        self.file_at = at
        self.window_bytes = window_bytes
        self.damage: list[Damage] = []
        self.finished = False

    def advance(self, pending: Records) -> None:
        """On by as much as a window holds."""
        let_go(self.data, self.at)
        self.damage = []
        self.limit = self.file_at = min(self.at + self.window_bytes, self.end)
        self.finished = self.limit >= self.end

    def place(self, start: int, end: int) -> str:
        """Places are the file's own."""
        return f"bytes {start} to {end}"


class PackedTape:
    """From a file's first compressed record on: what they hold, and the other records between them.

    A record that is not compressed comes before what the compressed one behind it holds; one that goes on in the next
    compressed record comes with that. At the end of a window the ends of rounds are where they belong.
    """

    def __init__(self, data: Bytes, at: int, end: int, big: bool, window_bytes: int) -> None:
        self.data, self.at, self.limit, self.end = data, at, at, at
        self.file_at = at
        self.window_bytes = window_bytes
        self.damage: list[Damage] = []
        self.finished = False
        self._file, self._big = data, big
        self._unpacker = Unpacker(data, at, end, big)
        self._rest = np.zeros(0, np.uint8)
        self._from = at

    def advance(self, pending: Records) -> None:
        """Unpack as much as a window holds."""
        let_go(self._file, self._unpacker.at)
        self._from, self.damage = self.file_at, []
        kept = np.empty(int(pending["size"].sum()), np.uint8)
        walk.gather(self.data, pending, kept)
        pieces, size = [kept], len(kept)
        while size < len(kept) + self.window_bytes and not self.finished:
            more = self._more()
            pieces += more
            size += sum(map(len, more))
            self._note_damage(size)
        self.file_at = self._unpacker.at
        self.data = np.concatenate(pieces)
        self.data.flags.writeable = False  # as a file's bytes are, so that nothing is compiled twice
        self.at, self.limit, self.end = len(kept), size, size

    def _more(self) -> list[Bytes]:
        chunk = self._unpacker.read(_UNPACKED_AT_ONCE)
        pieces = [self._file[start:end] for start, end in self._unpacker.take_between()]
        if not chunk:
            self.finished = True
            return [*pieces, self._rest]  # a record that never goes on makes no sense to who reads it
        body = np.concatenate([self._rest, np.frombuffer(chunk, np.uint8)])
        whole = int(walk.whole_until(body, self._big))
        self._rest = body[whole:]
        return [*pieces, body[:whole]]

    def _note_damage(self, at: int) -> None:
        for start, end in self._unpacker.take_damage():
            self.damage.append(Damage(at, at, "corrupt", f"bytes {start} to {end}"))

    def place(self, start: int, end: int) -> str:
        """Only the window's place is known, not that of a byte within."""
        return f"compressed bytes {self._from} to {self.file_at}"


def let_go(data: Bytes, until: int) -> None:
    """What has been read of a mapped file need not stay in memory. It can be read again."""
    base = data.base
    owner = base.obj if isinstance(base, memoryview) else base
    whole = until // mmap.PAGESIZE * mmap.PAGESIZE
    if isinstance(owner, mmap.mmap) and whole:
        owner.madvise(mmap.MADV_DONTNEED, 0, whole)
