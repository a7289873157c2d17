"""Traces from short stories, and programs as short text: what golden tests of programs are written in.

A story has a line per task: `name [kind] [of parent] [ends]: step, step …`, and a step is `STATE from-to [reason]
[by NAME | by irq]`, in µs. States: R running, q queued (RUNNABLE), b blocked, u unknown, n new. `by` adds the
wakeup that ends a blocked step or begins a queued one.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Program, Trace
from tracekit.units import format_duration

_STATES = {"R": "RUNNING", "q": "RUNNABLE", "b": "BLOCKED", "u": "UNKNOWN", "n": "NEW"}
_TASK = re.compile(
    r"(?P<name>\S+)(?: (?P<kind>process|thread|goroutine|kernel))?(?: of (?P<parent>\S+))?(?P<ends> ends)?"
)
_STEP = re.compile(
    r"(?P<state>[Rqbun]) (?P<start>[\d.]+)-(?P<end>[\d.]+)(?: (?!by )(?P<reason>\w+))?(?: by (?P<by>\S+))?"
)
US = 1000


def trace(story: str, **meta: Any) -> Trace:
    """The trace of a story."""
    lines = [line.split(": ") for line in story.strip().splitlines()]
    heads = [_TASK.fullmatch(head.strip()) for head, _ in lines]
    assert all(heads), heads
    names = [head["name"] for head in heads if head]
    tasks, intervals, wakeups = [], [], []
    for number, (head, (_, steps)) in enumerate(zip(heads, lines, strict=True)):
        assert head is not None
        rows = [_step(number, text.strip(), names, wakeups) for text in steps.split(",")]
        intervals += rows
        parent = names.index(head["parent"]) if head["parent"] else None
        tasks.append({
            "task_id": number, "name": head["name"], "kind": head["kind"] or "process", "process_id": number,
            "parent_id": parent, "source_id": 100 + number, "start_ns": rows[0]["start_ns"],
            "end_ns": rows[-1]["end_ns"] if head["ends"] else None,
        })  # fmt: skip
    return trace_of(tasks, intervals, wakeups, **meta)


def trace_of(tasks: list[dict[str, Any]], intervals: list[dict[str, Any]], wakeups: list[dict[str, Any]], **meta: Any
             ) -> Trace:  # fmt: skip
    """A trace of rows as dicts, brought into the tables' order."""
    rows = {
        "tasks": tasks,
        "intervals": sorted(intervals, key=lambda row: (row["start_ns"], row["task_id"])),
        "wakeups": sorted(wakeups, key=lambda row: row["at_ns"]),
        "gaps": [],
    }
    return Trace({name: _table(name, given) for name, given in rows.items()}, dict(meta))


def _step(task: int, text: str, names: list[str], wakeups: list[dict[str, Any]]) -> dict[str, Any]:
    match = _STEP.fullmatch(text)
    assert match, text
    start, end = (round(float(match[bound]) * US) for bound in ("start", "end"))
    if match["by"]:
        waker = None if match["by"] == "irq" else names.index(match["by"])
        at = start if match["state"] == "q" else end
        wakeups.append({"at_ns": at, "waker_id": waker, "wakee_id": task, "reason": match["reason"]})
    reason = match["reason"] or ("wakeup" if match["state"] == "q" else None)
    return {
        "task_id": task,
        "cpu": 0,
        "state": _STATES[match["state"]],
        "start_ns": start,
        "end_ns": end,
        "reason": reason,
    }


def _table(name: str, rows: list[dict[str, Any]]) -> Any:
    return table(name, {key: [row.get(key) for row in rows] for key in rows[0]}) if rows else empty(name)


def text_of(program: Program) -> str:
    """A program as text: a line per task, with all that its tables say of it."""
    tasks = program.frame("tasks")
    names = tasks["name"].to_list()
    objects = [name or f"{kind}{number}" for number, kind, name in program.frame("objects").select(
        "object_id", pl.col("kind").cast(pl.String), "name").rows()]  # fmt: skip
    steps: dict[int, list[str]] = {}
    for row in program.frame("segments").with_columns(pl.col("kind").cast(pl.String)).rows(named=True):
        words = [row["kind"]]
        words += [] if row["object_id"] is None else [objects[row["object_id"]]]
        words += [] if row["target_id"] is None else [names[row["target_id"]]]
        words += [] if row["count"] is None else [f"x{row['count']}"]
        words += [] if row["bytes"] is None else [f"{row['bytes']}B"]
        words += [] if row["duration_ns"] is None else [format_duration(row["duration_ns"])]
        steps.setdefault(row["task_id"], []).append(" ".join(words))
    lines = []
    for row in tasks.rows(named=True):
        start = "spawned" if row["start_ns"] is None else f"at {format_duration(row['start_ns'])}"
        aside = "" if row["converted"] else ", competes"
        lines.append(f"{row['name']} ({start}{aside}): {', '.join(steps.get(row['task_id'], ['nothing']))}")
    return "\n".join(lines)
