"""The rows of a foreign table as a Trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracekit import __version__
from tracekit.sources.state_words import state_of
from tracekit.sources.tables.columns import LIMIT_NS, NULL, Given
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.vocabulary import REASONS, STATES, TASK_KINDS, Words


def make_trace(given: Given, source: dict[str, Any]) -> Trace:
    """Tasks in the order of their ids, or in which they are first seen. Raises SourceError naming row and column."""
    if not given.table.num_rows:
        given.fail("no rows")
    start, end = given.times_ns("start"), given.times_ns("end")
    given.refuse(end < start, "end", "before its start")
    task, ids, names = _tasks(given)
    state, told = _states(given)
    rows = {"task_id": task, "cpu": _numbers(given, "cpu"), "thread_id": _numbers(given, "thread_id"), "state": state,
            "start_ns": start, "end_ns": end, "reason": _reasons(given, told), "inferred": _flags(given)}  # fmt: skip
    _refuse_overlaps(given, task, start, end)
    _refuse_shared_cpus(given, rows)
    origin = int(min(start.min(), 0)) if given.found["start"].lower() == "start_ns" else int(start.min())
    rows["start_ns"], rows["end_ns"] = start - origin, end - origin
    wakeups = _wakeups(given, rows, ids, names)
    tasks = _task_table(given, rows, ids, names)
    kept = end > start
    rows = {name: values[kept] for name, values in rows.items()}
    rows, filled = _filled(rows)
    order = np.lexsort((rows["task_id"], rows["start_ns"]))
    intervals = table("intervals", {name: values[order] for name, values in rows.items()})
    policies = [
        ("rows that take no time", "left out", int(np.sum(~kept))),
        ("time of a task between its rows", "UNKNOWN", filled),
        ("wakers", "a wakeup when a RUNNABLE row begins that names one", wakeups.num_rows),
    ]
    cpus = int(rows["cpu"].max(initial=NULL)) + 1
    meta = {
        "source": source, "clock": {"name": None, "origin_ns": origin, "wall_origin_ns": None}, "host": None,
        "kernel": None, "cpus": cpus or None, "end_ns": int(rows["end_ns"].max(initial=0)),
        "events": given.table.num_rows, "form": _form(tasks),
        "policies": [{"policy": p, "choice": c, "count": n} for p, c, n in policies if n], "tool_version": __version__,
    }  # fmt: skip
    return Trace({"tasks": tasks, "intervals": intervals, "wakeups": wakeups, "gaps": empty("gaps")}, meta)


def _tasks(given: Given) -> tuple[Any, Any, list[str]]:
    """Each row's task by number, the id of each task (null: none), and its name."""
    key = "task_id" if given.has("task_id") else "task"
    given.refuse(given.nulls(key), key, "no task")
    keys = given.values(key)
    first = pc.unique(keys)
    if key == "task_id" and pa.types.is_integer(keys.type):
        first = first.take(pc.sort_indices(first))
    numbers = pc.index_in(keys, value_set=first).to_numpy(zero_copy_only=False).astype(np.int32)
    _, rows = np.unique(numbers, return_index=True)
    label = "task" if given.has("task") else key
    texts = given.texts(label).take(pa.array(rows)).to_pylist()
    names = [text if text is not None else str(i) for text, i in zip(texts, first.to_pylist(), strict=True)]
    return numbers, first, names


def _states(given: Given) -> tuple[Any, list[str | None]]:
    """Each row's state as a code; and by row the reason that the word itself gives."""
    words = given.texts("state").dictionary_encode()
    given.refuse(given.nulls("state"), "state", "no state")
    known = [state_of(word) for word in words.dictionary.to_pylist()]
    indices = words.indices.to_numpy(zero_copy_only=False)
    unknown = np.array([meaning is None for meaning in known], np.bool_)
    given.refuse(
        unknown[indices], "state", f"unknown state; known are {', '.join(STATES)} and customary words for them"
    )
    codes = np.array([STATES[meaning[0]] for meaning in known if meaning], np.int8)
    reasons = [meaning[1] for meaning in known if meaning]
    return codes[indices], [reasons[i] for i in indices] if any(reasons) else [None] * len(indices)


def _coded(given: Given, column: str, words: Words) -> Any:
    """A column of words as codes, null as -1; an unknown one is refused."""
    encoded = given.texts(column).dictionary_encode()
    known = [words.get((word or "").strip().lower(), NULL) for word in encoded.dictionary.to_pylist()]
    codes = np.array([*known, NULL], np.int8)[pc.fill_null(encoded.indices, len(known)).to_numpy(zero_copy_only=False)]
    empty_ = pc.fill_null(pc.equal(given.texts(column), ""), True).to_numpy(zero_copy_only=False)
    given.refuse((codes == NULL) & ~given.nulls(column) & ~empty_, column, f"unknown {words.title}")
    return codes


def _reasons(given: Given, told: list[str | None]) -> Any:
    by_word = np.array([NULL if word is None else REASONS[word] for word in told], np.int8)
    if not given.has("reason"):
        return by_word
    codes = _coded(given, "reason", REASONS)
    return np.where(codes == NULL, by_word, codes)


def _numbers(given: Given, column: str) -> Any:
    if not given.has(column):
        return np.full(given.table.num_rows, NULL, np.int64)
    return given.integers(column, 1 << 31)


def _flags(given: Given) -> Any:
    if not given.has("inferred"):
        return np.zeros(given.table.num_rows, np.bool_)
    values = given.values("inferred")
    if not pa.types.is_boolean(values.type):
        given.fail(f"{values.type} is neither true nor false", "inferred")
    return pc.fill_null(values, False).to_numpy(zero_copy_only=False)


def _refuse_overlaps(given: Given, task: Any, start: Any, end: Any) -> None:
    """A task is in one state at a time: the first row that begins before another of its task has ended."""
    order = np.lexsort((end, start, task))
    same = task[order][1:] == task[order][:-1]
    wrong = order[1:][same & (start[order][1:] < end[order][:-1])]
    if len(wrong):
        row = int(wrong.min())
        given.fail(f"overlaps another row of task {given.texts('task' if given.has('task') else 'task_id')[row]}",
                   "start", row)  # fmt: skip


def _refuse_shared_cpus(given: Given, rows: dict[str, Any]) -> None:
    """A CPU runs one task at a time: the first RUNNING row that begins before another on its CPU has ended."""
    start, end, cpu = rows["start_ns"], rows["end_ns"], rows["cpu"]
    order = np.lexsort((end, start, cpu))
    order = order[((rows["state"] == STATES["RUNNING"]) & (cpu >= 0) & (end > start))[order]]
    wrong = order[1:][(cpu[order][1:] == cpu[order][:-1]) & (start[order][1:] < end[order][:-1])]
    if len(wrong):
        row = int(wrong.min())
        given.fail(f"overlaps another RUNNING row of cpu {int(cpu[row])}", "start", row)


def _filled(rows: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The rows, and one of state UNKNOWN wherever a task has none between two of its own."""
    order = np.lexsort((rows["start_ns"], rows["task_id"]))
    task, start, end = (rows[name][order] for name in ("task_id", "start_ns", "end_ns"))
    at = np.flatnonzero((task[1:] == task[:-1]) & (start[1:] > end[:-1]))
    new = {name: np.full(len(at), NULL, values.dtype) for name, values in rows.items() if name != "inferred"}
    new |= {"task_id": task[at], "start_ns": end[at], "end_ns": start[at + 1], "inferred": np.zeros(len(at), np.bool_)}
    new["state"] = np.full(len(at), STATES["UNKNOWN"], np.int8)
    return {name: np.concatenate((values, new[name])) for name, values in rows.items()}, len(at)


def _task_table(given: Given, rows: dict[str, Any], ids: Any, names: list[str]) -> pa.Table:
    count = len(names)
    first, last = np.full(count, LIMIT_NS), np.zeros(count, np.int64)
    np.minimum.at(first, rows["task_id"], rows["start_ns"])
    np.maximum.at(last, rows["task_id"], rows["end_ns"])
    exits = np.zeros(count, np.bool_)
    exits[rows["task_id"][rows["state"] == STATES["EXITED"]]] = True
    _, row = np.unique(rows["task_id"], return_index=True)
    columns: dict[str, Any] = {"task_id": np.arange(count, dtype=np.int32), "name": names, "start_ns": first}
    if given.has("kind"):
        columns["kind"] = _coded(given, "kind", TASK_KINDS)[row]
    if given.has("source_id"):
        columns["source_id"] = given.integers("source_id", LIMIT_NS)[row]
    elif pa.types.is_integer(ids.type):
        columns["source_id"] = pc.cast(ids, pa.int64())
    if given.has("process"):
        columns["process_id"] = _processes(given, row, ids)
    return table("tasks", columns)


def _processes(given: Given, row: Any, ids: Any) -> Any:
    """The task of each task's process: the one whose id it names, else the first that names the same."""
    named = given.texts("process").take(pa.array(row)).to_pylist()
    by_id = {str(value): number for number, value in enumerate(ids.to_pylist())}
    first: dict[str | None, int] = {}
    for number, process in enumerate(named):
        first.setdefault(process, number)
    found = [NULL if process is None else by_id.get(process, first[process]) for process in named]
    return np.array(found, np.int64)


def _wakeups(given: Given, rows: dict[str, Any], ids: Any, names: list[str]) -> pa.Table:
    """Where a row names a waker: a wakeup of its task when it begins."""
    if not given.has("waker"):
        return empty("wakeups")
    wakers = given.texts("waker")
    numbers = {name: number for number, name in reversed(list(enumerate(names)))}
    numbers |= {str(value): number for number, value in enumerate(ids.to_pylist())}
    told = np.array([NULL if word in (None, "") else numbers.get(word, -2) for word in wakers.to_pylist()], np.int64)
    given.refuse(told == -2, "waker", "no task of this table")
    at = np.flatnonzero((told >= 0) & (rows["state"] == STATES["RUNNABLE"]))
    at = at[np.argsort(rows["start_ns"][at], kind="stable")]
    return table("wakeups", {"at_ns": rows["start_ns"][at], "waker_id": told[at], "wakee_id": rows["task_id"][at],
                             "target_cpu": rows["cpu"][at]})  # fmt: skip


def _form(tasks: pa.Table) -> str | None:
    kinds = [kind for kind in tasks["kind"].to_pylist() if kind in ("process", "thread", "goroutine")]
    return max(sorted(set(kinds)), key=kinds.count) if kinds else None
