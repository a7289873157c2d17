"""Task names out of the bytes of samples and COMM records."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import NameReader, Records, Rows
from tracekit.sources.kernel.formats import EventFormat, Field
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.decode import NAME_FIELDS, TRACEPOINTS
from tracekit.sources.perf_data.layout import HEADER_SIZE
from tracekit.sources.perf_data.numbers import Bytes

_COMM_AT = HEADER_SIZE + 8  # behind pid and tid


def name_reader(
    data: Bytes, records: Records, chosen: Rows, layouts: Rows, formats: list[EventFormat | None], big: bool
) -> NameReader:
    """Reads names by event row and role; `chosen` is the record of each event."""
    fields = [_name_fields(event) for event in formats]

    def one(record: np.void, raw: int, role: int) -> str:
        end = int(record["at"]) + int(record["size"])
        if record["type"] == walk.COMM:
            return _text(data[int(record["at"]) + _COMM_AT : end])
        field = fields[int(record["attr"])][role] if raw >= 0 else None
        return _text(_field_bytes(data[:end], raw, field, big)) if field else ""

    def read(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        named = records[chosen[rows]]
        raw = np.full(len(named), -1, np.int64)
        sampled = np.flatnonzero(named["type"] == walk.SAMPLE)
        raw[sampled] = walk.raw_places(data, named[sampled], layouts, big)
        return [one(*row) for row in zip(named, raw.tolist(), roles.tolist(), strict=True)]

    return read


def _name_fields(event: EventFormat | None) -> tuple[Field | None, Field | None]:
    if event is None or event.name not in TRACEPOINTS:
        return None, None
    own, target = NAME_FIELDS.get(TRACEPOINTS[event.name][0], (None, "comm"))
    return event.fields.get(own or ""), event.fields.get(target or "")


def _field_bytes(data: Bytes, raw: int, field: Field, big: bool) -> Bytes:
    at, size = raw + field.offset, field.size
    if field.dynamic:  # a 32-bit word: the offset below, the length above (include/trace/trace_events.h)
        word = int.from_bytes(data[at : at + 4].tobytes(), "big" if big else "little")
        at, size = raw + (word & 0xFFFF), word >> 16
    return data[at : at + size]


def _text(raw: Bytes) -> str:
    return raw.tobytes().split(b"\0", 1)[0].decode("utf-8", "replace")
