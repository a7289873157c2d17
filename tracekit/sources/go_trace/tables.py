"""Rows to contract tables, and what is known about the recording."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import tracekit
from tracekit.sources.go_trace.clock import describe
from tracekit.sources.go_trace.reading import Hole, Reading
from tracekit.sources.go_trace.spec import VERSIONS
from tracekit.sources.go_trace.state import GC_ASSIST, GC_MARK, GC_SWEEP, NONE, STW, State
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.vocabulary import EXIT_REASONS, REASONS, STATES, TASK_KINDS

_MAIN_GOID = 1  # the runtime starts main.main on the first goroutine (src/runtime/proc.go)
_RANGE_NAMES = {STW: "stop-the-world", GC_MARK: "gc mark", GC_SWEEP: "gc sweep", GC_ASSIST: "gc mark assist"}
_MAX_THREAD_ID = 2**31 - 1


def make_trace(reading: Reading, path: Path) -> Trace:
    """The trace tables and meta of a reading. Time 0 is the first event."""
    state = reading.state
    first = int(state.totals[0].first)
    tables = {
        "tasks": _tasks(reading, first),
        "intervals": _intervals(state, first),
        "wakeups": _wakeups(state, first),
        "gaps": _gaps(reading.holes, first),
    }
    return Trace(tables, _meta(reading, path, first))


def _tasks(reading: Reading, first: int) -> pa.Table:
    state = reading.state
    g = state.goroutines[: state.totals[0].goroutines]
    main = np.flatnonzero(g.goid == _MAIN_GOID)
    ended = g.end != NONE
    return table("tasks", {
        "task_id": np.arange(len(g), dtype=np.int32),
        "name": reading.names.column(g.goid),
        "kind": np.full(len(g), TASK_KINDS["goroutine"], np.int8),
        "process_id": np.full(len(g), main[0] if len(main) else NONE, np.int32),
        "parent_id": g.parent.astype(np.int32),
        "source_id": g.goid.copy(),
        "start_ns": g.start - first,
        "end_ns": np.where(ended, g.end - first, NONE),
        "exit_reason": np.where(ended, EXIT_REASONS["exit"], NONE).astype(np.int8),
    })  # fmt: skip


def _thread_ids(state: State) -> Any:
    """Thread id by index; numbered as they appeared where ids don't fit (macOS gives addresses)."""
    ids = state.ms.id[: state.totals[0].ms].copy()
    if ids.max() > _MAX_THREAD_ID:
        ids = np.arange(len(ids)) - 1
    return ids.astype(np.int32)


def _intervals(state: State, first: int) -> pa.Table:
    rows = state.rows[: state.totals[0].rows]
    threads = _thread_ids(state)
    threads[0] = NONE
    start = rows.start - first
    columns = {
        "task_id": rows.task.copy(),
        "cpu": rows.p.copy(),
        "thread_id": threads[rows.m],
        "state": rows.state.copy(),
        "start_ns": start,
        "end_ns": rows.end - first,
        "reason": rows.reason.copy(),
        "inferred": rows.inferred.astype(np.bool_),
    }
    if np.any(start[1:] < start[:-1]):
        order = np.lexsort((columns["task_id"], start))
        columns = {name: column[order] for name, column in columns.items()}
    return table("intervals", columns)


def _wakeups(state: State, first: int) -> pa.Table:
    rows = state.wakeups[: state.totals[0].wakeups]
    return table("wakeups", {
        "at_ns": rows.at - first,
        "waker_id": rows.waker.copy(),
        "wakee_id": rows.wakee.copy(),
        "cpu": rows.p.copy(),
        "reason": rows.reason.astype(np.int8),
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


def _ranges(reading: Reading, first: int) -> dict[str, Any]:
    """Collector and stopped-world ranges: totals of all kinds, and each one of the kinds that hold everybody up."""
    state = reading.state
    marks = state.marks[: state.totals[0].marks]
    totals = {
        name: {"count": int(np.sum(of)), "total_ns": int(np.sum((marks.end - marks.start)[of]))}
        for kind, name in _RANGE_NAMES.items()
        if np.any(of := marks.kind == kind)
    }
    listed = marks[np.isin(marks.kind, (STW, GC_MARK))]
    texts = reading.names.texts
    rows = [
        {
            "name": _RANGE_NAMES[int(mark.kind)],
            "why": texts[mark.text] if mark.text >= 0 else None,
            "start_ns": int(mark.start) - first,
            "end_ns": int(mark.end) - first,
            "task_id": int(mark.of) if mark.of != NONE else None,
        }
        for mark in listed
    ]
    return {"ranges": rows, "range_totals": totals}


def _policies(state: State) -> list[dict[str, Any]]:
    rows = state.rows[: state.totals[0].rows]
    wakeups = state.wakeups[: state.totals[0].wakeups]
    in_syscall = (rows.state == STATES["BLOCKED"]) & (rows.reason == REASONS["syscall"])
    return [
        {"policy": "order", "choice": "by sequence numbers; a time not after the one before becomes 1 ns after it",
         "count": int(state.totals[0].mended)},
        {"policy": "system calls", "choice": "BLOCKED from begin to end, whether or not the P was taken",
         "count": int(np.sum(in_syscall))},
        {"policy": "state before a goroutine is first seen", "choice": "as it is first seen, since the start",
         "count": int(np.sum(rows.inferred))},
        {"policy": "wakeups outside goroutines", "choice": "no waker (scheduler, network poller, monitor)",
         "count": int(np.sum(wakeups.waker == NONE))},
    ]  # fmt: skip


def _meta(reading: Reading, path: Path, first: int) -> dict[str, Any]:
    totals = reading.state.totals[0]
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
        **_ranges(reading, first),
    }
