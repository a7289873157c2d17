"""Holes in the file, and slices that contradict each other, as gaps."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tracekit.sources.chrome_json.layout import EVENTS, NONE
from tracekit.sources.chrome_json.reading import Read
from tracekit.sources.chrome_json.tasks import THREADS
from tracekit.tables.build import empty, table
from tracekit.vocabulary import GAP_CAUSES


def gap_table(read: Read) -> pa.Table:
    """All that is missing or doubtful."""
    rows = [_hole(read, hole) for hole in read.scanned.holes]
    if read.kind != THREADS:
        rows += [_contradiction(read, row) for row in read.swept.overlaps if row["end"] - row["start"] > 1]
    rows += [_contradiction(read, row) for row in read.contradictions if row["end"] - row["start"] > 1]
    rows += [gap for told in read.rows.gaps if (gap := _told_gap(told)) is not None]
    if not rows:
        return empty("gaps")
    rows.sort(key=lambda row: (row["start_ns"], row["end_ns"], -1 if row["cpu"] is None else row["cpu"]))
    return table("gaps", {column: [row[column] for row in rows] for column in rows[0]})


def _gap(start_ns: int, end_ns: int, cause: str, stream: str | None = None, cpu: int | None = None) -> dict[str, Any]:
    start = max(start_ns, 0)
    return {"cpu": cpu, "stream": stream, "start_ns": start, "end_ns": max(end_ns, start), "lost_events": None,
            "cause": cause}  # fmt: skip


def _hole(read: Read, hole: Any) -> dict[str, Any]:
    """Between the events on both sides of the damage; the format keeps no order, so that is where it was written."""
    times = read.scanned.store.events["ts"][: read.scanned.store.state[EVENTS]]
    before = int(times[hole.events - 1]) if hole.events else read.origin_ns
    after = int(times[hole.events]) if hole.events < len(times) else read.end_ns
    start, end = min(before, after), min(max(before, after), read.end_ns)
    return _gap(start - read.origin_ns, end - read.origin_ns, hole.cause, f"byte {hole.offset}: {hole.what}")


def _contradiction(read: Read, row: Any) -> dict[str, Any]:
    of = read.rows
    cpu = int(of.cpu[row["row"]])
    where = f"row {of.names[row['row']] or of.tid[row['row']]}: slices overlap"
    start, end = int(row["start"]) - read.origin_ns, int(row["end"]) - read.origin_ns
    return _gap(start, end, "inconsistent", where, None if cpu == NONE else cpu)


def _told_gap(told: dict[str, Any]) -> dict[str, Any] | None:
    """A gap as our own export writes it."""
    cause, cpu, lost, stream = (told.get(key) for key in ("cause", "cpu", "lost_events", "stream"))
    start, end = told.get("start_ns"), told.get("end_ns")
    if not isinstance(cause, str) or cause not in GAP_CAUSES:
        return None
    if not isinstance(start, int) or not isinstance(end, int) or max(start, end) >= 1 << 60:
        return None
    gap = _gap(start, end, cause, stream if isinstance(stream, str) else None)
    gap["cpu"] = cpu if isinstance(cpu, int) and 0 <= cpu < 1 << 31 else None
    gap["lost_events"] = lost if isinstance(lost, int) and 0 <= lost < 1 << 60 else None
    return gap
