"""A whole file through the kernels: generation by generation, past damage where that is possible.

A generation is at most about a second of the program (the runtime's own rule); what is held beside it is what is
open, and all ranges, texts and stacks.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import Progress, ReadOptions, Sink, no_progress
from tracekit.sources.digest import sha256_of
from tracekit.sources.go_trace import snapshot
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
from tracekit.sources.go_trace.holes import Hole, Mending, hole_of
from tracekit.sources.go_trace.merging import Streams, merge
from tracekit.sources.go_trace.output import Output, retire, write_last
from tracekit.sources.go_trace.places import Places
from tracekit.sources.go_trace.snapshot import Snapshot
from tracekit.sources.go_trace.state import State, close_all, forget, grow, new_state
from tracekit.tables.build import empty
from tracekit.tables.bundle import Trace
from tracekit.tables.schema import BUNDLES
from tracekit.tables.stream import Collector
from tracekit.units import NS_PER_S

_BYTES_PER_INTERVAL = 4  # dense traces have one interval in 5 to 10 bytes
_WINDOW_ROWS = 1 << 20  # intervals held before they are handed on, even within a generation: some 37 MB
# A generation's last batches are its tables, written when all its events are; an event may be this much later.
_SLACK_NS = NS_PER_S
_MAX_NS = 1 << 62
# How far other threads may be ahead of one that waits, in a damaged generation. Threads read the clock and take
# their turn in one short stretch of code, so an event that is there comes sooner, unless the kernel intervened.
_IMPATIENT_NS = 20_000


@dataclass
class Reading:
    """Everything read from one file, so far."""

    version: int
    state: State
    output: Output
    streaming: bool  # hand rows on as soon as they are closed
    let_go: Callable[[], None]  # of what was read of the file
    places: Places = field(default_factory=Places)
    clock: Clock | None = None
    holes: list[Hole] = field(default_factory=list)
    before: Snapshot | None = None  # of the generation being read, until rows of it were handed on

    @property
    def last_ns(self) -> int:
        """Time of the last event so far, of the trace's own clock."""
        return int(self.state.totals[0].last)

    def make_room(self, state: State) -> State:
        """Hand closed rows on where there are many, or else make the arrays larger."""
        if self.streaming and state.totals[0].rows > _WINDOW_ROWS:
            self.output.rows(state, reused=True)
            self.before = None
            self.let_go()
        return grow(state)


def read_trace(path: Path, options: ReadOptions) -> Trace:
    """A file as a Trace, without rows where `options.sink` takes them. Raises SourceError as `read_file`."""
    from tracekit.sources.go_trace.tables import gap_table, trace_meta

    collector = None if options.sink else Collector()
    sink = options.sink or collector
    assert sink is not None
    with ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter, and so runs beside the reading
        digest = beside.submit(sha256_of, path)
        reading = read_file(path, progress=options.progress, sink=sink, streaming=collector is None)
        sink.append("gaps", gap_table(reading.holes, int(reading.state.totals[0].first)))
        meta = trace_meta(reading, path, digest.result())
    tables = collector.tables() if collector else {name: empty(of) for name, of in BUNDLES["trace"].items()}
    return Trace(tables, meta)


class _File:
    """A file's bytes, mapped; what has been read is let go of, so that it need not stay in memory."""

    def __init__(self, path: Path) -> None:
        self._mapped: mmap.mmap | None = None
        with path.open("rb") as file:
            if path.stat().st_size:
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.data = np.frombuffer(self._mapped or b"", np.uint8)

    def let_go(self) -> None:
        """Forget all pages; one that is wanted again comes back by itself."""
        if self._mapped and hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)


def read_file(
    path: Path, *, progress: Progress = no_progress, record: bool = False, sink: Sink | None = None,
    streaming: bool = False,
) -> Reading:  # fmt: skip
    """Read a trace into `sink`. Raises SourceError if it is none, of an unsupported version, or holds no event.

    `streaming`: rows go to the sink generation by generation, and not all in the end. `record` keeps transitions.
    """
    file = _File(path)
    data = file.data
    version = read_version(data[:HEADER_BYTES].tobytes(), str(path))
    outline = read_outline(data, HEADER_BYTES, version, file.let_go)
    rows = len(data) // _BYTES_PER_INTERVAL
    state = new_state(min(rows, _WINDOW_ROWS) if streaming else rows, record=record)
    reading = Reading(version, state, Output(sink or Collector()), streaming, file.let_go)
    for generation in outline.generations:
        _read_generation(reading, data, generation, outline)
        if generation is not outline.generations[-1]:
            _hand_on(reading)
        file.let_go()
        progress(int(generation.batches[-1, LIMIT]), len(data))
    reading.holes += [hole_of(damage, reading.last_ns) for damage in outline.damage]
    if reading.state.totals[0].events == 0:
        raise _nothing_read(path, reading)
    close_all(reading.state)
    write_last(reading.output, reading.state, reading.places)
    return reading


def _hand_on(reading: Reading) -> None:
    """Between generations: goroutines that have ended are tasks, and rows are handed on where there are many."""
    if reading.streaming:
        reading.output.rows(reading.state, reused=True)
    reading.output.find_main(reading.state)
    ended = retire(reading.state)
    if len(ended):
        reading.output.tasks(ended, reading.places.texts())


def _nothing_read(path: Path, reading: Reading) -> SourceError:
    remedy = "record again, and call trace.Stop before the program ends"
    if not reading.holes:
        return SourceError("the trace holds no events", where=str(path), remedy=remedy)
    hole = reading.holes[-1]
    return SourceError(f"no event can be read: {hole.what}", where=f"{path}, byte {hole.offset}", remedy=remedy)


def _read_generation(reading: Reading, data: Any, generation: Generation, outline: Outline) -> None:
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
    tables = (_tables(batches, STRINGS), _tables(batches, STACKS))
    dictionary, faults = read_dictionary(data, *tables, reading.places)
    reading.holes += [Hole("corrupt", MEANINGS[fault], where, last, last) for fault, where in faults]
    begins, ends = _times(batches, clock)
    totals = reading.state.totals[0]
    totals.generation = generation.number
    totals.latest = _MAX_NS if partial else ends + _SLACK_NS
    totals.last = max(begins, last + 1)  # Go's reader puts a sync event here, which counts where times must increase
    samples = read_sample_times(data, batches[kinds == CPU_SAMPLES], clock.ns_per_unit)
    streams = Streams(data, *_by_thread(batches[kinds == EVENT_BATCH]), clock.ns_per_unit, samples, dictionary)
    mending = _merged(reading, streams, partial)
    reading.state.totals.initial = 0
    if mending.fault or partial:
        mending.offset = mending.offset or start
        reading.holes.append(mending.hole(partial, begins, max(ends, reading.last_ns)))
        forget(reading.state)


def _merged(reading: Reading, streams: Streams, partial: bool) -> Mending:
    """Read a generation's events; a damaged one again with less patience, unless its rows are handed on already.

    While one thread waits in vain for an event that is missing, the others run ahead, and all times with them.
    """
    reading.before = snapshot.take(reading.state)
    reading.state.totals.patience = _IMPATIENT_NS if partial else _MAX_NS
    reading.state, mending = merge(reading.state, streams, partial, reading.make_room)
    before, reading.before = reading.before, None
    if not mending.fault or partial or before is None:
        return mending
    reading.state = snapshot.restored(reading.state, before)
    reading.state.totals.patience = _IMPATIENT_NS
    reading.state, mending = merge(reading.state, streams, partial, reading.make_room)
    return mending


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
