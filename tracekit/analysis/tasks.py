"""A row per task: where its time went, and how long it waited for a CPU after a wakeup and after a preemption.

Wakeup and preemption latency and run-queue delay are those of `metrics.latency`. `queue_waits` counts the times that a
task got a CPU after waiting for one; with `queue_mean_ns` and `queue_max_ns` that is what `perf sched latency` calls
switches and delay (perf counts a wait whose end the recording cuts off in none of them, and neither do they).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, RUNNABLE, RUNNING, History, Lives, Wakes, ints
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.jit import cached_njit, njit
from tracekit.vocabulary import REASONS, STATES

UNSAID = "not_recorded"  # the recording does not say why the task was blocked
_BLOCKED_COLUMNS = (*REASONS.names, UNSAID)
_COLUMNS = (
    "running_ns", "runnable_ns", "blocked_ns", "voluntary", "involuntary",
    "wakeups", "wakeup_total_ns", "wakeup_max_ns", "preemptions", "preemption_total_ns", "preemption_max_ns",
    "queue_waits", "queue_total_ns", "queue_max_ns",
)  # fmt: skip
(_RUN, _QUEUED, _OFF, _VOLUNTARY, _INVOLUNTARY, _WAKE, _PREEMPTED, _WAITED) = (0, 1, 2, 3, 4, 5, 8, 11)
_WIDTH, _REASONS = len(_COLUMNS), len(_BLOCKED_COLUMNS)
_PREEMPTION, _EXITED = REASONS["preempted"], STATES["EXITED"]


def tasks(seen: History) -> Analysis:
    """`tasks`: one row per task, most run time first; and `blocked`: task, reason, how long and how often."""
    numbers, blocked, times = _measure(seen.lives, seen.wakes, _ended(seen))
    known = labels(seen.bundle)
    rows = pl.DataFrame({name: numbers[:, i] for i, name in enumerate(_COLUMNS)})
    rows = rows.with_row_index("task_id").with_columns(pl.col("task_id").cast(pl.Int32))
    means = {
        f"{name}_mean_ns": pl.when(pl.col(count) > 0).then(pl.col(f"{name}_total_ns") / pl.col(count)).round().cast(pl.Int64)
        for name, count in (("wakeup", "wakeups"), ("preemption", "preemptions"), ("queue", "queue_waits"))
    }  # fmt: skip
    rows = rows.with_columns(**means).filter(pl.Series(seen.chosen))
    rows = labelled(rows, known, "task_id", "task").sort("running_ns", "task_id", descending=[True, False])
    order = ["task_id", "task", *_COLUMNS[:5], "wakeups", "wakeup_mean_ns", "wakeup_max_ns", "preemptions",
             "preemption_mean_ns", "preemption_max_ns", "queue_waits", "queue_mean_ns", "queue_max_ns"]  # fmt: skip
    reasons = labelled(_by_reason(seen, blocked, times), known, "task_id", "task")
    facts = {
        "tasks": rows.height,
        "running_ns": int(rows["running_ns"].sum()),
        "run_queue_delay_ns": int(rows["runnable_ns"].sum()),
        "blocked_ns": int(rows["blocked_ns"].sum()),
    }
    unsaid = int(reasons.filter(pl.col("reason") == UNSAID)["blocked_ns"].sum())
    missing = () if not unsaid else ("For a part of the BLOCKED time the recording does not say what was waited for.",)
    return Analysis("tasks", facts, {
        "tasks": Table("Where each task's time went, most run time first", rows.select(order), ("task_id",)),
        "blocked": Table("BLOCKED time by what was waited for", reasons.select(
            "task_id", "task", "reason", "blocked_ns", "times"), ("task_id",)),
    }, missing)  # fmt: skip


def _ended(seen: History) -> Any:
    return ints(seen.bundle.tables["tasks"].column("end_ns"), np.int64)


def _by_reason(seen: History, blocked: Any, times: Any) -> pl.DataFrame:
    task, reason = np.nonzero(times * seen.chosen[:, None])
    return pl.DataFrame({
        "task_id": task.astype(np.int32),
        "reason": [_BLOCKED_COLUMNS[code] for code in reason],
        "blocked_ns": blocked[task, reason],
        "times": times[task, reason],
    }, schema_overrides={"reason": pl.String}).sort("blocked_ns", "task_id", descending=[True, False])  # fmt: skip


@cached_njit
def _measure(lives: Lives, wakes: Wakes, ended: Any) -> Any:
    tasks = len(lives.first) - 1
    numbers = np.zeros((tasks, _WIDTH), np.int64)
    blocked, times = np.zeros((tasks, _REASONS), np.int64), np.zeros((tasks, _REASONS), np.int64)
    for k in range(tasks):
        ran_until, w = -1, wakes.first[k]
        for i in range(lives.first[k], lives.first[k + 1]):
            length, state = lives.end[i] - lives.start[i], lives.state[i]
            last = i + 1 == lives.first[k + 1]
            if state == RUNNING:
                numbers[k, _RUN] += length
                following = -1 if last else lives.state[i + 1]
                if following in (BLOCKED, _EXITED) or (last and lives.end[i] == ended[k]):
                    numbers[k, _VOLUNTARY] += 1
                elif following == RUNNABLE:
                    numbers[k, _INVOLUNTARY] += 1
                while w < wakes.first[k + 1] and wakes.at[w] < ran_until:
                    w += 1
                if w < wakes.first[k + 1] and wakes.at[w] <= lives.start[i]:
                    _add(numbers[k], _WAKE, lives.start[i] - wakes.at[w])
                while w < wakes.first[k + 1] and wakes.at[w] <= lives.start[i]:
                    w += 1
                ran_until = lives.end[i]
                _queued(numbers[k], lives, i)
            elif state == RUNNABLE:
                numbers[k, _QUEUED] += length
            elif state == BLOCKED:
                numbers[k, _OFF] += length
                blocked[k, lives.reason[i]] += length  # NULL, which is -1, is the last column
                times[k, lives.reason[i]] += 1
    return numbers, blocked, times


@njit
def _add(row: Any, column: int, value: int) -> None:
    row[column] += 1
    row[column + 1] += value
    row[column + 2] = max(row[column + 2], value)


@njit
def _queued(row: Any, lives: Lives, i: int) -> None:
    lead = lives.lead[i]
    if lead < i:
        waited = lives.start[i] - lives.start[lead]
        _add(row, _WAITED, waited)
        if lives.reason[lead] == _PREEMPTION:
            _add(row, _PREEMPTED, waited)
