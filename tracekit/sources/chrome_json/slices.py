"""The events of each row in time, as slices that do not overlap: what was open from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracekit.jit import cached_njit, lean
from tracekit.sources.chrome_json.layout import EVENTS, NONE, ROWS, Ints, Number, Records, Store

SLICE = np.dtype([
    ("start", np.int64), ("end", np.int64), ("row", np.int32), ("name", np.int32), ("extra", np.int32),
    ("unfinished", np.int32),
], align=True)  # fmt: skip

# What the sweep counts.
SLICES, OVERLAPS, UNMATCHED, UNFINISHED, EMPTY, OPEN_ENDED, COUNTS = range(7)

_X, _B, _E = map(ord, "XBE")


@dataclass
class Swept:
    """Slices by row and time; how often which rule was applied; and where slices of a row overlapped."""

    slices: Records
    counts: Ints
    overlaps: Records


def sweep_rows(store: Store, merged: np.ndarray[Any, Any]) -> Swept:
    """The outermost slices of every row. `merged[row]`: slices that touch or overlap are one (a thread is busy)."""
    events = store.events[: store.state[EVENTS]]
    of_slices = np.isin(events["ph"], (_X, _B, _E))
    order = in_order(events, np.flatnonzero(of_slices), int(store.state[ROWS]))
    size = int(np.count_nonzero(of_slices)) + 1
    swept = Swept(np.empty(size, SLICE), np.zeros(COUNTS, np.int64), np.empty(size, SLICE))
    last = int((events["ts"] + np.maximum(events["dur"], 0)).max()) if len(events) else 0
    sweep(events, order, merged, last, swept.slices, swept.overlaps, swept.counts)
    swept.slices = swept.slices[: swept.counts[SLICES]]
    swept.overlaps = swept.overlaps[: swept.counts[OVERLAPS]]
    return swept


def ordered(major: Ints, minor: Ints) -> Ints:
    """The order by `major`, then `minor`, then place: as numpy's lexsort, which ignores that both come in long runs."""
    order = _stable(minor)
    return order[_stable(major[order])]


def _stable(values: Ints) -> Ints:
    values = np.ascontiguousarray(values)
    if len(values) and values.min() >= 0 and values.max() < 1 << 16:
        values = values.astype(np.uint16)  # which numpy sorts by digits, in one pass
    return np.argsort(values, kind="stable")


def grouped(keys: Ints) -> tuple[Ints, Ints]:
    """Where each different key is first, and for each place which of these keys it has."""
    order = _stable(keys)
    new = np.concatenate(([True], keys[order][1:] != keys[order][:-1]))[: len(keys)]
    group = np.empty(len(keys), np.int64)
    group[order] = np.cumsum(new) - 1
    return order[new], group


def in_order(events: Records, chosen: Ints, rows: int) -> Ints:
    """Numbers of the chosen events by row, then time, then place in the file."""
    row = events["row"][chosen]
    order = chosen[_stable(row)]
    bounds = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=rows))))
    ts = events["ts"][order]
    for number in np.flatnonzero(np.diff(bounds) > 1):
        part = slice(bounds[number], bounds[number + 1])
        times = ts[part]
        if np.any(times[1:] < times[:-1]):
            order[part] = order[part][np.argsort(times, kind="stable")]
    return order


@lean
def emit(slices: Records, counts: Ints, row: int, start: int, end: int, name: int, extra: int, open_: int) -> None:
    """A slice is over."""
    if end <= start:
        counts[EMPTY] += 1
        return
    s = slices[counts[SLICES]]
    counts[SLICES] += 1
    s["start"], s["end"], s["row"], s["name"], s["extra"], s["unfinished"] = start, end, row, name, extra, open_


@lean
def overlap(overlaps: Records, counts: Ints, row: int, start: int, end: int) -> None:
    """Two slices of a row were open at once, and neither within the other."""
    o = overlaps[counts[OVERLAPS]]
    counts[OVERLAPS] += 1
    o["start"], o["end"], o["row"], o["name"], o["extra"], o["unfinished"] = start, end, row, NONE, NONE, 0


@lean
def sweep_row(
    events: Records, order: Ints, at: int, merged: bool, last: int, slices: Records, overlaps: Records, counts: Ints
) -> Number:
    """One row from `order[at]` on; where the next row begins. A slice within another is part of it."""
    row = events[order[at]]["row"]
    start, end, name, extra, depth = 0, 0, NONE, NONE, 0
    some = False
    while at < len(order) and events[order[at]]["row"] == row:
        e = events[order[at]]
        at += 1
        ts, phase = e["ts"], e["ph"]
        if phase == _E:
            if depth == 0:
                counts[UNMATCHED] += 1
            else:
                depth -= 1
                end = max(end, ts)
            continue
        until = ts if phase == _B else ts + e["dur"]
        if phase == _X and e["dur"] <= 0:
            counts[OPEN_ENDED if e["dur"] < 0 else EMPTY] += 1
            continue
        inside = some and (depth > 0 or ts < end)
        if phase == _B:
            depth += 1
        if inside or (some and merged and ts == end):
            if inside and depth == 0 and until > end:
                overlap(overlaps, counts, row, ts, end)
                if not merged:
                    emit(slices, counts, row, start, end, name, extra, 0)
                    start, name, extra = end, e["name"], e["extra"]
            end = max(end, until)
            continue
        if some:
            emit(slices, counts, row, start, end, name, extra, 0)
        some, start, end, name, extra = True, ts, until, e["name"], e["extra"]
    if depth > 0:
        counts[UNFINISHED] += 1
        end = max(end, last)
    if some:
        emit(slices, counts, row, start, end, name, extra, 1 if depth > 0 else 0)
    return at


def _sweep(
    events: Records, order: Ints, merged: Any, last: int, slices: Records, overlaps: Records, counts: Ints
) -> None:
    at = 0
    while at < len(order):
        at = sweep_row(events, order, at, merged[events[order[at]]["row"]], last, slices, overlaps, counts)


sweep = cached_njit(_sweep, counted=False)
