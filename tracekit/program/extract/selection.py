"""Which tasks of a recording are the program, and which only compete with it for the CPUs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tracekit.errors import UsageError
from tracekit.program.arrays import Flags
from tracekit.tables.bundle import Run, Trace

RECORDERS = ("perf", "trace-cmd", "perf-exec")  # what a recording's own recorder calls itself


def select(bundle: Trace | Run, process: Sequence[int | str] | None) -> tuple[Flags, str]:
    """Which tasks are converted, and the policy in words.

    `process` names processes (or single tasks) by name or source id. Without it all are, but for kernel threads
    and recorders. Raises UsageError for a name or id that no task has.
    """
    tasks = bundle.frame("tasks").select("task_id", "name", "kind", "process_id", "source_id")
    leaders = tasks.select(process_id="task_id", process="name", process_source="source_id")
    tasks = tasks.join(leaders, on="process_id", how="left", maintain_order="left")
    kernel = (tasks["kind"].cast(pl.String) == "kernel").fill_null(False)
    if process is None:
        recorder = (tasks["name"].is_in(RECORDERS) | tasks["process"].is_in(RECORDERS)).fill_null(False)
        return (~(kernel | recorder)).to_numpy(), "all but kernel threads and the recorder"
    chosen = np.zeros(len(tasks), np.bool_)
    for wanted in process:
        found = _matches(tasks, wanted)
        if not found.any():
            raise UsageError(f"no process or task is called {wanted!r}", remedy=f"there are {_names(tasks)}")
        chosen |= found
    return chosen, f"the processes {', '.join(map(str, process))}"


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
