"""Rows to tables as they are made: closed rows go to the sink, open ones move to the front of the arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tracekit.sources import copying
from tracekit.sources.base import Sink
from tracekit.sources.go_trace.columns import EARLY_ROWS, C, Intervals, Ranges, Wakeups
from tracekit.sources.go_trace.lookup import NONE, fill_slots
from tracekit.sources.go_trace.places import Places, taken
from tracekit.sources.go_trace.state import ABSENT, State
from tracekit.tables.build import table
from tracekit.vocabulary import EXIT_REASONS, REASONS, STATES, TASK_KINDS

_MAIN_GOID = 1  # the runtime starts main.main on the first goroutine (src/runtime/proc.go)
_RANGE_BLOCK = 1 << 20  # ranges made into a table at once
_BLOCK = 1 << 18  # intervals or wakeups made into a table at once: some 10 MB


class Output:
    """Where rows go. `main` is the task id of the main goroutine, once known; the rest are counts for `policies`."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.main = NONE
        self.in_syscall = self.inferred = self.unwoken = 0

    def rows(self, state: State, *, reused: bool) -> None:
        """Write closed intervals, all wakeups and counters. `reused`: the arrays will be written again."""
        totals = state.totals[0]
        for intervals in _closed(state) if reused else _all(state):
            self._intervals(intervals)
        for part in _parts(0, totals.wakeups):
            self._wakeups(_taken(state.wakeups, part, reused))
        counts = _taken(state.counts, slice(0, totals.counts), reused)
        self.sink.append(
            "counters", table("counters", {"at_ns": counts.at, "kind": counts.kind, "value": counts.value})
        )
        totals.wakeups = totals.counts = 0

    def _intervals(self, rows: Intervals) -> None:
        blocked = rows.state == STATES["BLOCKED"]
        self.in_syscall += int(np.count_nonzero(blocked & (rows.reason == REASONS["syscall"])))
        self.inferred += int(np.count_nonzero(rows.inferred))
        self.sink.append("intervals", table("intervals", {
            "task_id": rows.task, "cpu": rows.p, "thread_id": rows.thread, "state": rows.state, "start_ns": rows.start,
            "end_ns": rows.end, "reason": rows.reason, "inferred": rows.inferred, "stack_id": rows.stack,
        }))  # fmt: skip

    def _wakeups(self, rows: Wakeups) -> None:
        self.unwoken += int(np.count_nonzero(rows.waker == NONE))
        self.sink.append("wakeups", table("wakeups", {
            "at_ns": rows.at, "waker_id": rows.waker, "wakee_id": rows.wakee, "cpu": rows.p, "reason": rows.reason,
            "stack_id": rows.stack,
        }))  # fmt: skip

    def find_main(self, state: State) -> None:
        """Look for the main goroutine, which stands for the process."""
        goroutines = state.goroutines[: state.totals[0].goroutines]
        main = goroutines.task[goroutines.goid == _MAIN_GOID]
        self.main = int(main[0]) if self.main == NONE and len(main) else self.main

    def tasks(self, goroutines: Any, texts: pa.Array) -> None:
        """Write goroutines' records as tasks."""
        g = goroutines  # in the order of their task ids, as they were entered
        self.sink.append("tasks", table("tasks", {
            "task_id": g.task.astype(np.int32),
            "name": _names(g, texts),
            "kind": np.full(len(g), TASK_KINDS["goroutine"], np.int8),
            "process_id": np.full(len(g), self.main, np.int32),
            "parent_id": g.parent.astype(np.int32),
            "source_id": g.goid.copy(),
            "start_ns": g.start.copy(),
            "end_ns": g.end.copy(),
            "exit_reason": np.where(g.end == NONE, NONE, EXIT_REASONS["exit"]).astype(np.int8),
        }))  # fmt: skip

    def ranges(self, state: State, texts: pa.Array) -> None:
        """Write all ranges: they are held until the end, so that their row numbers stand for them."""
        count = int(state.totals[0].ranges)
        for start in range(0, count, _RANGE_BLOCK):
            rows = _taken(state.ranges, slice(start, min(start + _RANGE_BLOCK, count)), False)
            self.sink.append("ranges", _range_table(rows, start, texts))


def _range_table(rows: Ranges, first: int, texts: pa.Array) -> pa.Table:
    return table("ranges", {
        "range_id": np.arange(first, first + len(rows.start), dtype=np.int32), "kind": rows.kind,
        "name": taken(texts, rows.name), "text": taken(texts, rows.text), "task_id": rows.task, "cpu": rows.p,
        "start_ns": rows.start, "end_ns": rows.end, "enclosing_id": rows.enclosing, "bytes": rows.bytes,
        "inferred": rows.inferred, "stack_id": rows.stack,
    })  # fmt: skip


def _names(goroutines: Any, texts: pa.Array) -> pa.Array:
    """Each goroutine's name; `goroutine N` for one whose function no stack tells."""
    import pyarrow.compute as pc

    named = taken(texts, goroutines.name.astype(np.int32))
    if not named.null_count:
        return named
    numbered = pc.binary_join_element_wise("goroutine", pa.array(goroutines.goid.copy()).cast(pa.string()), " ")
    return pc.coalesce(named, numbered)


def _taken(columns: C, rows: slice, reused: bool) -> C:
    return type(columns)(*(column[rows].copy() if reused else column[rows] for column in columns))


def _parts(first: int, end: int) -> Iterator[slice]:
    """Rows `first` to `end`, a block at a time."""
    for start in range(first, end, _BLOCK):
        yield slice(start, min(start + _BLOCK, end))


def _all(state: State) -> Iterator[Intervals]:
    """The interval rows in order: those kept free at the front, as far as used, then the others."""
    totals = state.totals[0]
    early = int(totals.early)
    order = np.argsort(state.intervals.task[:early], kind="stable")
    for column in state.intervals:
        column[EARLY_ROWS - early : EARLY_ROWS] = column[:early][order]
    for part in _parts(EARLY_ROWS - early, int(totals.rows)):
        yield _taken(state.intervals, part, False)


def _closed(state: State) -> Iterator[Intervals]:
    """The closed interval rows, copied; the open ones stand at the front when all are taken."""
    totals = state.totals[0]
    still_open = [np.zeros(0, np.int64)]
    for part in (slice(0, int(totals.early)), *_parts(EARLY_ROWS, int(totals.rows))):
        is_open = state.intervals.end[part] == NONE
        yield Intervals(*(column[part][~is_open] for column in state.intervals))
        still_open.append(part.start + np.flatnonzero(is_open))
    kept = np.concatenate(still_open)
    after = EARLY_ROWS + len(kept)
    for column in state.intervals:
        column[EARLY_ROWS:after] = column[kept]
    goroutines = state.goroutines[: totals.goroutines]
    running = np.flatnonzero(goroutines.row != NONE)
    goroutines.row[running] = EARLY_ROWS + np.searchsorted(kept, goroutines.row[running])
    totals.rows, totals.early = after, 0


def retire(state: State) -> Any:
    """Take out the goroutines that have ended, and give their records: nothing refers to them any more."""
    totals = state.totals[0]
    known = state.goroutines[: totals.goroutines]
    ended = (known.status == ABSENT) & (known.end != NONE)
    if not np.any(ended):
        return known[:0]
    retired, kept = copying.taken(known, np.flatnonzero(ended)).view(np.recarray), np.flatnonzero(~ended)
    place = np.where(ended, NONE, np.cumsum(~ended) - 1)
    copying.words_of(state.goroutines)[: len(kept)] = copying.words_of(known)[kept]
    totals.goroutines = len(kept)
    held = state.ms.goroutine >= 0
    state.ms.goroutine[held] = place[state.ms.goroutine[held]]
    state.goroutine_slots[:] = NONE
    fill_slots(state.goroutine_slots, np.ascontiguousarray(state.goroutines.goid[: len(kept)]))
    return retired


def write_last(output: Output, state: State, places: Places) -> None:
    """Write what is left when the file has been read: everything is closed by then."""
    texts = places.texts()
    output.find_main(state)
    output.rows(state, reused=False)
    output.tasks(state.goroutines[: state.totals[0].goroutines], texts)
    output.ranges(state, texts)
    output.sink.append("stacks", places.stacks(texts))
