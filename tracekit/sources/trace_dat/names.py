"""Task names out of events, and out of the saved command lines where an event has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import NameReader, Records, Rows
from tracekit.sources.kernel.formats import EventFormat, Field
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.kernel.tracepoints import NAME_FIELDS, TRACEPOINTS
from tracekit.sources.trace_dat.header import Header
from tracekit.sources.trace_dat.layout import TYPE_AT
from tracekit.sources.trace_dat.merging import Namer
from tracekit.sources.trace_dat.streams import Part


def namer(header: Header) -> Namer:
    """Reads names out of the parts that a batch was merged from."""
    fields = _name_fields(header.formats)
    type_at, order_name = int(header.layout[TYPE_AT]), "big" if header.big else "little"

    def one(part: Part, place: int, role: int) -> str:
        number = int.from_bytes(part.data[place + type_at : place + type_at + 2].tobytes(), order_name)  # type: ignore[arg-type]
        field = fields[number][role] if number in fields else None
        return _text(_field_bytes(part.data, place, field, header.big)) if field else ""

    def of(parts: list[Part], events: Records, order: Rows) -> NameReader:
        starts = np.cumsum([0, *(len(part.events) for part in parts)])

        def read(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
            sources = order[rows]
            owners = np.searchsorted(starts, sources, side="right") - 1
            found = []
            for row, source, owner, role in zip(
                rows.tolist(), sources.tolist(), owners.tolist(), roles.tolist(), strict=True
            ):
                part = parts[owner]
                tid = int(events[row]["target_tid" if role else "tid"])
                found.append(one(part, int(part.places[source - starts[owner]]), role) or header.commands.get(tid, ""))
            return found

        return read

    return of


def _name_fields(formats: Mapping[int, EventFormat]) -> dict[int, tuple[Field | None, Field | None]]:
    found = {}
    for number, event in formats.items():
        own, target = NAME_FIELDS.get(TRACEPOINTS[event.name][0], ("", "comm"))
        found[number] = event.fields.get(own), event.fields.get(target)
    return found


def _field_bytes(data: Bytes, at: int, field: Field, big: bool) -> Bytes:
    start, size = at + field.offset, field.size
    if field.dynamic:  # a 32-bit word: the offset below, the length above (include/trace/trace_events.h)
        word = int.from_bytes(data[start : start + 4].tobytes(), "big" if big else "little")
        start, size = at + (word & 0xFFFF), word >> 16
    return data[start : start + size]


def _text(raw: Bytes) -> str:
    return raw.tobytes().split(b"\0", 1)[0].decode("utf-8", "replace")
