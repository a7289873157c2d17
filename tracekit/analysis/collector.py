"""What Go's garbage collection cost whom: assists, sweeps, stopped worlds, waits for it, and the workers' CPU time."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, RUNNABLE, RUNNING, History
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.vocabulary import REASONS

WORKER = "runtime.gcBgMarkWorker"  # runs the marking beside the program (Go's runtime/mgc.go)
_NOTHING = "No garbage collector is recorded: Go execution traces have one, and nothing else does."


def gc(seen: History) -> Analysis:
    """`cycles`: one row per collection; `tasks`: what each goroutine paid; `stops`: the world stopped, by why."""
    ranges = seen.bundle.frame("ranges").with_columns(pl.col("kind").cast(pl.String))
    found = {kind: ranges.filter(pl.col("kind") == kind) for kind in ("gc", "stop_the_world", "sweep", "mark_assist")}
    if all(part.is_empty() for part in found.values()):
        return Analysis("gc", {}, {}, (_NOTHING,))
    known = labels(seen.bundle)
    workers = _workers(seen)
    cycles, tasks = _cycles(seen, found, workers), _by_task(seen, found, workers, known)
    stops = found["stop_the_world"].group_by(why=pl.col("name")).agg(
        stops=pl.len().cast(pl.Int64), stopped_ns=_length().sum(), longest_ns=_length().max()
    ).sort("stopped_ns", "why", descending=[True, False])  # fmt: skip
    running = int((seen.lives.end - seen.lives.start)[_running(seen)].sum())
    facts = {
        "collections": found["gc"].height,
        "collecting_ns": int(found["gc"].select(_length().sum()).item() or 0),
        "workers_ns": int(cycles["workers_ns"].sum()),
        "assists_ns": int(found["mark_assist"].select(_length().sum()).item() or 0),
        "stopped_ns": int(found["stop_the_world"].select(_length().sum()).item() or 0),
        "workers_share_of_running_time": cycles["workers_ns"].sum() / running if running else None,
    }
    return Analysis("gc", facts, {
        "tasks": Table("What each goroutine paid, most first", tasks, ("task_id",)),
        "cycles": Table("Each collection", cycles),
        "stops": Table("The world stopped: nothing but the runtime ran", stops),
    }, (), ("Assist and sweep time is from begin to end, and holds time in which the goroutine did not run.",))  # fmt: skip


def _length() -> pl.Expr:
    return pl.col("end_ns") - pl.col("start_ns")


def _running(seen: History) -> Any:
    return (seen.lives.state == RUNNING) & seen.chosen[seen.lives.task]


def _workers(seen: History) -> Any:
    """By task: is it one of the collector's own?"""
    return seen.bundle.frame("tasks")["name"].fill_null("").str.starts_with(WORKER).to_numpy()


def covered(starts: Any, ends: Any, spans: pl.DataFrame) -> Any:
    """How much of each interval lies within the spans, in ns; spans may overlap and then count once."""
    merged = _merged(spans)
    if not len(merged):
        return np.zeros(len(starts), np.int64)
    begins, stops = merged[:, 0], merged[:, 1]
    before = np.concatenate([[0], np.cumsum(stops - begins)])

    def up_to(at: Any) -> Any:
        place = np.searchsorted(begins, at, side="right")
        within = np.where(place > 0, np.minimum(at, stops[place - 1]) - begins[place - 1], 0)
        return before[np.maximum(place - 1, 0)] + within

    return up_to(ends) - up_to(starts)


def _merged(spans: pl.DataFrame) -> Any:
    rows: list[list[int]] = []
    for start, end in spans.select("start_ns", "end_ns").sort("start_ns", "end_ns").iter_rows():
        if rows and start <= rows[-1][1]:
            rows[-1][1] = max(rows[-1][1], end)
        elif end > start:
            rows.append([start, end])
    return np.array(rows, np.int64).reshape(-1, 2)


def _cycles(seen: History, found: dict[str, pl.DataFrame], workers: Any) -> pl.DataFrame:
    """start_ns, duration_ns, the workers', assists' and stopped time in it, and the heap at its begin and end."""
    cycles = found["gc"].select("start_ns", "end_ns").sort("start_ns")
    lives = seen.lives
    own = np.flatnonzero((lives.state == RUNNING) & workers[lives.task])
    busy = pl.DataFrame({"start_ns": lives.start[own], "end_ns": lives.end[own]})
    begins, ends = cycles["start_ns"].to_numpy(), cycles["end_ns"].to_numpy()
    counters = seen.bundle.frame("counters").with_columns(pl.col("kind").cast(pl.String))
    return pl.DataFrame({
        "start_ns": begins,
        "duration_ns": ends - begins,
        "workers_ns": [_overlap(busy, begin, end) for begin, end in zip(begins, ends, strict=True)],
        "assists_ns": [_overlap(found["mark_assist"], begin, end) for begin, end in zip(begins, ends, strict=True)],
        "stopped_ns": covered(begins, ends, found["stop_the_world"]),
        "heap_before_bytes": _at(counters, "heap_bytes", begins),
        "heap_after_bytes": _at(counters, "heap_bytes", ends),
        "goal_bytes": _at(counters, "heap_goal_bytes", begins),
    }, schema_overrides={"workers_ns": pl.Int64, "assists_ns": pl.Int64})  # fmt: skip


def _overlap(spans: pl.DataFrame, begin: int, end: int) -> int:
    shared = spans.select(pl.min_horizontal("end_ns", pl.lit(end)) - pl.max_horizontal("start_ns", pl.lit(begin)))
    return int(shared.to_series().clip(lower_bound=0).sum())


def _at(counters: pl.DataFrame, kind: str, times: Any) -> list[int | None]:
    rows = counters.filter(pl.col("kind") == kind).sort("at_ns")
    place = np.searchsorted(rows["at_ns"].to_numpy(), times, side="right") - 1
    values = rows["value"].to_list()
    return [values[i] if i >= 0 else None for i in place]


def _by_task(seen: History, found: dict[str, pl.DataFrame], workers: Any, known: pl.DataFrame) -> pl.DataFrame:
    """Per goroutine: assists, sweeps, time stopped while it could run, BLOCKED on the collector, its own collecting."""
    lives, count = seen.lives, len(seen.chosen)
    length = lives.end - lives.start
    able = np.flatnonzero((lives.state == RUNNING) | (lives.state == RUNNABLE))
    stopped = np.zeros(count, np.int64)
    np.add.at(stopped, lives.task[able], covered(lives.start[able], lives.end[able], found["stop_the_world"]))
    held = np.flatnonzero((lives.state == BLOCKED) & (lives.reason == REASONS["gc"]))
    blocked = np.zeros(count, np.int64)
    np.add.at(blocked, lives.task[held], length[held])
    frame = pl.DataFrame({"task_id": np.arange(count, dtype=np.int32), "stopped_ns": stopped, "blocked_ns": blocked})
    for kind in ("mark_assist", "sweep"):
        name = kind.removeprefix("mark_")
        part = found[kind].filter(pl.col("task_id").is_not_null()).group_by("task_id").agg(
            _length().sum().alias(f"{name}_ns"), pl.len().cast(pl.Int64).alias(f"{name}s")
        )  # fmt: skip
        frame = frame.join(part, on="task_id", how="left", maintain_order="left")
    paid = pl.sum_horizontal("assist_ns", "sweep_ns", "stopped_ns", "blocked_ns")
    frame = frame.fill_null(0).with_columns(paid_ns=paid).filter((pl.col("paid_ns") > 0) & ~pl.Series(workers))
    frame = labelled(frame, known, "task_id", "task").sort("paid_ns", "task_id", descending=[True, False])
    return frame.select("task_id", "task", "paid_ns", "assist_ns", "assists", "sweep_ns", "stopped_ns", "blocked_ns")
