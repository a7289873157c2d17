"""A whole file through the kernels: generation by generation, past damage where that is possible."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import Progress, no_progress
from tracekit.sources.go_trace.batches import (
    KIND,
    LIMIT,
    OFFSET,
    START,
    THREAD,
    TIME,
    Generation,
    Outline,
    read_outline,
)
from tracekit.sources.go_trace.clock import Clock, read_clock, read_sample_times
from tracekit.sources.go_trace.codes import CPU_SAMPLES, EVENT_BATCH, FREQUENCY, STACKS, STRINGS, SYNC
from tracekit.sources.go_trace.dictionary import read_dictionary
from tracekit.sources.go_trace.faults import MEANINGS
from tracekit.sources.go_trace.header import HEADER_BYTES, read_version
from tracekit.sources.go_trace.holes import Hole, hole_of
from tracekit.sources.go_trace.merging import Streams, merge
from tracekit.sources.go_trace.naming import NameTable
from tracekit.sources.go_trace.state import State, close_all, forget, new_state
from tracekit.units import NS_PER_S

_BYTES_PER_INTERVAL = 4  # dense traces have one interval in 5 to 10 bytes
# A generation's last batches are its tables, written when all its events are; an event may be this much later.
_SLACK_NS = NS_PER_S
_MAX_NS = 1 << 62
# How far other threads may be ahead of one that waits, in a damaged generation. Threads read the clock and take
# their turn in one short stretch of code, so an event that is there comes sooner, unless the kernel intervened.
_IMPATIENT_NS = 20_000


@dataclass
class Reading:
    """Everything read from one file."""

    version: int
    state: State
    names: NameTable = field(default_factory=NameTable)
    clock: Clock | None = None
    holes: list[Hole] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)  # generations whose events contradicted each other

    @property
    def last_ns(self) -> int:
        """Time of the last event so far, of the trace's own clock."""
        return int(self.state.totals[0].last)


def read_file(path: Path, *, progress: Progress = no_progress, record: bool = False) -> Reading:
    """Read a trace. Raises SourceError if it is none, of an unsupported version, or holds no readable event.

    A generation that turns out damaged is read again with less patience: while one thread waits in vain for an event
    that is missing, the others run ahead, and all times with them.
    """
    data = np.fromfile(path, np.uint8)
    version = read_version(data[:HEADER_BYTES].tobytes(), str(path))
    outline = read_outline(data, HEADER_BYTES, version)
    reading = _read_all(data, version, outline, frozenset(), progress, record)
    if reading.damaged:
        reading = _read_all(data, version, outline, frozenset(reading.damaged), progress, record)
    reading.holes += [hole_of(damage, reading.last_ns) for damage in outline.damage]
    if reading.state.totals[0].events == 0:
        raise _nothing_read(path, reading)
    close_all(reading.state)
    return reading


def _read_all(
    data: Any, version: int, outline: Outline, damaged: frozenset[int], progress: Progress, record: bool
) -> Reading:
    reading = Reading(version, new_state(len(data) // _BYTES_PER_INTERVAL, record=record))
    for generation in outline.generations:
        _read_generation(reading, data, generation, outline, damaged)
        progress(int(generation.batches[-1, LIMIT]), len(data))
    return reading


def _nothing_read(path: Path, reading: Reading) -> SourceError:
    remedy = "record again, and call trace.Stop before the program ends"
    if not reading.holes:
        return SourceError("the trace holds no events", where=str(path), remedy=remedy)
    hole = reading.holes[-1]
    return SourceError(f"no event can be read: {hole.what}", where=f"{path}, byte {hole.offset}", remedy=remedy)


def _read_generation(
    reading: Reading, data: Any, generation: Generation, outline: Outline, damaged: frozenset[int]
) -> None:
    batches = generation.batches
    kinds = batches[:, KIND]
    partial = not generation.whole or _damaged(batches, outline)
    clock = read_clock(data, batches[np.isin(kinds, (SYNC, FREQUENCY))]) or reading.clock
    start, last = int(batches[0, START]), reading.last_ns
    if clock is None:
        cause = "truncated" if partial else "corrupt"
        reading.holes.append(Hole(cause, "a generation without a clock frequency", start, last, last))
        return
    reading.clock = reading.clock or clock
    dictionary, names, faults = read_dictionary(data, _tables(batches, STRINGS), _tables(batches, STACKS))
    reading.holes += [Hole("corrupt", MEANINGS[fault], where, last, last) for fault, where in faults]
    begins, ends = _times(batches, clock)
    totals = reading.state.totals[0]
    totals.generation = generation.number
    totals.latest = _MAX_NS if partial else ends + _SLACK_NS
    totals.patience = _IMPATIENT_NS if partial or generation.number in damaged else _MAX_NS
    totals.last = max(begins, last + 1)  # Go's reader puts a sync event here, which counts where times must increase
    samples = read_sample_times(data, batches[kinds == CPU_SAMPLES], clock.ns_per_unit)
    streams = Streams(data, *_by_thread(batches[kinds == EVENT_BATCH]), clock.ns_per_unit, samples, dictionary)
    reading.state, mending = merge(reading.state, streams, partial)
    reading.names.resolve(reading.state, data, names)
    reading.state.totals.initial = 0
    if mending.fault:
        reading.damaged += [generation.number]
    if mending.fault or partial:
        mending.offset = mending.offset or start
        reading.holes.append(mending.hole(partial, begins, max(ends, reading.last_ns)))
        forget(reading.state)


def _damaged(batches: Any, outline: Outline) -> bool:
    """Whether unreadable bytes stand between a generation's batches or next to them."""
    start, limit = int(batches[0, START]), int(batches[-1, LIMIT])
    return any(start <= part.offset <= limit or part.offset + part.size == start for part in outline.damage)


def _tables(batches: Any, kind: int) -> Any:
    """(offset, limit) of the batches of one kind, past the byte that tells the kind."""
    chosen = batches[batches[:, KIND] == kind][:, [OFFSET, LIMIT]].copy()
    chosen[:, 0] += 1
    return chosen


def _times(batches: Any, clock: Clock) -> tuple[int, int]:
    """Earliest and latest time that a batch begins at, in ns."""
    times = batches[:, TIME]
    known = times[times > 0]
    if not len(known):
        return 0, 0
    earliest, latest = float(known.min()) * clock.ns_per_unit, float(known.max()) * clock.ns_per_unit
    return int(min(earliest, _MAX_NS)), int(min(latest, _MAX_NS - _SLACK_NS))


def _by_thread(batches: Any) -> tuple[Any, Any]:
    """Batches grouped by thread as (offset, limit, time); and per thread (id, first, last) in order of appearance."""
    ids, first, inverse = np.unique(batches[:, THREAD], return_index=True, return_inverse=True)
    appearance = np.argsort(first)
    rank = np.argsort(appearance)[inverse]
    order = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank, minlength=len(ids)))
    threads = np.stack([ids[appearance], ends - np.bincount(rank, minlength=len(ids)), ends], axis=1)
    return np.ascontiguousarray(batches[order][:, [OFFSET, LIMIT, TIME]]), threads.astype(np.int64)
