"""What the compressed records of a file hold: one zstd stream that goes on from record to record.

PERF_RECORD_COMPRESSED and PERF_RECORD_COMPRESSED2 (tools/lib/perf/include/perf/event.h); perf flushes the stream at
the end of each record and never ends it (tools/perf/util/zstd.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.layout import HEADER_SIZE

Span = tuple[int, int]  # start and end in the file

_MAGIC = b"\x28\xb5\x2f\xfd"  # of a frame (RFC 8878)
_END = b"\1\0\0"  # an empty block that is the frame's last: perf writes none
_AGREEING = 4  # records in a row that must make sense before damaged data is trusted again
_SKIPPED_AT_ONCE = 1 << 20
_HEADERS_TRIED = 64
# A record's most: PERF_SAMPLE_MAX_SIZE less the header and one (tools/perf/builtin-record.c, zstd_compress)
_PACKED2_MOST = (1 << 16) - walk.PACKED2_START - 1


class Unpacker:
    """Reads on in what the compressed records from data[at] on hold."""

    def __init__(self, data: Bytes, at: int, end: int, big: bool) -> None:
        self._data, self._end, self._big = data, end, big
        self._damage: list[Span] = []
        self._start(_Feed(data, at, end, big))

    @property
    def at(self) -> int:
        """How far the file is read."""
        return self._feed.at

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end. What can't be unpacked is passed over: see take_damage."""
        while not self._over:
            try:
                chunk: bytes = self._stream.read(size)
            except (OSError, pa.ArrowException):
                chunk = self._rescued(size)
            self._given += len(chunk)
            if chunk or self._feed.ended:
                return chunk
        return b""

    def take_between(self) -> list[Span]:
        """The records passed since last asked, in file order, that are not compressed."""
        taken, self._feed.between = self._feed.between, []
        return taken

    def take_damage(self) -> list[Span]:
        """What could not be read since last asked."""
        taken, self._damage = [*self._damage, *self._feed.damage], []
        self._feed.damage = []
        return taken

    def _start(self, feed: _Feed) -> None:
        """On with the frame that begins at the feed's next record."""
        self._feed, self._given, self._over = feed, 0, not feed.more()
        self._frame_at = feed.record[0]
        self._stream = pa.CompressedInputStream(pa.PythonFile(feed, mode="r"), "zstd")

    def _rescued(self, size: int) -> bytes:
        """A record can't be unpacked: what those before it hold beyond what was given; then on at the next frame.

        The stream loses what it had unpacked when it fails, so the frame is read again up to there.
        """
        failed, over = self._feed, self._feed.ended
        bad_at, bad_end = failed.record
        again = _Feed(self._data, self._frame_at, failed.at if over else bad_at, self._big)
        again.ended = over  # it failed on the end that we gave it: the frame had ended by itself
        rest = _rest_of(again, self._given, size)
        if over:
            self._over = True
            return rest
        between = failed.between
        following = _Feed(self._data, bad_end, self._end, self._big, to_frame=True)
        damage = failed.damage
        self._start(following)
        following.between[:0] = between
        self._damage += [*damage, (bad_at, self._end if self._over else following.record[0])]
        self._given = -len(rest)
        return rest


def _rest_of(feed: _Feed, given: int, size: int) -> bytes:
    stream = pa.CompressedInputStream(pa.PythonFile(feed, mode="r"), "zstd")
    try:
        while given > 0:
            skipped = len(stream.read(min(given, _SKIPPED_AT_ONCE)))
            if not skipped:
                return b""
            given -= skipped
        rest: bytes = stream.read(size)
    except (OSError, pa.ArrowException):
        return b""
    return rest


class _Feed:
    """The data of compressed records, one record's at a time, as the file that zstd reads from."""

    closed = False

    def __init__(self, data: Bytes, at: int, end: int, big: bool, *, to_frame: bool = False) -> None:
        self.at = at
        self.record: Span = (at, at)  # the one whose data is being given
        self.between: list[Span] = []
        self.damage: list[Span] = []
        self.ended = False
        self._data, self._end, self._big, self._to_frame = data, end, big, to_frame
        self._queue: list[Span] = []

    def more(self) -> bool:
        """Whether there is data to give."""
        while not self._queue and self.at < self._end:
            self._next()
        return bool(self._queue)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes of one record's data."""
        if not self.more():
            last, self.ended = b"" if self.ended else _END, True
            return last
        start, end = self._queue.pop(0)
        if 0 <= size < end - start:
            self._queue.insert(0, (start + size, end))
            end = start + size
        return self._data[start:end].tobytes()

    def _next(self) -> None:
        at, why = walk.skim(self._data, self.at, self._end, self._big)
        if at > self.at:
            self.between.append((self.at, int(at)))
        self.at = int(at)
        if why == walk.PACKED:
            self._take(int(walk.next_record(self._data, at, self._end, self._big)))
        elif why == walk.IMPOSSIBLE:
            again = int(walk.resync(self._data, at + 4, self._end, self._big, _AGREEING))
            self.damage.append((self.at, again))
            self.at = again

    def _take(self, size: int) -> None:
        spans = [span for span in payloads(self._data, self.at, size, self._big) if span[0] < span[1]]
        start, self.at = self.at, self.at + size
        if self._to_frame and not (spans and self._data[spans[0][0] : spans[0][0] + 4].tobytes() == _MAGIC):
            return
        self._to_frame = False
        self.record, self._queue = (start, self.at), spans

    def close(self) -> None:
        """There is nothing to close."""

    def readable(self) -> bool:
        """As files say."""
        return True


def payloads(data: Bytes, at: int, size: int, big: bool) -> list[Span]:
    """Where the data of the compressed record at `at` is: in one place, or in several records that came as one."""
    order = ">" if big else "<"
    head = data[at : at + walk.PACKED2_START].tobytes()
    if struct.unpack_from(order + "I", head)[0] == walk.COMPRESSED:
        return [(at + HEADER_SIZE, at + size)]
    start, length = at + walk.PACKED2_START, struct.unpack_from(order + "Q", head, HEADER_SIZE)[0]
    end = start + length if length <= size - walk.PACKED2_START else at + size
    if end - start <= _PACKED2_MOST:
        return [(start, end)]
    for found in _headers_within(data, start, end, order):
        chain = _chained(data, found, end, order)
        if chain:
            return [(start, found), *chain]
    return [(start, end)]


def _headers_within(data: Bytes, start: int, end: int, order: str) -> Iterator[int]:
    """Where the second record may begin: where the first one is full, or anywhere that looks like it."""
    yield start + _PACKED2_MOST
    marked, window = struct.pack(order + "IH", walk.COMPRESSED2, 0), data[start : start + 2 * _PACKED2_MOST].tobytes()
    found = -1
    for _ in range(_HEADERS_TRIED):
        found = window.find(marked, found + 1)
        if found < 0:
            return
        yield start + found


def _chained(data: Bytes, at: int, end: int, order: str) -> list[Span]:
    """The data of COMPRESSED2 records that follow each other from `at` to exactly `end`; empty if there are none."""
    found = []
    while at < end:
        if at + walk.PACKED2_START > end:
            return []
        kind, _, size = struct.unpack_from(order + "IHH", data[at : at + HEADER_SIZE].tobytes())
        if kind != walk.COMPRESSED2 or size < walk.PACKED2_START or at + size > end:
            return []
        found.append((at + walk.PACKED2_START, at + size))
        at += size
    return found
