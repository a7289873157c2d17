"""The tasks that count, and their intervals side by side with what came before and after. Vectorised throughout."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from tracekit.tables.bundle import Run, Trace

NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Activity:
    """What metrics and figures ask of a bundle.

    `tasks`: task_id, end_ns of the tasks that count. `steps`: their intervals in order of task and time,
    with `previous_*` and `next_*` of the same task (null at either end). `busy`: RUNNING intervals of all
    tasks, kernel ones included (task_id, cpu, start_ns, end_ns).
    """

    bundle: Trace | Run
    tasks: pl.DataFrame
    steps: pl.DataFrame
    busy: pl.DataFrame

    @cached_property
    def running(self) -> pl.DataFrame:
        """The steps on a CPU."""
        return self.steps.filter(pl.col("state") == "RUNNING")

    def own(self, table: str, task: str = "task_id") -> pl.DataFrame:
        """Rows of a run's or trace's table that belong to the tasks that count."""
        return self.bundle.frame(table).join(self.tasks.select("task_id"), left_on=task, right_on="task_id", how="semi")

    def makespan_ns(self) -> int | None:
        """When the last task ended, or last ran if the recording ended first; None without either."""
        moments = [self.running["end_ns"].max(), self.tasks["end_ns"].max()]
        return max((m for m in moments if isinstance(m, int)), default=None)


def activity(bundle: Trace | Run, tasks: Collection[int] | None = None) -> Activity:
    """Select the tasks (default: all that are not of kind kernel) and line up their intervals."""
    chosen = bundle.frame("tasks").select("task_id", "kind", "end_ns")
    chosen = chosen.filter(pl.col("kind").is_null() | (pl.col("kind") != "kernel") if tasks is None else
                           pl.col("task_id").is_in(list(tasks)))  # fmt: skip
    intervals = bundle.frame("intervals").select("task_id", "cpu", "state", "start_ns", "end_ns", "reason")
    busy = intervals.filter(pl.col("state") == "RUNNING").select("task_id", "cpu", "start_ns", "end_ns")
    own = intervals.join(chosen.select("task_id"), on="task_id", how="semi")
    return Activity(bundle, chosen.drop("kind"), _lined_up(own), busy)


def _lined_up(intervals: pl.DataFrame) -> pl.DataFrame:
    # A stable sort on the task alone is half the price of a sort on both columns, and the store keeps start order.
    if not intervals["start_ns"].is_sorted():
        intervals = intervals.sort("start_ns", maintain_order=True)
    ordered = intervals.sort("task_id", maintain_order=True)
    same_before = pl.col("task_id") == pl.col("task_id").shift(1)
    same_after = pl.col("task_id") == pl.col("task_id").shift(-1)
    before = [pl.when(same_before).then(pl.col(c).shift(1)).alias(f"previous_{c}") for c in ("state", "end_ns")]
    after = [pl.when(same_after).then(pl.col(c).shift(-1)).alias(f"next_{c}") for c in ("state", "start_ns", "reason")]
    return ordered.with_columns(*before, *after)


def runnable_periods(seen: Activity) -> pl.DataFrame:
    """One row per unbroken time in run queues: task_id, start_ns, duration_ns, reason (the first), next_state.

    A task moved between queues while it waits has several RUNNABLE intervals in one period.
    """
    rows = seen.steps.filter(pl.col("state") == "RUNNABLE")
    goes_on = (pl.col("next_state") == "RUNNABLE") & (pl.col("next_start_ns") == pl.col("end_ns"))
    went_on = (pl.col("previous_state") == "RUNNABLE") & (pl.col("previous_end_ns") == pl.col("start_ns"))
    first = rows.filter(~went_on.fill_null(False)).select("task_id", "start_ns", "reason")
    last = rows.filter(~goes_on.fill_null(False)).select("end_ns", "next_state")
    # First and last rows alternate within a task, so both frames list the same periods in the same order.
    return pl.concat([first, last], how="horizontal").with_columns(
        duration_ns=pl.col("end_ns") - pl.col("start_ns")
    )  # fmt: skip
