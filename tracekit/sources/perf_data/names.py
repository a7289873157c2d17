"""Task names out of the bytes of samples and COMM records."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import EVENT_KINDS, NameReader, Records, Rows
from tracekit.sources.kernel.formats import EventFormat, Field
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.kernel.tracepoints import NAME_FIELDS, TRACEPOINTS
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.layout import HEADER_SIZE

_COMM_AT = HEADER_SIZE + 8  # behind pid and tid
_COMM, _FORK = EVENT_KINDS["comm"], EVENT_KINDS["fork"]


class Names:
    """Reads names by event row and role, batch by batch. Where events hold none, COMM and FORK records tell them."""

    def __init__(self, layouts: Rows, formats: list[EventFormat | None], big: bool, by_notes: bool) -> None:
        self._layouts, self._big, self._by_notes = layouts, big, by_notes
        self._fields = [_name_fields(event) for event in formats]
        self._noted: dict[int, str] = {}  # by tid, at the end of the batches before

    def reader(self, data: Bytes, records: Records, events: Records) -> NameReader:
        """For a batch: `records` are those of its `events`."""
        if self._by_notes:
            return self._reader_by_notes(data, records, events)

        def read(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
            named = records[rows]
            raw = np.full(len(named), -1, np.int64)
            sampled = np.flatnonzero(named["type"] == walk.SAMPLE)
            raw[sampled] = walk.raw_places(data, named[sampled], self._layouts, self._big)
            view = data.data
            return [self._one(view, *row) for row in zip(named.tolist(), raw.tolist(), roles.tolist(), strict=True)]

        return read

    def _one(self, data: memoryview, record: tuple[int, ...], raw: int, role: int) -> str:
        at, _, _, size, kind, attr = record  # as RECORD has them
        end = at + size
        if kind == walk.COMM:
            return _text(data[at + _COMM_AT : end])
        field = self._fields[attr][role] if raw >= 0 else None
        return _text(_field_bytes(data[:end], raw, field, self._big)) if field else ""

    def _reader_by_notes(self, data: Bytes, records: Records, events: Records) -> NameReader:
        """Each task is called what the last note before says, and what its creator was called until then."""
        before = {tid: [(-1, name)] for tid, name in self._noted.items()}
        history: dict[int, list[tuple[int, str]]] = before
        notes = np.flatnonzero((events["kind"] == _COMM) | ((events["kind"] == _FORK) & (events["cpu"] < 0)))
        for row in notes.tolist():
            if events["kind"][row] == _COMM:
                name = self._one(data.data, records[row].item(), -1, 1)
            else:
                name = history.get(int(events["tid"][row]), [(-1, "")])[-1][1]
            history.setdefault(int(events["target_tid"][row]), []).append((row, name))
        self._noted = {tid: told[-1][1] for tid, told in history.items()}
        tids = (events["tid"].copy(), events["target_tid"].copy())

        def one(row: int, role: int) -> str:
            told = history.get(int(tids[role][row]), [])
            place = bisect_right(told, row, key=lambda note: note[0])
            return told[place - 1][1] if place else ""

        return lambda rows, roles: [one(*row) for row in zip(rows.tolist(), roles.tolist(), strict=True)]


def _name_fields(event: EventFormat | None) -> tuple[Field | None, Field | None]:
    if event is None or event.name not in TRACEPOINTS:
        return None, None
    own, target = NAME_FIELDS.get(TRACEPOINTS[event.name][0], ("", "comm"))
    return event.fields.get(own), event.fields.get(target)


def _field_bytes(data: memoryview, raw: int, field: Field, big: bool) -> memoryview:
    at, size = raw + field.offset, field.size
    if field.dynamic:  # a 32-bit word: the offset below, the length above (include/trace/trace_events.h)
        word = int.from_bytes(data[at : at + 4], "big" if big else "little")
        at, size = raw + (word & 0xFFFF), word >> 16
    return data[at : at + size]


def _text(raw: memoryview) -> str:
    return raw.tobytes().split(b"\0", 1)[0].decode("utf-8", "replace")
