"""A file's records that matter, in file order, window by window, and where its bytes make no sense."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.kernel.events import Records, Rows
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.perf_data import features, walk
from tracekit.sources.perf_data.header import Header, pipe_attr
from tracekit.sources.perf_data.layout import END_ID, ID_AT
from tracekit.sources.perf_data.tape import WINDOW_BYTES, Damage, PackedTape, PlainTape, Tape, let_go

AGREEING = 4  # records in a row that must make sense before damaged data is trusted again
_DAMAGES_MOST = 1000  # holes after which the rest of a file is one hole: looking for each next one takes time
_PIPE_NOTES_MOST = 1 << 16  # records that describe the recording, in a pipe's output
_USUAL_BYTES = 64  # a record has more as a rule
_CORRUPT, _TRUNCATED = "corrupt", "truncated"


@dataclass
class Window:
    """Some records in file order, places in `data`; what was passed over among them; how many rounds have ended.

    What comes after it in the file is from after the end of the last round that it counts.
    """

    data: Bytes
    records: Records
    damage: list[Damage]
    rounds: int
    last: bool
    at: int  # how far the file is read


class Windows:
    """Reads a file's records in windows."""

    def __init__(
        self, data: Bytes, header: Header, rows: Rows, ids: walk.Ids, window_bytes: int = WINDOW_BYTES
    ) -> None:
        at, size = header.data
        end = min(at + size, len(data))
        self._data, self._header, self._rows, self._ids = data, header, rows, ids
        self._window_bytes = window_bytes
        self._tape: Tape = PlainTape(data, at, end, window_bytes)
        self._end, self._declared = end, at + size
        self._rounds = self._damages = 0

    def next(self, pending: Records) -> Window:
        """The next window. The records of `pending`, of earlier ones, are readable in its data too."""
        tape = self._tape
        tape.advance(pending)
        parts, damage = [np.empty(0, walk.RECORD)], tape.damage
        if isinstance(tape, PackedTape):
            damage = [self._told(hole) for hole in damage]
        packed_at = self._walk(tape, parts, damage)
        self._damages += len(damage)
        last = tape.finished and tape.at >= tape.limit and packed_at is None
        if packed_at is not None:
            self._tape = PackedTape(self._data, packed_at, self._end, self._header.big, self._window_bytes)
        if last and self._declared > len(self._data) and not (damage and damage[-1].cause == _TRUNCATED):
            damage.append(Damage(tape.at, tape.at, _TRUNCATED, f"bytes {self._end} to {self._declared}"))
        records = parts[1] if len(parts) == 2 else np.concatenate(parts)
        done = packed_at if packed_at is not None else self._end if last else tape.file_at
        return Window(tape.data, records, damage, self._rounds, last, done)

    def _walk(self, tape: Tape, parts: list[Records], damage: list[Damage]) -> int | None:
        """The window's records into `parts`. Gives the place of the first compressed one, if it stopped there."""
        while tape.at < tape.limit:
            out = np.empty((tape.limit - tape.at) // _USUAL_BYTES + 16, walk.RECORD)
            count, at, why, rounds = walk.walk(
                tape.data, tape.at, tape.limit, tape.end, self._header.big, self._rows, self._ids, out
            )
            parts.append(out[:count])
            self._rounds += rounds
            tape.at = int(at)
            if why == walk.PACKED:
                if isinstance(tape, PlainTape):
                    return tape.at
                why = walk.IMPOSSIBLE  # compressed records hold none
            if why == walk.IMPOSSIBLE:
                damage.append(self._skipped(tape, len(damage)))
                tape.at = damage[-1].end
        return None

    def _skipped(self, tape: Tape, already: int) -> Damage:
        """From here to where records make sense again: never, in a file that is damaged all over."""
        few = self._damages + already < _DAMAGES_MOST
        again = int(walk.resync(tape.data, tape.at + 4, tape.end, self._header.big, AGREEING)) if few else tape.end
        at_end = again >= tape.end and tape.finished and few
        return Damage(tape.at, again, self._cause(at_end), tape.place(tape.at, again))

    def _told(self, hole: Damage) -> Damage:
        to_end = hole.stream.endswith(f" {self._end}")
        return Damage(hole.start, hole.end, self._cause(to_end), hole.stream)

    def _cause(self, to_end: bool) -> str:
        """A hole up to the end is one of a file that was cut, where the header does not say that it is whole."""
        open_ended = self._declared > len(self._data) or self._header.unfinished or self._header.pipe
        return _TRUNCATED if to_end and open_ended else _CORRUPT


def notes_of(data: Bytes, header: Header) -> features.Notes:
    """What is noted about the recording. A pipe's events are added to `header`, and an unfinished file's end."""
    notes = features.Notes({})
    view = data.data
    if header.pipe:
        _pipe_notes(data, view, header, notes)
        return notes
    if header.unfinished:
        _find_end(data, header)
    for bit, at, size in features.sections(view, header.order, sum(header.data), header.features):
        features.note(notes, bit, view[at : at + size], header.order)
    return notes


def _pipe_notes(data: Bytes, view: memoryview, header: Header, notes: features.Notes) -> None:
    wanted = np.array([walk.HEADER_ATTR, walk.TRACING_DATA, walk.HEADER_FEATURE], np.int64)
    places = np.zeros(_PIPE_NOTES_MOST, np.int64)
    at, count = header.data[0], 0
    while at < len(data) and count < len(places):
        found, stop = walk.find(data, at, at + WINDOW_BYTES, len(data), header.big, wanted, places[count:])
        if stop == at:
            break
        at, count = int(stop), count + int(found)
        let_go(data, at)
    for place in places[:count].tolist():
        _pipe_note(view, header, notes, place)


def _pipe_note(view: memoryview, header: Header, notes: features.Notes, at: int) -> None:
    kind, _, size = struct.unpack_from(header.order + "IHH", view, at)
    if kind == walk.HEADER_ATTR:
        attr = pipe_attr(view, header.order, at, size)
        header.attrs += [attr] if attr else []
    elif kind == walk.TRACING_DATA and size >= 12:
        (payload,) = struct.unpack_from(header.order + "I", view, at + 8)
        features.note(notes, features.TRACING_DATA, view[at + size : at + size + payload], header.order)
    elif kind == walk.HEADER_FEATURE and size >= 16:
        (bit,) = struct.unpack_from(header.order + "Q", view, at + 8)
        features.note(notes, bit, view[at + 16 : at + size], header.order)


def _find_end(data: Bytes, header: Header) -> None:
    """Where the records of a file end whose header does not say: where the table of its feature sections begins."""
    start, at, holes, none = header.data[0], header.data[0], 0, np.zeros(0, np.int64)
    while at < len(data):
        _, at = (int(number) for number in walk.find(data, at, at + WINDOW_BYTES, len(data), header.big, none, none))
        let_go(data, at)
        if at >= len(data) or walk.next_record(data, at, len(data), header.big):
            continue
        if _feature_table_at(data, header, at):
            header.data = (start, at - start)
            return
        holes += 1
        at = int(walk.resync(data, at + 4, len(data), header.big, AGREEING)) if holes < _DAMAGES_MOST else len(data)


def _feature_table_at(data: Bytes, header: Header, at: int) -> bool:
    """Whether the table of feature sections begins here: the sections follow it, one behind the other."""
    count = len(header.features)
    if not count or at + 16 * count > len(data):
        return False
    table = struct.unpack_from(f"{header.order}{2 * count}Q", data.data, at)
    ends = [offset + size for offset, size in zip(table[::2], table[1::2], strict=True)]
    return table[0] >= at + 16 * count and list(table[2::2]) == ends[:-1]


def ids_of(header: Header, rows: Rows, where: str) -> walk.Ids:
    """How the file's records say which event they are of. Raises SourceError when they do not and must."""
    if not header.attrs:
        raise SourceError("it names no recorded events", where=where, remedy="record it again")
    if len(header.attrs) == 1:
        return walk.Ids(-1, 0, np.zeros(0, np.int64), np.zeros(0, np.int64))
    places, ends = set(rows[:, ID_AT].tolist()), set(rows[:, END_ID].tolist())
    if places == {-1} or len(places) > 1:
        raise SourceError(
            "its samples do not say which event they are of", where=where, remedy="record it with perf sched record"
        )
    pairs = sorted((number, place) for place, attr in enumerate(header.attrs) for number in attr.ids)
    ids = np.array([number for number, _ in pairs], np.uint64).astype(np.int64)
    of = np.array([place for _, place in pairs], np.int64)
    order = np.argsort(ids, kind="stable")
    return walk.Ids(places.pop(), ends.pop() if len(ends) == 1 else 0, ids[order], of[order])
