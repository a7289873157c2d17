"""A Go execution trace and a kernel recording of the same run, as one trace on one clock.

The Go runtime calls a goroutine running while its thread (the M) may wait for a CPU, or for a page. Here a
goroutine's RUNNING time is cut by what the kernel says of that thread:

* the thread is on a CPU: RUNNING, and `cpu` is the kernel's (the P, which is no CPU, stays in the Go trace only)
* the thread waits for one: RUNNABLE, with the kernel's reason
* the thread is blocked, by a page fault say: BLOCKED, with the kernel's reason; where that is a sleep, a lock or a poll,
  it is the runtime's own (a thief's nap, lock2, findRunnable: the two recorders' times differ by half a microsecond),
  and called `park`
* the kernel recording does not know: RUNNING without `cpu`, and `inferred`

A goroutine's system call is cut likewise: RUNNING in the kernel, BLOCKED for the kernel's reason, and RUNNABLE from
when the kernel woke the thread, of which Go's tracer knows nothing; where the kernel does not know, it stays as it is.

A thread's own rows are what it did while it carried no goroutine, so that no CPU is counted twice. Goroutines come
first in `tasks`, then the kernel's tasks. Both clocks must be CLOCK_MONOTONIC: perf's with `-k CLOCK_MONOTONIC`;
Go's since 1.25 by the snapshot in the trace, and before wherever the unit is 64 ns (everywhere but Windows), as the
runtime takes its time from there (src/runtime/tracetime.go).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

import tracekit
from tracekit.errors import UsageError
from tracekit.tables.build import NULL, table
from tracekit.tables.bundle import Trace
from tracekit.tables.order import canonical
from tracekit.vocabulary import GAP_CAUSES, REASONS, STATES

CLOCK = "CLOCK_MONOTONIC"
WORST = 10
_RECORD_PERF = "record with `tracekit record`, or `perf record -k CLOCK_MONOTONIC`"
_RUNNING, _RUNNABLE, _BLOCKED = (STATES[name] for name in ("RUNNING", "RUNNABLE", "BLOCKED"))
_SYSCALL = REASONS["syscall"]
_OF_RUNTIME = [REASONS[reason] for reason in ("sleep", "lock", "network")]

_COLUMNS = ("task_id", "cpu", "thread_id", "state", "start_ns", "end_ns", "reason", "inferred", "stack_id")
Rows = dict[str, Any]  # interval columns as numpy arrays, words as codes, NULL for null


@dataclass
class Joined:
    """The joined trace, and where goroutines' RUNNING time went, in ns and within the time that both recorded."""

    trace: Trace
    summary: dict[str, Any]


def join(go: Trace, kernel: Trace) -> Joined:
    """Join the recordings. Raises UsageError where they can't be of the same run, or a clock is another one's."""
    shifts = _shifts(go, kernel)
    overlap = _overlap(go, kernel, shifts)
    first = go.tables["tasks"].num_rows
    goroutines = _rows(go, shifts[0], 0)
    threads = _rows(kernel, shifts[1], first)
    tids = _thread_ids(kernel, goroutines)
    carried = (goroutines["state"] == _RUNNING) & (goroutines["thread_id"] >= 0)
    in_call = (goroutines["state"] == _BLOCKED) & (goroutines["reason"] == _SYSCALL) & (goroutines["thread_id"] >= 0)
    running, calls = (_cut(goroutines, which, threads, tids, first) for which in (carried, in_call))
    running["reason"][(running["state"] == _BLOCKED) & np.isin(running["reason"], _OF_RUNTIME)] = REASONS["park"]
    _mark_unknown(running, overlap)
    alone = _alone(goroutines, carried | in_call, threads, tids, first)
    intervals = table("intervals", _together([running, calls, _chosen(goroutines, ~(carried | in_call)), alone]))
    tables = {
        "tasks": _tasks(go, kernel, shifts, np.unique(tids[tids != NULL])),
        "intervals": canonical("intervals", intervals),
        "wakeups": canonical("wakeups", _wakeups(go, kernel, shifts, first)),
        "gaps": canonical("gaps", _gaps(go, kernel, shifts)),
        "ranges": _moved(go.tables["ranges"], shifts[0]),
        "counters": _moved(go.tables["counters"], shifts[0]),
        "stacks": go.tables["stacks"],
    }
    summary = _summary(goroutines, running, overlap, go)
    return Joined(Trace(tables, _meta(go, kernel, shifts, summary)), summary)


def _shifts(go: Trace, kernel: Trace) -> tuple[int, int]:
    """What to add to each recording's times, ns; the joined trace begins with the earlier of the two."""
    origins = []
    for trace, what, remedy in (
        (go, "Go trace", "record on Linux; since Go 1.25 a trace tells its clock"),
        (kernel, "kernel recording", _RECORD_PERF),
    ):
        clock = trace.meta.get("clock") or {}
        if clock.get("name") != CLOCK or clock.get("origin_ns") is None:
            path = (trace.meta.get("source") or {}).get("path")
            said = clock.get("name") or "unknown"
            raise UsageError(f"the {what}'s clock is {said}, not {CLOCK}", where=path, remedy=remedy)
        origins.append(int(clock["origin_ns"]))
    return origins[0] - min(origins), origins[1] - min(origins)


def _overlap(go: Trace, kernel: Trace, shifts: tuple[int, int]) -> tuple[int, int]:
    ends = [shift + int(trace.meta.get("end_ns") or 0) for trace, shift in zip((go, kernel), shifts, strict=True)]
    begin, end = max(shifts), min(ends)
    if begin >= end:
        raise UsageError(
            "the recordings share no moment",
            remedy="record both while the program runs, on the same boot of the machine",
        )
    return begin, end


def _codes(trace: Trace, column: str) -> Any:
    values = trace.tables["intervals"].column(column).combine_chunks()
    return values.indices.fill_null(NULL).to_numpy(zero_copy_only=False)


def _rows(trace: Trace, shift: int, first: int) -> Rows:
    """Interval columns of a trace, in joined time and with joined task ids."""
    intervals = trace.tables["intervals"]
    rows: Rows = {"state": _codes(trace, "state"), "reason": _codes(trace, "reason")}
    for name in ("task_id", "cpu", "thread_id", "start_ns", "end_ns", "stack_id"):
        rows[name] = intervals.column(name).fill_null(NULL).to_numpy()
    rows["inferred"] = intervals.column("inferred").to_numpy()
    rows["task_id"] = rows["task_id"] + np.int32(first)
    rows["start_ns"], rows["end_ns"] = rows["start_ns"] + shift, rows["end_ns"] + shift
    return rows


def _thread_ids(kernel: Trace, goroutines: Rows) -> Any:
    """By the kernel's task id: its thread id where that carried a goroutine, else NULL. Raises UsageError without any."""
    tids = kernel.tables["tasks"].column("source_id").fill_null(NULL).to_numpy()
    carriers = np.unique(goroutines["thread_id"][goroutines["state"] == _RUNNING])
    carriers = carriers[carriers >= 0]
    found = np.where(np.isin(tids, carriers), tids, NULL)
    if not np.any(found != NULL):
        raise UsageError(
            f"none of the Go trace's {len(carriers)} threads is in the kernel recording",
            remedy="record both of the same run, and outside of any pid namespace of its own",
        )
    return found


class _Pieces(NamedTuple):
    """Pieces of time, and in which row of each of two lists they are; NULL: in none."""

    start: Any
    end: Any
    a: Any
    b: Any


def _overlay(a_start: Any, a_end: Any, b_start: Any, b_end: Any) -> _Pieces:
    """Cut two lists, each sorted and without overlaps, at one another's bounds."""
    bounds = np.unique(np.concatenate([a_start, a_end, b_start, b_end]))
    start, end = bounds[:-1], bounds[1:]
    return _Pieces(start, end, _within(start, a_start, a_end), _within(start, b_start, b_end))


def _within(at: Any, start: Any, end: Any) -> Any:
    if not len(start):
        return np.full(len(at), NULL)
    row = np.searchsorted(start, at, side="right") - 1
    return np.where((row >= 0) & (at < end[row]), row, NULL)


def _cut(goroutines: Rows, which: Any, threads: Rows, tids: Any, first: int) -> Rows:
    """Those of goroutines' rows, each cut by what its thread did."""
    parts = [_chosen(goroutines, np.zeros(0, np.int64))]
    for tid in np.unique(goroutines["thread_id"][which]):
        on_thread = _by_start(goroutines, which & (goroutines["thread_id"] == tid))
        of_thread = _by_start(threads, tids[threads["task_id"] - first] == tid)
        parts.append(_carrying(on_thread, of_thread, _overlaid(on_thread, of_thread)))
    return _together(parts)


def _alone(goroutines: Rows, carried: Any, threads: Rows, tids: Any, first: int) -> Rows:
    """The threads' rows without the time in which they carried a goroutine."""
    tid_of_row = tids[threads["task_id"] - first]
    rest = [_chosen(threads, tid_of_row == NULL)]
    for tid in np.unique(tids[tids != NULL]):
        on_thread = _by_start(goroutines, carried & (goroutines["thread_id"] == tid))
        of_thread = _by_start(threads, tid_of_row == tid)
        pieces = _overlaid(on_thread, of_thread)
        alone = (pieces.a == NULL) & (pieces.b != NULL)
        rest.append({
            **_chosen(of_thread, pieces.b[alone]), "start_ns": pieces.start[alone], "end_ns": pieces.end[alone],
        })  # fmt: skip
    return _together(rest)


def _overlaid(on_thread: Rows, of_thread: Rows) -> _Pieces:
    return _overlay(on_thread["start_ns"], on_thread["end_ns"], of_thread["start_ns"], of_thread["end_ns"])


def _carrying(goroutines: Rows, threads: Rows, pieces: _Pieces) -> Rows:
    """The pieces of goroutines' rows, each in the state of the thread; where that is not known, in their own."""
    here = pieces.a != NULL
    rows = _chosen(goroutines, pieces.a[here])
    rows["start_ns"], rows["end_ns"] = pieces.start[here], pieces.end[here]
    b = pieces.b[here]
    state = np.where(b == NULL, NULL, threads["state"][np.maximum(b, 0)]) if len(threads["state"]) else b
    known = np.isin(state, (_RUNNING, _RUNNABLE, _BLOCKED))
    rows["cpu"] = np.full(len(b), NULL, np.int32)
    rows["cpu"][known] = threads["cpu"][b[known]]
    rows["state"] = np.where(known, state, rows["state"]).astype(np.int8)
    reason = np.where(known, threads["reason"][np.maximum(b, 0)], NULL) if len(threads["state"]) else rows["reason"]
    reason = np.where(known & (state == _RUNNABLE) & (reason == NULL), REASONS["preempted"], reason)
    unsaid = ~known | ((state == _BLOCKED) & (reason == NULL))
    rows["reason"] = np.where(unsaid, rows["reason"], reason).astype(rows["reason"].dtype)
    rows["inferred"][known] |= threads["inferred"][b[known]]
    return rows


def _mark_unknown(rows: Rows, overlap: tuple[int, int]) -> None:
    """RUNNING without a CPU, though the kernel was recorded: believed, as the Go trace says so."""
    lost = (rows["state"] == _RUNNING) & (rows["cpu"] == NULL)
    rows["inferred"] |= lost & (rows["start_ns"] < overlap[1]) & (rows["end_ns"] > overlap[0])


def _by_start(rows: Rows, chosen: Any) -> Rows:
    order = np.flatnonzero(chosen)
    return _chosen(rows, order[np.argsort(rows["start_ns"][order], kind="stable")])


def _chosen(rows: Rows, which: Any) -> Rows:
    return {name: rows[name][which] for name in _COLUMNS}


def _together(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}


def _moved(found: pa.Table, shift: int) -> pa.Table:
    """A table with all its times moved."""
    import pyarrow.compute as pc

    for name in ("start_ns", "end_ns", "at_ns"):
        if name in found.column_names:
            at = found.column_names.index(name)
            found = found.set_column(at, found.schema.field(name), pc.add(found.column(name), pa.scalar(shift)))
    return found


def _renumbered(found: pa.Table, names: tuple[str, ...], first: int) -> pa.Table:
    import pyarrow.compute as pc

    for name in names:
        at, field = found.column_names.index(name), found.schema.field(name)
        found = found.set_column(at, field, pc.add(found.column(name), pa.scalar(first, pa.int32())))
    return found


def _tasks(go: Trace, kernel: Trace, shifts: tuple[int, int], tids: Any) -> pa.Table:
    """Goroutines, then the kernel's tasks. Goroutines are in the address space of the threads that carried them."""
    first = go.tables["tasks"].num_rows
    of_kernel = _moved(kernel.tables["tasks"], shifts[1])
    of_kernel = _renumbered(of_kernel, ("task_id", "process_id", "parent_id"), first)
    carriers = pl.DataFrame(of_kernel).filter(pl.col("source_id").is_in(tids.tolist()))
    processes = carriers["process_id"].drop_nulls().mode().sort()
    goroutines = _moved(go.tables["tasks"], shifts[0])
    if len(processes):
        at, field = goroutines.column_names.index("process_id"), goroutines.schema.field("process_id")
        goroutines = goroutines.set_column(at, field, pa.array(np.full(first, processes[0], np.int32)))
    return pa.concat_tables([goroutines, of_kernel]).combine_chunks()


def _wakeups(go: Trace, kernel: Trace, shifts: tuple[int, int], first: int) -> pa.Table:
    """Both recordings' wakeups. A Go wakeup's cpu is a P, and left out; the kernel's have no stacks of ours."""
    ours, theirs = _moved(go.tables["wakeups"], shifts[0]), _moved(kernel.tables["wakeups"], shifts[1])
    theirs = _renumbered(theirs, ("waker_id", "wakee_id"), first)
    return pa.concat_tables([_without(ours, "cpu"), _without(theirs, "stack_id")]).combine_chunks()


def _without(found: pa.Table, name: str) -> pa.Table:
    field = found.schema.field(name)
    return found.set_column(found.column_names.index(name), field, pa.nulls(found.num_rows, field.type))


def _gaps(go: Trace, kernel: Trace, shifts: tuple[int, int]) -> pa.Table:
    """Both recordings' holes, and where one of them had not begun or was over."""
    ends = [shift + int(trace.meta["end_ns"]) for trace, shift in zip((go, kernel), shifts, strict=True)]
    spans = []
    for stream, begin, end in (("Go trace", shifts[0], ends[0]), ("kernel recording", shifts[1], ends[1])):
        spans += [(stream, 0, begin)] if begin > 0 else []
        spans += [(stream, end, max(ends))] if end < max(ends) else []
    missing = table("gaps", {
        "cpu": [None] * len(spans), "stream": [span[0] for span in spans], "start_ns": [span[1] for span in spans],
        "end_ns": [span[2] for span in spans], "lost_events": [None] * len(spans),
        "cause": np.full(len(spans), GAP_CAUSES["not_recorded"], np.int8),
    })  # fmt: skip
    known = [_moved(trace.tables["gaps"], shift) for trace, shift in zip((go, kernel), shifts, strict=True)]
    return pa.concat_tables([*known, missing]).combine_chunks()


def _spent(rows: Rows, overlap: tuple[int, int]) -> Any:
    return np.maximum(np.minimum(rows["end_ns"], overlap[1]) - np.maximum(rows["start_ns"], overlap[0]), 0)


def _summary(goroutines: Rows, cut: Rows, overlap: tuple[int, int], go: Trace) -> dict[str, Any]:
    """Goroutines' RUNNING time in the Go trace, and what the kernel says of it: all ns within the overlap."""
    said = goroutines["state"] == _RUNNING
    tasks = go.tables["tasks"].num_rows
    running = np.bincount(goroutines["task_id"][said], _spent(goroutines, overlap)[said], tasks)
    spent = _spent(cut, overlap)
    parts = {}
    for name, state, with_cpu in (
        ("on_cpu", _RUNNING, True), ("unknown", _RUNNING, False), ("runnable", _RUNNABLE, None), ("blocked", _BLOCKED, None),
    ):  # fmt: skip
        which = (cut["thread_id"] != NULL) & (cut["state"] == state)
        if with_cpu is not None:
            which &= (cut["cpu"] != NULL) == with_cpu
        parts[name] = np.bincount(cut["task_id"][which], spent[which], tasks)
    off = parts["runnable"] + parts["blocked"]
    names, goids = go.tables["tasks"].column("name"), go.tables["tasks"].column("source_id")
    worst = [int(task) for task in np.argsort(-off, kind="stable")[:WORST] if off[task] > 0]
    return {
        "overlap_ns": overlap[1] - overlap[0],
        "running_ns": int(running.sum()),
        **{f"{name}_ns": int(part.sum()) for name, part in parts.items()},
        "share_without_cpu": float(off.sum() / running.sum()) if running.sum() else None,
        "worst": [
            {"name": names[task].as_py(), "goroutine": goids[task].as_py(), "running_ns": int(running[task]),
             "runnable_ns": int(parts["runnable"][task]), "blocked_ns": int(parts["blocked"][task])}
            for task in worst
        ],
    }  # fmt: skip


def _meta(go: Trace, kernel: Trace, shifts: tuple[int, int], summary: dict[str, Any]) -> dict[str, Any]:
    sources = [dict(trace.meta.get("source") or {}) for trace in (go, kernel)]
    digest = hashlib.sha256("".join(str(source.get("sha256")) for source in sources).encode()).hexdigest()
    clocks = [trace.meta["clock"] for trace in (go, kernel)]
    begins = clocks[0] if shifts[0] == 0 else clocks[1]
    choices = [
        {"policy": "goroutines on threads", "choice": "RUNNING only while the thread had a CPU; cpu is the kernel's, not the P",
         "count": summary["runnable_ns"] + summary["blocked_ns"]},
        {"policy": "threads of goroutines", "choice": "their rows are what they did while they carried no goroutine", "count": 0},
    ]  # fmt: skip
    return {
        "source": {
            "path": " + ".join(str(source.get("path")) for source in sources),
            "format": " + ".join(str(source.get("format")) for source in sources),
            "version": " + ".join(str(source.get("version")) for source in sources),
            "sha256": digest,
            "size_bytes": sum(int(source.get("size_bytes") or 0) for source in sources),
        },
        "sources": sources,
        "clock": begins,
        "host": kernel.meta.get("host"),
        "kernel": kernel.meta.get("kernel"),
        "cpus": kernel.meta.get("cpus"),
        "end_ns": max(s + int(t.meta["end_ns"]) for t, s in zip((go, kernel), shifts, strict=True)),
        "events": sum(int(trace.meta.get("events") or 0) for trace in (go, kernel)),
        "callchains": kernel.meta.get("callchains"),
        "form": "goroutine",
        "policies": [*(go.meta.get("policies") or []), *(kernel.meta.get("policies") or []), *choices],
        "tool_version": tracekit.__version__,
        "join": summary,
    }
