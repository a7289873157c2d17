"""A file's records to scheduling events in time order, and what is missing between them."""

from __future__ import annotations

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import SCHEDULING_KINDS, KernelRecording, Records, Rows
from tracekit.sources.kernel.formats import EventFormat
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.decode import KIND, Plan, decode, plan
from tracekit.sources.perf_data.header import Header
from tracekit.sources.perf_data.holes import gaps, records_astray
from tracekit.sources.perf_data.layout import CPU_AT, HAS_RAW, TID_AT, TIME_AT, TRACEPOINT
from tracekit.sources.perf_data.names import name_reader
from tracekit.sources.perf_data.numbers import Bytes
from tracekit.sources.perf_data.recognise import recognise
from tracekit.sources.perf_data.records import Recorded

HOW_TO_RECORD = "record with: perf sched record -k CLOCK_MONOTONIC -- COMMAND"


def recording(data: Bytes, header: Header, recorded: Recorded, options: ReadOptions, where: str) -> KernelRecording:
    """The recording in the kernel's terms. Raises SourceError when it has no scheduling events."""
    formats = _formats(data, header, recorded, where)
    how = plan(formats)
    _require(header, recorded, how, where)
    records = recorded.records
    astray = records_astray(records)
    found, streams = gaps(data, recorded, astray, header.big)
    chosen = in_time_order(records, _wanted(records, how.rows[:, KIND], astray))
    events = decode(data, records, chosen, recorded.layouts, how, header.big)
    kept = events["kind"] >= 0
    foreign = _foreign(events, recorded.layouts)
    if foreign:
        kept &= records["type"][chosen] == walk.SAMPLE
    if not kept.all():
        events, chosen = events[kept], chosen[kept]
    return KernelRecording(
        events,
        name_reader(data, records, chosen, recorded.layouts, formats, header.big),
        found,
        options.wakeup,
        lambda done, total: options.progress(len(data) * done // total, len(data)),
        policies=_recognised(header, recorded, formats) + foreign,
        streams=streams,
    )


def _formats(data: Bytes, header: Header, recorded: Recorded, where: str) -> list[EventFormat | None]:
    if not any(attr.type == TRACEPOINT for attr in header.attrs):
        raise SourceError("it has no tracepoints, so no scheduling events", where=where, remedy=HOW_TO_RECORD)
    known = recorded.notes.formats
    if known:
        return [known.get(attr.config) if attr.type == TRACEPOINT else None for attr in header.attrs]
    recognised = recognise(data, header, recorded)
    if not any(recognised):
        raise SourceError(
            "the formats of its events are lost: perf writes them at the end of the file, and that is missing",
            where=where,
            remedy="copy the file again, whole, or record again and let perf finish",
        )
    return recognised


def _recognised(header: Header, recorded: Recorded, formats: list[EventFormat | None]) -> list[dict[str, object]]:
    """The policy of a file without formats: which events were recognised by their samples, and which were not."""
    if recorded.notes.formats:
        return []
    names = [event.name for event in formats if event]
    lost = sum(attr.type == TRACEPOINT for attr in header.attrs) - len(names)
    choice = f"recognised by all their samples: {', '.join(names)}; left out: {lost} others"
    return [{"policy": "the formats of the events are lost", "choice": choice, "count": len(names)}]


def _foreign(events: Records, layouts: Rows) -> list[dict[str, object]]:
    """The policy for a recorder in a pid namespace of its own: the ids in its notes are not those in the events."""
    traced = (events["kind"] >= 0) & (events["kind"] < SCHEDULING_KINDS) & (events["cpu"] >= 0) & (events["tid"] > 0)
    known = int((events["tgid"][traced] >= 0).sum())  # where the sample's tid is that of the event
    if not (layouts[:, TID_AT] >= 0).all() or 2 * known >= int(traced.sum()):
        return []
    choice = "its notes of names, forks and exits are left out"
    return [{"policy": "the recorder saw other task ids than the kernel", "choice": choice, "count": len(events)}]


def _require(header: Header, recorded: Recorded, how: Plan, where: str) -> None:
    """What every scheduling event needs: a time, a CPU's place in order, and its raw data."""
    used = how.rows[:, KIND] >= 0
    if not used.any():
        raise SourceError("it has no scheduling events", where=where, remedy=HOW_TO_RECORD)
    layouts = recorded.layouts[used]
    if (layouts[:, [TIME_AT, CPU_AT]] < 0).any() or not layouts[:, HAS_RAW].all():
        raise SourceError("its samples lack time, CPU or raw data", where=where, remedy=HOW_TO_RECORD)


def _wanted(records: Records, kinds: Rows, astray: Rows) -> Rows:
    """Rows of the samples that are scheduling events, and of notes about tasks, but for those astray."""
    attr, types = records["attr"], records["type"]
    planned = (types == walk.SAMPLE) & (attr >= 0) & (kinds[attr] >= 0)
    planned[astray] = False
    return np.flatnonzero(planned | (types == walk.COMM) | (types == walk.FORK) | (types == walk.EXIT))


def in_time_order(records: Records, rows: Rows) -> Rows:
    """By time; records of one time in file order. That is perf's order too: FINISHED_ROUND only bounds how far
    apart in the file records can be that belong together, and the whole file is here to sort."""
    times = records["time_ns"][rows]
    if (times[1:] >= times[:-1]).all():
        return rows
    order: Rows = rows[np.argsort(times, kind="stable")]
    return order
