"""A file's records to scheduling events in time order, and what is missing between them."""

from __future__ import annotations

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import GAP, KernelRecording, Records, Rows
from tracekit.sources.kernel.formats import EventFormat
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.decode import KIND, Plan, decode, plan
from tracekit.sources.perf_data.header import Header
from tracekit.sources.perf_data.layout import HAS_RAW, TIME_AT, TRACEPOINT
from tracekit.sources.perf_data.names import name_reader
from tracekit.sources.perf_data.numbers import Bytes, i64
from tracekit.sources.perf_data.records import Recorded
from tracekit.vocabulary import GAP_CAUSES

HOW_TO_RECORD = "record with: perf sched record -k CLOCK_MONOTONIC -- COMMAND"


def recording(data: Bytes, header: Header, recorded: Recorded, options: ReadOptions, where: str) -> KernelRecording:
    """The recording in the kernel's terms. Raises SourceError when it has no scheduling events."""
    formats = _formats(header, recorded, where)
    how = plan(formats)
    _require(header, recorded, how, where)
    chosen = in_time_order(_wanted(recorded.records, how.rows[:, KIND]))
    events = decode(data, chosen, recorded.layouts, how, header.big)
    whole = events["kind"] >= 0
    gaps, streams = holes(data, recorded, header.big)
    return KernelRecording(
        events[whole],
        name_reader(data, chosen[whole], recorded.layouts, formats, header.big),
        gaps,
        options.wakeup,
        lambda done, total: options.progress(len(data) * done // total, len(data)),
        streams=streams,
    )


def _formats(header: Header, recorded: Recorded, where: str) -> list[EventFormat | None]:
    tracepoints = [attr for attr in header.attrs if attr.type == TRACEPOINT]
    if not tracepoints:
        raise SourceError("it has no tracepoints, so no scheduling events", where=where, remedy=HOW_TO_RECORD)
    if not recorded.notes.formats:
        raise SourceError(
            "the formats of its events are lost: perf writes them at the end of the file, and that is missing",
            where=where,
            remedy="copy the file again, whole, or record again and let perf finish",
        )
    formats = recorded.notes.formats
    return [formats.get(attr.config) if attr.type == TRACEPOINT else None for attr in header.attrs]


def _require(header: Header, recorded: Recorded, how: Plan, where: str) -> None:
    """What every scheduling event needs: a time, a CPU's place in order, and its raw data."""
    used = how.rows[:, KIND] >= 0
    if not used.any():
        raise SourceError("it has no scheduling events", where=where, remedy=HOW_TO_RECORD)
    layouts = recorded.layouts[used]
    if (layouts[:, TIME_AT] < 0).any() or not layouts[:, HAS_RAW].all():
        raise SourceError("its samples carry no time or no raw data", where=where, remedy=HOW_TO_RECORD)


def _wanted(records: Records, kinds: Rows) -> Records:
    sample = records["type"] == walk.SAMPLE
    attr = records["attr"]
    planned = sample & (attr >= 0) & (kinds[attr] >= 0)
    noted = (records["type"] == walk.COMM) | (records["type"] == walk.FORK) | (records["type"] == walk.EXIT)
    wanted: Records = records[planned | noted]
    return wanted


def in_time_order(records: Records) -> Records:
    """By time; records of one time in file order. That is perf's order too: FINISHED_ROUND only bounds how far
    apart in the file records can be that belong together, and the whole file is here to sort."""
    order = np.argsort(records["time_ns"], kind="stable")
    ordered: Records = records[order]
    return ordered


def holes(data: Bytes, recorded: Recorded, big: bool) -> tuple[Records, list[str | None]]:
    """Gaps (GAP) for lost records and damaged bytes, and for each the part of the file concerned."""
    records = recorded.records
    lost = np.flatnonzero((records["type"] == walk.LOST) & (records["size"] >= 24))
    gaps = np.zeros(len(lost) + len(recorded.damage), GAP)
    rows = gaps[: len(lost)]
    rows["cpu"] = records["cpu"][lost]
    rows["end_ns"] = records["time_ns"][lost]
    rows["start_ns"] = _last_times_before(records, lost)
    rows["lost_events"] = [i64(data, int(at) + 16, big) for at in records["at"][lost]]
    rows["cause"] = GAP_CAUSES["lost_records"]
    times = np.maximum.accumulate(records["time_ns"])
    for row, damage in zip(gaps[len(lost) :], recorded.damage, strict=True):
        before, after = damage.records_before - 1, damage.records_before
        row["start_ns"] = times[before] if before >= 0 else 0
        row["end_ns"] = records["time_ns"][after] if after < len(records) else row["start_ns"]
        row["cpu"], row["lost_events"], row["cause"] = -1, -1, GAP_CAUSES[damage.cause]
    return gaps, [None] * len(lost) + [f"bytes {damage.start} to {damage.end}" for damage in recorded.damage]


def _last_times_before(records: Records, rows: Rows) -> Rows:
    """The time of the last record of the same CPU before each row: what was lost came after it."""
    found = records["time_ns"][rows]
    for cpu in np.unique(records["cpu"][rows]):
        mine = np.flatnonzero((records["cpu"] == cpu) & (records["type"] == walk.SAMPLE))
        here = records["cpu"][rows] == cpu
        place = np.searchsorted(mine, rows[here]) - 1
        if len(mine):
            found[here] = np.where(place >= 0, records["time_ns"][mine[place]], found[here])
    return found
