"""Tasks of a recording that neither are its program nor compete with it: they are left out."""

from __future__ import annotations

import polars as pl

from tracekit.program.arrays import Flags
from tracekit.program.extract.selection import GOROUTINE, RECORDER, named_tasks
from tracekit.tables.bundle import Run, Trace

# Goroutines of Go's runtime that wake by the clock, not by what the program does (runtime/mgcscavenge.go, proc.go).
SYSTEM = r"^runtime\.(bgscavenge|forcegchelper)$"
_REFERENCES = ("task_id", "process_id", "parent_id", "waker_id", "wakee_id")


def inside(bundle: Trace | Run, converted: Flags, recorder: bool) -> tuple[Trace | Run, Flags]:
    """A recording without these, and `converted` for the tasks that are left, which are numbered anew:

    * what a form runs for itself: goroutines of Go's runtime that wake by the clock, and under the goroutines of a
      joined trace the threads that carried them
    * the `recorder`, if so asked
    """
    tasks = named_tasks(bundle)
    own = GOROUTINE & pl.col("name").str.contains(SYSTEM).fill_null(False)
    if "join" in bundle.meta:
        carried = tasks.filter(GOROUTINE)["process_id"].drop_nulls().unique().to_list()
        own |= ~GOROUTINE & pl.col("process_id").is_in(carried).fill_null(False)
    if recorder:
        own |= RECORDER
    kept = tasks.select(~own).to_series()
    if kept.all():
        return bundle, converted
    return _only(bundle, kept), converted[kept.to_numpy()]


def _only(bundle: Trace | Run, kept: pl.Series) -> Trace | Run:
    """Some of the tasks. A process that loses the task it is named after is named after its first that is left."""
    tasks = bundle.frame("tasks").filter(kept)
    leads = pl.col("process_id").is_in(tasks["task_id"].to_list()) | pl.col("process_id").is_null()
    first = pl.col("task_id").min().over("process_id")
    tasks = tasks.with_columns(process_id=pl.when(leads).then("process_id").otherwise(first))
    numbers = dict(zip(tasks["task_id"].to_list(), range(len(tasks)), strict=True))
    frames = {
        "tasks": tasks,
        "intervals": bundle.frame("intervals").filter(pl.col("task_id").is_in(list(numbers))),
        "wakeups": bundle.frame("wakeups").filter(pl.col("wakee_id").is_in(list(numbers))),
    }
    tables = {}
    for name, frame in frames.items():
        found = [column for column in _REFERENCES if column in frame.columns]
        frame = frame.with_columns(pl.col(column).replace_strict(numbers, default=None) for column in found)
        tables[name] = frame.to_arrow().cast(bundle.tables[name].schema)
    return type(bundle)({**bundle.tables, **tables}, bundle.meta)
