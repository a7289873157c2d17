"""Rows to contract tables, and what is known about the recording."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import tracekit
from tracekit.sources.go_trace.clock import describe
from tracekit.sources.go_trace.columns import EARLY_ROWS, Intervals, Marks, Wakeups
from tracekit.sources.go_trace.holes import Hole
from tracekit.sources.go_trace.lookup import NONE
from tracekit.sources.go_trace.reading import Reading
from tracekit.sources.go_trace.spec import VERSIONS
from tracekit.sources.go_trace.state import GC_ASSIST, GC_MARK, GC_SWEEP, STW, State
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.vocabulary import EXIT_REASONS, REASONS, STATES, TASK_KINDS

_MAIN_GOID = 1  # the runtime starts main.main on the first goroutine (src/runtime/proc.go)
_RANGE_NAMES = {STW: "stop-the-world", GC_MARK: "gc mark", GC_SWEEP: "gc sweep", GC_ASSIST: "gc mark assist"}


def make_trace(reading: Reading, path: Path) -> Trace:
    """The trace tables and meta of a reading. Time 0 is the first event."""
    tables = {
        "tasks": _tasks(reading),
        "intervals": _intervals(reading.state),
        "wakeups": _wakeups(reading.state),
        "gaps": _gaps(reading.holes, int(reading.state.totals[0].first)),
    }
    return Trace(tables, _meta(reading, path))


def _tasks(reading: Reading) -> pa.Table:
    state = reading.state
    g = state.goroutines[: state.totals[0].goroutines]
    main = np.flatnonzero(g.goid == _MAIN_GOID)
    return table("tasks", {
        "task_id": np.arange(len(g), dtype=np.int32),
        "name": reading.names.column(g.goid.copy()),
        "kind": np.full(len(g), TASK_KINDS["goroutine"], np.int8),
        "process_id": np.full(len(g), main[0] if len(main) else NONE, np.int32),
        "parent_id": g.parent.astype(np.int32),
        "source_id": g.goid.copy(),
        "start_ns": g.start.copy(),
        "end_ns": g.end.copy(),
        "exit_reason": np.where(g.end == NONE, NONE, EXIT_REASONS["exit"]).astype(np.int8),
    })  # fmt: skip


def _rows(state: State) -> Intervals:
    """The interval rows in order: those kept free at the front, as far as used, then the others."""
    early = int(state.totals[0].early)
    columns = state.intervals
    order = np.argsort(columns.task[:early], kind="stable")
    for column in columns:
        column[EARLY_ROWS - early : EARLY_ROWS] = column[:early][order]
    rows = Intervals(*(column[EARLY_ROWS - early : state.totals[0].rows] for column in columns))
    later, tied = rows.start[1:] > rows.start[:-1], rows.start[1:] == rows.start[:-1]
    if not np.all(later | (tied & (rows.task[1:] > rows.task[:-1]))):  # after a hole
        order = np.lexsort((rows.task, rows.start))
        rows = Intervals(*(column[order] for column in rows))
    return rows


def _intervals(state: State) -> pa.Table:
    rows = _rows(state)
    return table("intervals", {
        "task_id": rows.task, "cpu": rows.p, "thread_id": rows.thread, "state": rows.state,
        "start_ns": rows.start, "end_ns": rows.end, "reason": rows.reason, "inferred": rows.inferred,
    })  # fmt: skip


def _wakeups(state: State) -> pa.Table:
    rows = Wakeups(*(column[: state.totals[0].wakeups] for column in state.wakeups))
    return table("wakeups", {
        "at_ns": rows.at, "waker_id": rows.waker, "wakee_id": rows.wakee, "cpu": rows.p, "reason": rows.reason,
    })  # fmt: skip


def _gaps(holes: list[Hole], first: int) -> pa.Table:
    if not holes:
        return empty("gaps")
    spans = [
        (max(hole.from_ns - first, 0), max(hole.until_ns - first, hole.from_ns - first, 0), hole) for hole in holes
    ]
    spans.sort(key=lambda span: span[:2])
    return table("gaps", {
        "cpu": [None] * len(spans),
        "stream": [f"byte {hole.offset}: {hole.what}" for _, _, hole in spans],
        "start_ns": [start for start, _, _ in spans],
        "end_ns": [end for _, end, _ in spans],
        "lost_events": [None] * len(spans),
        "cause": [hole.cause for _, _, hole in spans],
    })  # fmt: skip


def _ranges(reading: Reading) -> dict[str, Any]:
    """Collector and stopped-world ranges: totals of all kinds, and each one of the kinds that hold everybody up."""
    state = reading.state
    marks = Marks(*(column[: state.totals[0].marks] for column in state.marks))
    totals = {
        name: {"count": int(np.sum(of)), "total_ns": int(np.sum((marks.end - marks.start)[of]))}
        for kind, name in _RANGE_NAMES.items()
        if np.any(of := marks.kind == kind)
    }
    texts = reading.names.texts
    rows = [
        {
            "name": _RANGE_NAMES[int(marks.kind[row])],
            "why": texts[marks.text[row]] if marks.text[row] != NONE else None,
            "start_ns": int(marks.start[row]),
            "end_ns": int(marks.end[row]),
            "task_id": int(marks.of[row]) if marks.of[row] != NONE else None,
        }
        for row in np.flatnonzero((marks.kind == STW) | (marks.kind == GC_MARK))
    ]
    return {"ranges": rows, "range_totals": totals}


def _policies(state: State) -> list[dict[str, Any]]:
    totals = state.totals[0]
    early, rows, wakeups = int(totals.early), int(totals.rows), int(totals.wakeups)
    states, reasons, inferred = state.intervals.state, state.intervals.reason, state.intervals.inferred
    used = slice(EARLY_ROWS - early, rows)
    in_syscall = (states[used] == STATES["BLOCKED"]) & (reasons[used] == REASONS["syscall"])
    return [
        {"policy": "order", "choice": "by sequence numbers; a time not after the one before becomes 1 ns after it",
         "count": int(totals.mended)},
        {"policy": "system calls", "choice": "BLOCKED from begin to end, whether or not the P was taken",
         "count": int(np.count_nonzero(in_syscall))},
        {"policy": "state before a goroutine is first seen", "choice": "as it is first seen, since the start",
         "count": int(np.count_nonzero(inferred[used]))},
        {"policy": "wakeups outside goroutines", "choice": "no waker (scheduler, network poller, monitor)",
         "count": int(np.count_nonzero(state.wakeups.waker[:wakeups] == NONE))},
    ]  # fmt: skip


def _meta(reading: Reading, path: Path) -> dict[str, Any]:
    totals = reading.state.totals[0]
    first = int(totals.first)
    assert reading.clock is not None  # without a clock no event was read
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "source": {
            "path": str(path),
            "format": "Go execution trace",
            "version": f"1.{reading.version} ({VERSIONS[reading.version]})",
            "sha256": digest,
            "size_bytes": path.stat().st_size,
        },
        "clock": describe(reading.clock, first),
        "host": None,
        "kernel": f"go1.{reading.version}",
        "cpus": int(np.sum(reading.state.ps.seq_generation > 0)),
        "end_ns": int(totals.last) + 1 - first,
        "events": int(totals.events),
        "form": "goroutine",
        "policies": _policies(reading.state),
        "tool_version": tracekit.__version__,
        **_ranges(reading),
    }
