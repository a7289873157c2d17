"""Distributions of delay in exact nanoseconds: wakeup latency, preemption latency, run-queue delay."""

from __future__ import annotations

import polars as pl

from tracekit.metrics.activity import Activity, runnable_periods
from tracekit.metrics.catalog import PERCENTILES


def wakeup_latencies(seen: Activity) -> pl.Series:
    """Wakeup → first RUNNING of the woken task, in ns, ascending.

    A wakeup of a task that is RUNNING, or that an earlier wakeup has already made runnable, starts no new wait
    and is left out; so is one whose task never runs again.
    """
    wakeups = seen.own("wakeups", "wakee_id").select("at_ns", "wakee_id").sort("wakee_id", "at_ns")
    same_task = pl.col("task_id") == pl.col("task_id").shift(1)
    runs = seen.running.select(
        "task_id", "start_ns", run_ns="start_ns", last_ran_ns=pl.when(same_task).then(pl.col("end_ns").shift(1))
    )
    first = wakeups.join_asof(
        runs, left_on="at_ns", right_on="start_ns", by_left="wakee_id", by_right="task_id",
        strategy="forward", check_sortedness=False,
    )  # fmt: skip
    fresh = pl.col("last_ran_ns").is_null() | (pl.col("last_ran_ns") <= pl.col("at_ns"))
    first = first.filter(pl.col("run_ns").is_not_null() & fresh)
    first = first.unique(["wakee_id", "run_ns"], keep="first", maintain_order=True)
    return (first["run_ns"] - first["at_ns"]).alias("wakeup_latency_ns").sort()


def preemption_latencies(seen: Activity) -> pl.Series:
    """Preempted → RUNNING again, in ns, ascending. A wait that the end of the recording cuts off is left out."""
    periods = runnable_periods(seen)
    ended = periods.filter((pl.col("reason") == "preempted") & (pl.col("next_state") == "RUNNING"))
    return ended["duration_ns"].sort()


def run_queue_delays(seen: Activity) -> pl.Series:
    """Every RUNNABLE period, whatever began it, in ns, ascending."""
    return runnable_periods(seen)["duration_ns"].sort()


def percentiles(ascending: pl.Series) -> dict[str, int]:
    """Nearest-rank percentiles of ascending integers, by the labels of `PERCENTILES`; empty for no values."""
    count = len(ascending)
    if not count:
        return {}
    return {label: int(ascending[(count * level + 999) // 1000 - 1]) for label, level in PERCENTILES.items()}
