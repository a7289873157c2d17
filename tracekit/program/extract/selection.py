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
NEARLY_ALL = 0.9
GOROUTINE = pl.col("kind").cast(pl.String).eq("goroutine").fill_null(False)
RECORDER = (  # of tasks with the names of their processes: whether they record
    pl.col("name").is_in(RECORDERS) | pl.col("process").is_in(RECORDERS) | pl.col("name").str.contains(TRACERS)
).fill_null(False)


def select(bundle: Trace | Run, process: Sequence[int | str] | None, on_cpu_ns: Ints) -> tuple[Flags, str]:
    """Which tasks are converted, and the policy in words. `on_cpu_ns` has one value per task.

    `process` names processes (or single tasks) by name or source id. Without it, those that the recorder started
    when they took nearly all time on CPUs (`perf sched record COMMAND` records the whole machine, and a load
    generator may be COMMAND), else all; never kernel threads and the recorder; of a joined trace its goroutines.
    Raises UsageError for a name or id that no task has.
    """
    tasks = named_tasks(bundle)
    if process is not None:
        return _named(tasks, process), f"the processes {', '.join(map(str, process))}"
    kernel = (tasks["kind"].cast(pl.String) == "kernel").fill_null(False).to_numpy()
    recorder = tasks.select(RECORDER).to_series().to_numpy()
    others = ~(kernel | recorder)
    if "join" in bundle.meta:
        return others & tasks.select(GOROUTINE).to_series().to_numpy(), "the goroutines"
    started = others & _descends(tasks["parent_id"].fill_null(NULL).to_numpy().astype(np.int64), recorder)
    if started.any() and on_cpu_ns[started].sum() >= NEARLY_ALL * on_cpu_ns[others].sum():
        return started, "what the recorder started"
    return others, "all but kernel threads and the recorder"


def named_tasks(bundle: Trace | Run) -> pl.DataFrame:
    """Tasks with the names and ids of their processes."""
    tasks = bundle.frame("tasks").select("task_id", "name", "kind", "process_id", "source_id", "parent_id")
    leaders = tasks.select(process_id="task_id", process="name", process_source="source_id")
    return tasks.join(leaders, on="process_id", how="left", maintain_order="left")


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
