"""Which tasks of a recording are the program, and which only compete with it for the CPUs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tracekit.errors import UsageError
from tracekit.program.arrays import NULL, Flags, Ints
from tracekit.tables.bundle import Run, Trace

RECORDERS = ("perf", "trace-cmd", "perf-exec")  # what a recording's own recorder calls itself
# Goroutines of Go's own tracer: they wake by the clock, and outlive the program's last (runtime/trace.go, tracecpu.go).
TRACERS = r"^(runtime\.trace|runtime\.\(\*trace|runtime/trace\.)"
# Goroutines of Go's runtime that wake by the clock, not by what the program does (runtime/mgcscavenge.go, proc.go).
SYSTEM = r"^runtime\.(bgscavenge|forcegchelper)$"
NEARLY_ALL = 0.9
_GOROUTINE = pl.col("kind").cast(pl.String).eq("goroutine").fill_null(False)
_RECORDER = (
    pl.col("name").is_in(RECORDERS) | pl.col("process").is_in(RECORDERS) | pl.col("name").str.contains(TRACERS)
).fill_null(False)


def without_own(bundle: Trace | Run) -> Trace | Run:
    """A recording without what the form runs for itself: the threads that carried a joined trace's goroutines, and the
    goroutines of Go's runtime that wake by the clock. The other tasks are numbered anew."""
    tasks = bundle.frame("tasks")
    own = (_GOROUTINE & pl.col("name").str.contains(SYSTEM)).fill_null(False)
    if "join" in bundle.meta:
        carried = tasks.filter(_GOROUTINE)["process_id"].drop_nulls().unique().to_list()
        own |= ~_GOROUTINE & pl.col("process_id").is_in(carried).fill_null(False)
    kept = tasks.filter(~own)
    if len(kept) == len(tasks):
        return bundle
    # a process that loses the task it is named after is named after its first that is left
    first = pl.col("task_id").min().over("process_id")
    leads = pl.col("process_id").is_in(kept["task_id"].to_list()) | pl.col("process_id").is_null()
    kept = kept.with_columns(process_id=pl.when(leads).then("process_id").otherwise(first))
    numbers = dict(zip(kept["task_id"].to_list(), range(len(kept)), strict=True))
    frames = {
        "tasks": kept,
        "intervals": bundle.frame("intervals").filter(pl.col("task_id").is_in(list(numbers))),
        "wakeups": bundle.frame("wakeups").filter(pl.col("wakee_id").is_in(list(numbers))),
    }
    new = {
        name: _renumbered(frame, numbers).to_arrow().cast(bundle.tables[name].schema) for name, frame in frames.items()
    }
    return type(bundle)({**bundle.tables, **new}, bundle.meta)


def _renumbered(frame: pl.DataFrame, numbers: dict[int, int]) -> pl.DataFrame:
    of_tasks = [
        name for name in ("task_id", "process_id", "parent_id", "waker_id", "wakee_id") if name in frame.columns
    ]
    return frame.with_columns(pl.col(name).replace_strict(numbers, default=None) for name in of_tasks)


def _named_tasks(bundle: Trace | Run) -> pl.DataFrame:
    """Tasks with the names and ids of their processes."""
    tasks = bundle.frame("tasks").select("task_id", "name", "kind", "process_id", "source_id", "parent_id")
    leaders = tasks.select(process_id="task_id", process="name", process_source="source_id")
    return tasks.join(leaders, on="process_id", how="left", maintain_order="left")


def select(bundle: Trace | Run, process: Sequence[int | str] | None, on_cpu_ns: Ints) -> tuple[Flags, str]:
    """Which tasks are converted, and the policy in words. `on_cpu_ns` has one value per task.

    `process` names processes (or single tasks) by name or source id. Without it, those that the recorder started
    when they took nearly all time on CPUs (`perf sched record COMMAND` records the whole machine, and a load
    generator may be COMMAND), else all; never kernel threads and the recorder; of a joined trace its goroutines. Raises UsageError for a name or id
    that no task has.
    """
    tasks = _named_tasks(bundle)
    if process is not None:
        return _named(tasks, process), f"the processes {', '.join(map(str, process))}"
    kernel = (tasks["kind"].cast(pl.String) == "kernel").fill_null(False).to_numpy()
    recorder = tasks.select(_RECORDER).to_series().to_numpy()
    others = ~(kernel | recorder)
    if "join" in bundle.meta:
        return others & tasks.select(_GOROUTINE).to_series().to_numpy(), "the goroutines"
    started = others & _descends(tasks["parent_id"].fill_null(NULL).to_numpy().astype(np.int64), recorder)
    if started.any() and on_cpu_ns[started].sum() >= NEARLY_ALL * on_cpu_ns[others].sum():
        return started, "what the recorder started"
    return others, "all but kernel threads and the recorder"


def _descends(parents: Ints, roots: Flags) -> Flags:
    """Which tasks have one of `roots` among their ancestors."""
    nobody = len(parents)
    ancestors = np.append(np.where(parents == NULL, nobody, parents), nobody)
    found = np.append(roots, False)[ancestors]
    for _ in range(nobody.bit_length()):  # each round doubles how far back it looks
        found |= found[ancestors]
        ancestors = ancestors[ancestors]
    result: Flags = found[:nobody]
    return result


def _named(tasks: pl.DataFrame, process: Sequence[int | str]) -> Flags:
    chosen = np.zeros(len(tasks), np.bool_)
    for wanted in process:
        found = _matches(tasks, wanted)
        if not found.any():
            raise UsageError(f"no process or task is called {wanted!r}", remedy=f"there are {_names(tasks)}")
        chosen |= found
    return chosen


def _matches(tasks: pl.DataFrame, wanted: int | str) -> Flags:
    columns = ("name", "process")
    if isinstance(wanted, int) or wanted.isdecimal():
        columns, wanted = ("source_id", "process_source"), int(wanted)
    found = (tasks[columns[0]] == wanted).fill_null(False) | (tasks[columns[1]] == wanted).fill_null(False)
    return found.to_numpy()


def _names(tasks: pl.DataFrame) -> str:
    counts = tasks.filter(pl.col("kind").cast(pl.String).fill_null("") != "kernel")["name"].value_counts(sort=True)
    shown = counts["name"].head(8).to_list()
    return ", ".join(shown) + (" and others" if len(counts) > len(shown) else "")
