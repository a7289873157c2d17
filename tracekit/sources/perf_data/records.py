"""All records of a file that matter, in file order, and where its bytes make no sense."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import Progress
from tracekit.sources.kernel.events import Records, Rows
from tracekit.sources.perf_data import features, walk
from tracekit.sources.perf_data.header import Header, pipe_attr
from tracekit.sources.perf_data.layout import HEADER_SIZE, ID_AT, layouts
from tracekit.sources.perf_data.numbers import Bytes

BATCH = 1 << 18  # records between two reports of progress
AGREEING = 4  # records in a row that must make sense before damaged data is trusted again
_DAMAGES_MOST = 1000  # holes after which the rest of a file is one hole: looking for each next one takes time
_PIPE_NOTES_MOST = 1 << 16  # records that describe the recording, in a pipe's output


@dataclass
class Damage:
    """Bytes passed over: from where to where, and why."""

    start: int
    end: int
    cause: str


@dataclass
class Recorded:
    """A file's records and what is known about them. `layouts`: one row by event."""

    records: Records
    layouts: Rows
    notes: features.Notes
    damage: list[Damage] = field(default_factory=list)


def read_records(data: Bytes, header: Header, where: str, progress: Progress) -> Recorded:
    """Walk the whole file. Raises SourceError when nothing can be made of it."""
    notes = features.Notes({})
    view = data.data
    if header.pipe:
        _pipe_notes(data, view, header, notes)
    if not header.attrs:
        raise SourceError("it names no recorded events", where=where, remedy="record it again")
    rows = layouts(header.attrs)
    batches, stop, damage = _walk(data, header, rows, where, progress)
    if not header.pipe:
        for bit, at, size in features.sections(view, header.order, stop, header.features):
            features.note(notes, bit, view[at : at + size], header.order)
    records = batches[0] if len(batches) == 1 else np.concatenate(batches)
    return Recorded(records, rows, notes, damage)


def _pipe_notes(data: Bytes, view: memoryview, header: Header, notes: features.Notes) -> None:
    wanted = np.array([walk.HEADER_ATTR, walk.TRACING_DATA, walk.HEADER_FEATURE], np.int64)
    places = np.zeros(_PIPE_NOTES_MOST, np.int64)
    count = walk.find(data, header.data[0], len(data), header.big, wanted, places)
    for at in places[:count].tolist():
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


def _ids(header: Header, rows: Rows, where: str) -> tuple[int, Rows, Rows]:
    """Where a sample has its id (-1: there is one event only), the ids, sorted, and the event of each."""
    places = set(rows[:, ID_AT].tolist())
    if len(header.attrs) == 1:
        return -1, np.zeros(0, np.int64), np.zeros(0, np.int64)
    if places == {-1} or len(places) > 1:
        raise SourceError(
            "its samples do not say which event they are of", where=where, remedy="record it with perf sched record"
        )
    pairs = sorted((number, place) for place, attr in enumerate(header.attrs) for number in attr.ids)
    ids = np.array([number for number, _ in pairs], np.uint64).astype(np.int64)
    of = np.array([place for _, place in pairs], np.int64)
    order = np.argsort(ids, kind="stable")
    return places.pop(), ids[order], of[order]


def _walk(
    data: Bytes, header: Header, rows: Rows, where: str, progress: Progress
) -> tuple[list[Records], int, list[Damage]]:
    id_at, ids, attr_of_id = _ids(header, rows, where)
    at, size = header.data
    declared = at + size
    end = min(declared, len(data))
    batches: list[Records] = []
    damage: list[Damage] = []
    out, filled = _batch(end - at), 0
    while at < end:
        count, at, why = walk.walk(data, at, end, header.big, rows, id_at, ids, attr_of_id, out[filled:])
        filled += count
        progress(at, len(data))
        if why == walk.PACKED:
            raise _packed(where, at)
        if why == walk.FULL:
            batches.append(out)
            out, filled = _batch(end - at), 0
        if why == walk.IMPOSSIBLE:
            if header.unfinished and _feature_table_at(data, header, at):
                declared = at
                break
            damage.append(_skipped(data, header, at, end, len(damage)))
            at = damage[-1].end
    batches.append(out[:filled])
    if declared > len(data) and not (damage and damage[-1].end == end):
        damage.append(Damage(end, declared, "truncated"))
    return batches, declared, damage


def _batch(bytes_left: int) -> Records:
    return np.empty(min(BATCH, bytes_left // HEADER_SIZE + 1), walk.RECORD)


def _skipped(data: Bytes, header: Header, at: int, end: int, already: int) -> Damage:
    """From `at` to where records make sense again: never, in a file that is damaged all over."""
    again = int(walk.resync(data, at + 4, end, header.big, AGREEING)) if already < _DAMAGES_MOST else end
    at_end = again >= end and already < _DAMAGES_MOST
    cut = at_end and (sum(header.data) > len(data) or header.unfinished or header.pipe)
    return Damage(at, again, "truncated" if cut else "corrupt")


def _feature_table_at(data: Bytes, header: Header, at: int) -> bool:
    """Whether the table of feature sections begins here: the sections follow it, one behind the other."""
    count = len(header.features)
    if not count or at + 16 * count > len(data):
        return False
    table = struct.unpack_from(f"{header.order}{2 * count}Q", data.data, at)
    ends = [offset + size for offset, size in zip(table[::2], table[1::2], strict=True)]
    return table[0] >= at + 16 * count and list(table[2::2]) == ends[:-1]


def _packed(where: str, at: int) -> SourceError:
    return SourceError(
        "a perf.data with zstd-compressed records",
        where=f"{where} at byte {at}",
        remedy="record without -z",
    )
