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
    data: Bytes, records: Records, layouts: Rows, formats: list[EventFormat | None], big: bool
) -> NameReader:
    """Reads names by event row and role; `records` are the events' own, in their order."""
    fields = [_name_fields(event) for event in formats]

    def one(record: np.void, role: int) -> str:
        at, size = int(record["at"]), int(record["size"])
        if record["type"] != walk.SAMPLE:
            return _text(data[at + _COMM_AT : at + size]) if record["type"] == walk.COMM else ""
        attr = int(record["attr"])
        field, raw = fields[attr][role], walk.raw_at(data, at, layouts[attr], big)
        if field is None or raw < 0:
            return ""
        return _text(_field_bytes(data[: at + size], raw, field, big))

    def read(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        return [one(records[row], int(role)) for row, role in zip(rows.tolist(), roles.tolist(), strict=True)]

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
