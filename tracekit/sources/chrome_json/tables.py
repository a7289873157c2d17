"""Slices and flows to contract tables, and what is known about the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tracekit import __version__
from tracekit.errors import SourceError
from tracekit.sources import copying
from tracekit.sources.base import Sink
from tracekit.sources.chrome_json.flows import Flows, flows_of, wakeups_before_slices, wakeups_that_fit
from tracekit.sources.chrome_json.layout import EVENTS, INEXACT, NONE, READ, UNPLACED, Ints, Records
from tracekit.sources.chrome_json.naming import Rows, rows_of
from tracekit.sources.chrome_json.slices import (
    EMPTY,
    OPEN_ENDED,
    OVERLAPS,
    UNFINISHED,
    UNMATCHED,
    Swept,
    ordered,
    sweep_rows,
)
from tracekit.sources.chrome_json.spec import IGNORED_PHASES
from tracekit.sources.chrome_json.tasks import (
    CPUS,
    STATE_ROWS,
    THREADS,
    Pieces,
    kind_of_file,
    pieces_of,
    reason_codes,
    states_of_texts,
    without_overlaps,
)
from tracekit.sources.chrome_json.windows import Scanned
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.tables.stream import Collector
from tracekit.vocabulary import EXIT_REASONS, GAP_CAUSES, REASONS, STATES, TASK_KINDS

_BLOCK = 1 << 18  # intervals made into a table at once
FORMAT = "Chrome trace-event JSON"


@dataclass
class _Read:
    """Everything between the scan and the tables. Times are the file's, in ns; `origin_ns` becomes 0."""

    scanned: Scanned
    rows: Rows
    kind: str
    swept: Swept
    pieces: Pieces
    flows: Flows
    contradictions: Records
    origin_ns: int = 0
    end_ns: int = 0


def make_trace(scanned: Scanned, path: Path, sink: Sink | None = None) -> Trace:
    """The trace of a scanned file; its intervals go to `sink` where there is one, block by block, as they are most of it.

    Raises SourceError when it has no slice that says who ran.
    """
    store, rows = scanned.store, rows_of(scanned)
    on_cpu = rows.cpu != NONE
    touched = store.events["name"][: store.state[EVENTS]]
    words = states_of_texts(store, np.unique(touched))
    swept = sweep_rows(store, ~on_cpu & ~_state_rows(store.events[: store.state[EVENTS]], words[0], len(rows.pid)))
    if not len(swept.slices):
        raise SourceError(
            "trace events, but no slice (B and E, or X) that says who ran", where=str(path),
            remedy="record with slices of threads, or with rows of CPUs",
        )  # fmt: skip
    kind, chosen = kind_of_file(swept.slices, rows, words[0])
    pieces = pieces_of(kind, copying.where(chosen, swept.slices), rows, store, words)
    if not len(pieces.rows):
        raise SourceError("the CPUs are idle throughout: no task in it", where=str(path))
    swept.slices = np.zeros(0, swept.slices.dtype)  # a third of all memory, and pieces say it all
    pieces.rows, contradictions = without_overlaps(pieces.rows)
    flows = flows_of(store, pieces, rows)
    fit = wakeups_that_fit if kind == STATE_ROWS else wakeups_before_slices
    read = _Read(scanned, rows, kind, swept, pieces, fit(flows, pieces.rows), contradictions)
    _set_bounds(read)
    tables = {"tasks": _tasks(read), "wakeups": _wakeups(read), "gaps": _gaps(read)}
    collected = Collector()
    for block in _intervals(read):
        (sink or collected).append("intervals", block)
    tables["intervals"] = collected.tables()["intervals"]
    return Trace(tables, _meta(read, path))


def _state_rows(events: Records, states: Ints, count: int) -> np.ndarray[Any, Any]:
    """Rows whose slices are all called by a state's word: there, slices that touch stay apart."""
    slices = copying.where(np.isin(events["ph"], (ord("X"), ord("B"))), events)
    other = np.bincount(slices["row"][states[slices["name"]] == NONE], minlength=count)
    result: np.ndarray[Any, Any] = other[:count] == 0
    return result


def _set_bounds(read: _Read) -> None:
    pieces, wakeups = read.pieces.rows, read.flows.wakeups
    read.origin_ns = int(min([pieces["start"].min(), *wakeups["at"][:1]]))
    read.end_ns = int(pieces["end"].max())
    own = read.rows.own
    if own is not None:
        read.origin_ns = min(0, read.origin_ns)
        told = own.get("end_ns")
        read.end_ns = max(read.end_ns, told if isinstance(told, int) and told < 1 << 60 else 0)


def _tasks(read: _Read) -> pa.Table:
    tasks, count = read.pieces.tasks, len(read.pieces.tasks.names)
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, NONE, np.int64)
    np.minimum.at(first, read.pieces.rows["task"], read.pieces.rows["start"])
    np.minimum.at(first, read.flows.wakeups["wakee"], read.flows.wakeups["at"])
    first = np.where(first == np.iinfo(np.int64).max, NONE, first - read.origin_ns)
    processes, alone = _processes(read)
    kinds = np.where(alone, TASK_KINDS["process"], TASK_KINDS["thread"])
    if read.kind == CPUS:
        kinds = np.full(count, NONE)
    columns: dict[str, Any] = {
        "task_id": np.arange(count, dtype=np.int32), "name": tasks.names, "kind": kinds.astype(np.int8),
        "process_id": processes, "parent_id": np.full(count, NONE, np.int32), "source_id": list(tasks.source_ids),
        "start_ns": first, "end_ns": last, "exit_reason": np.full(count, NONE, np.int8),
    }  # fmt: skip
    if read.rows.own is not None:
        _as_told(columns, read)
    return table("tasks", columns)


def _processes(read: _Read) -> tuple[Ints, np.ndarray[Any, Any]]:
    """For each task with a row the task of its pid: the one whose tid that is, or the first; and who is alone in it."""
    tasks, rows = read.pieces.tasks, read.rows
    main: dict[str, int] = {}
    for task, row in enumerate(tasks.rows):
        if row != NONE and (rows.pid[row] not in main or rows.tid[row] == rows.pid[row]):
            main[rows.pid[row]] = task
    sizes = Counter(rows.pid[row] for row in tasks.rows if row != NONE)
    of_task = [NONE if row == NONE else main[rows.pid[row]] for row in tasks.rows]
    alone = [row != NONE and sizes[rows.pid[row]] == 1 for row in tasks.rows]
    return np.array(of_task, np.int64), np.array(alone, np.bool_)


def _as_told(columns: dict[str, Any], read: _Read) -> None:
    """What our own export says about each task, in place of what rows and slices let infer."""
    count = len(columns["task_id"])
    words = {"kind": TASK_KINDS, "exit_reason": EXIT_REASONS}
    for task, row in enumerate(read.pieces.tasks.rows):
        told = read.rows.arguments.get(row, {})
        for column in ("kind", "process_id", "parent_id", "source_id", "start_ns", "end_ns", "exit_reason"):
            value = told.get(column)
            if column in words:
                value = words[column].get(value, NONE) if isinstance(value, str) else NONE
            limit = count if column in ("process_id", "parent_id") else 1 << 60
            known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < limit
            columns[column][task] = value if known else None if column == "source_id" else NONE


def _intervals(read: _Read) -> Iterator[pa.Table]:
    """The intervals in order, a block at a time."""
    parts = [read.pieces.rows]
    if read.kind != STATE_ROWS:
        parts += _between(read)
    order = ordered(_column(parts, "start"), _column(parts, "task"))
    firsts = np.cumsum([0, *map(len, parts)])
    for at in range(0, len(order), _BLOCK):
        rows = _rows_of(parts, firsts, order[at : at + _BLOCK])
        yield table("intervals", {
            "task_id": rows["task"], "cpu": rows["cpu"], "thread_id": rows["thread"], "state": rows["state"],
            "start_ns": rows["start"] - read.origin_ns, "end_ns": rows["end"] - read.origin_ns,
            "reason": rows["reason"], "inferred": rows["inferred"],
        })  # fmt: skip


def _rows_of(parts: list[Records], firsts: Ints, wanted: Ints) -> Records:
    """Rows by their numbers, as if the parts, whose first rows' numbers are `firsts`, stood one after the other."""
    rows = np.empty(len(wanted), parts[0].dtype)
    of = np.searchsorted(firsts, wanted, side="right") - 1
    for number, part in enumerate(parts):
        here = np.flatnonzero(of == number)
        rows[here] = part[wanted[here] - firsts[number]]
    return rows


def _column(parts: list[Records], name: str) -> Any:
    return np.concatenate([part[name] for part in parts])


def _between(read: _Read) -> list[Records]:
    """What is known of tasks while they do not run: BLOCKED and RUNNABLE where a wakeup says so, else UNKNOWN."""
    pieces, wakeups = read.pieces.rows, read.flows.wakeups
    woken = np.full(len(pieces), NONE, np.int64)
    woken[wakeups["piece"]] = np.arange(len(wakeups))
    first = np.concatenate(([True], pieces["task"][1:] != pieces["task"][:-1]))
    since = np.concatenate(([0], pieces["end"][:-1]))
    known = woken != NONE
    at = np.where(known, wakeups["at"][np.maximum(woken, 0)] if len(wakeups) else 0, pieces["start"])
    since = np.where(first, at, since)
    last = np.concatenate((first[1:], [True]))
    blocked = _span(pieces, since, at, known, "BLOCKED", "event")
    runnable = _span(pieces, at, pieces["start"], known, "RUNNABLE", "wakeup")
    unknown = _span(pieces, since, pieces["start"], ~known, "UNKNOWN", None)
    after = _span(pieces, pieces["end"], np.full(len(pieces), read.end_ns), last, "UNKNOWN", None)
    return [blocked, runnable, unknown, after]


def _span(pieces: Records, start: Ints, end: Ints, wanted: Any, state: str, reason: str | None) -> Records:
    chosen = wanted & (end > start)
    result = copying.taken(pieces, np.flatnonzero(chosen))
    result["start"], result["end"] = start[chosen], end[chosen]
    result["cpu"] = result["thread"] = NONE
    result["state"], result["reason"] = STATES[state], NONE if reason is None else REASONS[reason]
    result["inferred"] = False
    return result


def _wakeups(read: _Read) -> pa.Table:
    w = read.flows.wakeups
    return table("wakeups", {
        "at_ns": w["at"] - read.origin_ns, "waker_id": w["waker"], "wakee_id": w["wakee"], "cpu": w["cpu"],
        "target_cpu": w["target"], "reason": reason_codes(read.scanned.store, w["reason"]).astype(np.int8),
    })  # fmt: skip


def _gaps(read: _Read) -> pa.Table:
    rows = [_hole(read, hole) for hole in read.scanned.holes]
    if read.kind != THREADS:
        rows += [_contradiction(read, row) for row in read.swept.overlaps if row["end"] - row["start"] > 1]
    rows += [_contradiction(read, row) for row in read.contradictions if row["end"] - row["start"] > 1]
    rows += [gap for told in read.rows.gaps if (gap := _told_gap(told)) is not None]
    if not rows:
        return empty("gaps")
    rows.sort(key=lambda row: (row["start_ns"], row["end_ns"], -1 if row["cpu"] is None else row["cpu"]))
    return table("gaps", {column: [row[column] for row in rows] for column in rows[0]})


def _gap(start_ns: int, end_ns: int, cause: str, stream: str | None = None, cpu: int | None = None) -> dict[str, Any]:
    start = max(start_ns, 0)
    return {"cpu": cpu, "stream": stream, "start_ns": start, "end_ns": max(end_ns, start), "lost_events": None,
            "cause": cause}  # fmt: skip


def _hole(read: _Read, hole: Any) -> dict[str, Any]:
    """Between the events on both sides of the damage; the format keeps no order, so that is where it was written."""
    times = read.scanned.store.events["ts"][: read.scanned.store.state[EVENTS]]
    before = int(times[hole.events - 1]) if hole.events else read.origin_ns
    after = int(times[hole.events]) if hole.events < len(times) else read.end_ns
    start, end = min(before, after), min(max(before, after), read.end_ns)
    return _gap(start - read.origin_ns, end - read.origin_ns, hole.cause, f"byte {hole.offset}: {hole.what}")


def _contradiction(read: _Read, row: Any) -> dict[str, Any]:
    of = read.rows
    cpu = int(of.cpu[row["row"]])
    where = f"row {of.names[row['row']] or of.tid[row['row']]}: slices overlap"
    start, end = int(row["start"]) - read.origin_ns, int(row["end"]) - read.origin_ns
    return _gap(start, end, "inconsistent", where, None if cpu == NONE else cpu)


def _told_gap(told: dict[str, Any]) -> dict[str, Any] | None:
    """A gap as our own export writes it."""
    cause, cpu, lost, stream = (told.get(key) for key in ("cause", "cpu", "lost_events", "stream"))
    start, end = told.get("start_ns"), told.get("end_ns")
    if not isinstance(cause, str) or cause not in GAP_CAUSES:
        return None
    if not isinstance(start, int) or not isinstance(end, int) or max(start, end) >= 1 << 60:
        return None
    gap = _gap(start, end, cause, stream if isinstance(stream, str) else None)
    gap["cpu"] = cpu if isinstance(cpu, int) and 0 <= cpu < 1 << 31 else None
    gap["lost_events"] = lost if isinstance(lost, int) and 0 <= lost < 1 << 60 else None
    return gap


def _policies(read: _Read) -> list[dict[str, Any]]:
    counts, state = read.swept.counts, read.scanned.store.state
    choice = {
        THREADS: "a thread is RUNNING while its outermost slice is open; else BLOCKED and RUNNABLE where a flow says "
                 "so, and UNKNOWN where nothing does",
        CPUS: "rows of CPUs say who is RUNNING; rows of threads give names alone",
        STATE_ROWS: "rows of threads whose slices are called by states; rows of CPUs repeat them",
    }[read.kind]  # fmt: skip
    rows = [
        ("where scheduling is", choice, len(read.pieces.rows)),
        ("flow events", "a wakeup when the flow begins, if its end was not running; the first of several",
         len(read.flows.wakeups)),
        ("flows to a task already RUNNING or RUNNABLE", "no wakeup", read.flows.already),
        ("flows to no task's row", "left out", read.flows.unplaced),
        ("slices without an end", "open until the trace ends; inferred", int(counts[UNFINISHED])),
        ("ends without a beginning", "left out", int(counts[UNMATCHED])),
        ("X without dur", "left out", int(counts[OPEN_ENDED])),
        ("slices that take no time", "left out", int(counts[EMPTY])),
        ("slices of a row that overlap", "on rows of CPUs and states the later begins later", int(counts[OVERLAPS])),
        ("a task in two places at once", "the later slice begins later", len(read.contradictions)),
        ("the idle task", "no task", read.pieces.idle),
        ("events without a time", "left out", int(state[UNPLACED])),
        ("times finer than 1 ns", "rounded to the nearest", int(state[INEXACT])),
    ]  # fmt: skip
    ignored: Counter[str] = Counter()
    for phase, count in enumerate(read.scanned.store.ignored):
        ignored[IGNORED_PHASES.get(chr(phase), "unknown phase")] += int(count)
    rows += [(f"{what} events", "left out", count) for what, count in sorted(ignored.items())]
    return [{"policy": p, "choice": c, "count": n} for p, c, n in rows if n]


def _meta(read: _Read, path: Path) -> dict[str, Any]:
    own = read.rows.own or {}
    cpus = [int(c) for c in np.unique(read.pieces.rows["cpu"]) if c != NONE]
    told = own.get("cpus")
    form = own.get("form", None if read.kind == CPUS else "thread")
    clock = own.get("clock")
    return {
        "source": {"path": str(path), "format": FORMAT, "version": None, "sha256": read.scanned.sha256,
                   "size_bytes": read.scanned.size_bytes},
        "clock": clock if isinstance(clock, dict)
                 else {"name": None, "origin_ns": read.origin_ns, "wall_origin_ns": None},
        "host": _text(own.get("host")), "kernel": _text(own.get("kernel")),
        "cpus": told if isinstance(told, int) and 0 < told < 1 << 20 else (max(cpus) + 1 if cpus else None),
        "end_ns": read.end_ns - read.origin_ns,
        "events": int(read.scanned.store.state[READ]),
        "form": form if form in TASK_KINDS else None,
        "policies": _policies(read),
        "tool_version": __version__,
    }  # fmt: skip


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
