"""Slices and flows to contract tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tracekit.errors import SourceError
from tracekit.sources import copying
from tracekit.sources.base import Sink
from tracekit.sources.chrome_json.flows import flows_of, wakeups_before_slices, wakeups_that_fit
from tracekit.sources.chrome_json.gaps import gap_table
from tracekit.sources.chrome_json.layout import EVENTS, NONE, Ints, Records
from tracekit.sources.chrome_json.meta import meta_of
from tracekit.sources.chrome_json.naming import rows_of
from tracekit.sources.chrome_json.reading import Read
from tracekit.sources.chrome_json.slices import ordered, sweep_rows
from tracekit.sources.chrome_json.tasks import (
    CPUS,
    STATE_ROWS,
    kind_of_file,
    pieces_of,
    reason_codes,
    states_of_texts,
    without_overlaps,
)
from tracekit.sources.chrome_json.windows import Scanned
from tracekit.tables.build import table
from tracekit.tables.bundle import Trace
from tracekit.tables.stream import Collector
from tracekit.vocabulary import EXIT_REASONS, REASONS, STATES, TASK_KINDS

_BLOCK = 1 << 18  # intervals made into a table at once


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
    read = Read(scanned, rows, kind, swept, pieces, fit(flows, pieces.rows), contradictions)
    _set_bounds(read)
    tables = {"tasks": _tasks(read), "wakeups": _wakeups(read), "gaps": gap_table(read)}
    collected = Collector()
    for block in _intervals(read):
        (sink or collected).append("intervals", block)
    tables["intervals"] = collected.tables()["intervals"]
    return Trace(tables, meta_of(read, path))


def _state_rows(events: Records, states: Ints, count: int) -> np.ndarray[Any, Any]:
    """Rows whose slices are all called by a state's word: there, slices that touch stay apart."""
    slices = copying.where(np.isin(events["ph"], (ord("X"), ord("B"))), events)
    other = np.bincount(slices["row"][states[slices["name"]] == NONE], minlength=count)
    result: np.ndarray[Any, Any] = other[:count] == 0
    return result


def _set_bounds(read: Read) -> None:
    pieces, wakeups = read.pieces.rows, read.flows.wakeups
    read.origin_ns = int(min([pieces["start"].min(), *wakeups["at"][:1]]))
    read.end_ns = int(pieces["end"].max())
    own = read.rows.own
    if own is not None:
        read.origin_ns = min(0, read.origin_ns)
        told = own.get("end_ns")
        read.end_ns = max(read.end_ns, told if isinstance(told, int) and told < 1 << 60 else 0)


def _tasks(read: Read) -> pa.Table:
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


def _processes(read: Read) -> tuple[Ints, np.ndarray[Any, Any]]:
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


def _as_told(columns: dict[str, Any], read: Read) -> None:
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


def _intervals(read: Read) -> Iterator[pa.Table]:
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


def _between(read: Read) -> list[Records]:
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


def _wakeups(read: Read) -> pa.Table:
    w = read.flows.wakeups
    return table("wakeups", {
        "at_ns": w["at"] - read.origin_ns, "waker_id": w["waker"], "wakee_id": w["wakee"], "cpu": w["cpu"],
        "target_cpu": w["target"], "reason": reason_codes(read.scanned.store, w["reason"]).astype(np.int8),
    })  # fmt: skip
