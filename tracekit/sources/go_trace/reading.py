"""A whole file through the kernels: generation by generation, past damage where that is possible."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import Progress, no_progress
from tracekit.sources.go_trace.batches import CUT, KIND, LIMIT, OFFSET, START, THREAD, TIME, Generation, read_outline
from tracekit.sources.go_trace.clock import Clock, read_clock, read_sample_times
from tracekit.sources.go_trace.codes import CPU_SAMPLES, EVENT_BATCH, FREQUENCY, STACKS, STRINGS, SYNC
from tracekit.sources.go_trace.dictionary import Dictionary, read_dictionary
from tracekit.sources.go_trace.faults import DONE, MEANINGS
from tracekit.sources.go_trace.header import HEADER_BYTES, read_version
from tracekit.sources.go_trace.lookup import NONE
from tracekit.sources.go_trace.naming import NameTable
from tracekit.sources.go_trace.order import MORE, install, run
from tracekit.sources.go_trace.spec import ARGUMENTS, FIRST_MARKED_VERSION
from tracekit.sources.go_trace.state import ABSENT, GC_UNDETERMINED, P_ABSENT, State, grow, new_cursors, new_state

_BYTES_PER_INTERVAL = 4  # dense traces have one interval in 5 to 10 bytes
_ARGUMENTS = np.frombuffer(ARGUMENTS, np.uint8)


@dataclass
class Hole:
    """A part of the recording that is not there. Times are of the trace's own clock; `until_ns` is filled in last."""

    cause: str
    what: str
    offset: int
    from_ns: int
    until_ns: int


@dataclass
class Reading:
    """Everything read from one file."""

    version: int
    state: State
    names: NameTable
    clock: Clock | None = None
    holes: list[Hole] = field(default_factory=list)


def read_file(path: Path, *, progress: Progress = no_progress, record: bool = False) -> Reading:
    """Read a trace. Raises SourceError if it is none, of an unsupported version, or holds no readable event."""
    data = np.fromfile(path, np.uint8)
    version = read_version(data[:HEADER_BYTES].tobytes(), str(path))
    outline = read_outline(data, HEADER_BYTES, version)
    reading = Reading(version, new_state(len(data) // _BYTES_PER_INTERVAL, record=record), NameTable())
    complete = outline.fault == DONE and version < FIRST_MARKED_VERSION
    for number, generation in enumerate(outline.generations):
        whole = generation.whole or (complete and number == len(outline.generations) - 1)
        _read_generation(reading, data, generation, whole)
        progress(int(generation.batches[-1, LIMIT]), len(data))
    _note_outline(reading, outline)
    if reading.state.totals[0].events == 0:
        raise _nothing_read(path, reading)
    _close_all(reading.state)
    return reading


def _note_outline(reading: Reading, outline: Any) -> None:
    last = int(reading.state.totals[0].last)
    if outline.fault == CUT:
        reading.holes.append(Hole("truncated", "the file ends within a batch", outline.reached, last, last))
    elif outline.fault != DONE:
        reading.holes.append(Hole("corrupt", MEANINGS[outline.fault], outline.reached, last, last))
    if outline.strays:
        what = f"{outline.strays} batches of a generation that can't be here"
        reading.holes.append(Hole("corrupt", what, outline.reached, last, last))


def _nothing_read(path: Path, reading: Reading) -> SourceError:
    remedy = "record again, and stop the trace before the program ends (trace.Stop)"
    if not reading.holes:
        return SourceError("the trace holds no events", where=str(path), remedy=remedy)
    hole = reading.holes[0]
    return SourceError(f"no event can be read: {hole.what}", where=f"{path}, byte {hole.offset}", remedy=remedy)


def _read_generation(reading: Reading, data: Any, generation: Generation, whole: bool) -> None:
    batches = generation.batches
    kinds = batches[:, KIND]
    clock = read_clock(data, batches[np.isin(kinds, (SYNC, FREQUENCY))]) or reading.clock
    start = int(batches[0, START])
    last = int(reading.state.totals[0].last)
    if clock is None:
        cause = "corrupt" if whole else "truncated"
        reading.holes.append(Hole(cause, "a generation without a clock frequency", start, last, last))
        return
    reading.clock = reading.clock or clock
    dictionary, names, faults = read_dictionary(data, _tables(batches, STRINGS), _tables(batches, STACKS))
    for fault, where in faults:
        reading.holes.append(Hole("corrupt", MEANINGS[fault], where, last, last))
    samples = read_sample_times(data, batches[kinds == CPU_SAMPLES], clock.ns_per_unit)
    begins, ends = _times(batches, clock)
    totals = reading.state.totals[0]
    totals.generation = generation.number
    totals.last = max(begins, last + 1)  # Go's reader puts a sync event here, which counts where times must increase
    fault = _run(reading, data, batches[kinds == EVENT_BATCH], clock, samples, dictionary)
    reading.names.resolve(reading.state, data, names)
    totals = reading.state.totals[0]
    totals.initial = 0
    if fault != DONE or not whole:
        _note_damage(reading, fault, whole, begins, ends)


def _note_damage(reading: Reading, fault: int, whole: bool, begins: int, ends: int) -> None:
    totals = reading.state.totals[0]
    last = int(totals.last)
    what = MEANINGS[fault] if fault != DONE else "the file ends within a generation"
    from_ns = last if whole else min(begins, last)
    cause = "corrupt" if whole else "truncated"
    reading.holes.append(Hole(cause, what, int(totals.error_at), from_ns, max(ends, last)))
    _forget(reading.state)


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
    ns_per_unit = clock.ns_per_unit
    return int(float(known.min()) * ns_per_unit), int(float(known.max()) * ns_per_unit)


def _by_thread(batches: Any) -> tuple[Any, Any]:
    """Batches grouped by thread as (offset, limit, time); and per thread (id, first, last) in order of appearance."""
    ids, first, inverse = np.unique(batches[:, THREAD], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    order = np.argsort(rank[inverse], kind="stable")
    ends = np.cumsum(np.bincount(rank[inverse], minlength=len(ids)))
    threads = np.stack([ids[np.argsort(first)], np.concatenate([[0], ends[:-1]]), ends], axis=1)
    return np.ascontiguousarray(batches[order][:, [OFFSET, LIMIT, TIME]]), threads.astype(np.int64)


def _run(reading: Reading, data: Any, batches: Any, clock: Clock, samples: Any, dictionary: Dictionary) -> int:
    """Order one generation's events into rows. Returns DONE or a fault, whose offset is in the totals."""
    if not len(batches):
        return DONE
    rows, threads = _by_thread(batches)
    cursors, heap = new_cursors(len(threads)), np.zeros(len(threads), np.int64)
    state = grow(reading.state, len(threads))
    reading.state = state
    outcome = install(state, data, rows, threads, _ARGUMENTS, clock.ns_per_unit, cursors, heap)
    if outcome != DONE:
        return int(outcome)
    outcome = MORE
    while outcome == MORE:
        reading.state = grow(reading.state)
        outcome = run(
            reading.state, data, rows, _ARGUMENTS, clock.ns_per_unit, cursors, heap, samples, dictionary
        )  # fmt: skip
    return int(outcome)


def _close_all(state: State) -> None:
    """End every open interval and range one nanosecond after the last event."""
    totals = state.totals[0]
    after = totals.last + 1 - totals.first
    still_open = state.goroutines.row[: totals.goroutines]
    state.intervals.end[still_open[still_open != NONE]] = after
    marks = state.marks.end[: totals.marks]
    marks[marks == NONE] = after


def _forget(state: State) -> None:
    """After damage: what every resource does is unknown until the next generation says."""
    _close_all(state)
    totals = state.totals[0]
    known = state.goroutines[: totals.goroutines]
    known.row = known.m = known.assist = known.stw = NONE
    known.status = ABSENT
    state.ps.m = state.ps.sweep = NONE
    state.ps.status = P_ABSENT
    state.ms.goroutine = state.ms.p = NONE
    state.ms.seen = 0
    totals.initial, totals.epoch, totals.gc_mark, totals.gc_state = 1, NONE, NONE, GC_UNDETERMINED
