"""What can be asked of a trace or a run: by name, the analysis and what it says."""

from __future__ import annotations

from collections.abc import Callable

from tracekit.analysis import blame, collector, critical_path, failure, leaks, memory, queues, tasks
from tracekit.analysis.history import History, history
from tracekit.analysis.races import of_run
from tracekit.analysis.result import Analysis
from tracekit.errors import UsageError
from tracekit.tables.bundle import Run, Trace

ANALYSES: dict[str, Callable[[History], Analysis]] = {
    "tasks": tasks.tasks,
    "blame": blame.blame,
    "critical-path": critical_path.critical_path,
    "queues": queues.queues,
    "leaks": leaks.leaks,
    "gc": collector.gc,
    "failure": failure.failure,
    "memory": memory.memory,
    "races": of_run.races,
}


def analyze(bundle: Trace | Run, what: str, *, task: str | None = None) -> Analysis:
    """One analysis of a bundle. `task` (a name, or a number) leaves the rows about that task, and moves the end of the
    critical path to its end.

    Raises UsageError for an unknown name or task.
    """
    if what not in ANALYSES:
        raise UsageError(f"no analysis {what!r}", remedy=f"there are: {', '.join(ANALYSES)}")
    if task is None:
        return ANALYSES[what](history(bundle))
    chosen = find_tasks(bundle, task)
    if what == "critical-path":
        return critical_path.critical_path(history(bundle), chosen[-1])
    return ANALYSES[what](history(bundle)).of_tasks(chosen)


def find_tasks(bundle: Trace | Run, text: str) -> list[int]:
    """task_ids of a name, or of a thread or goroutine id (in a run: the task's number). Raises UsageError for none."""
    import polars as pl

    tasks = bundle.frame("tasks").select("task_id", "name", number=pl.col("source_id").fill_null(pl.col("task_id")))
    found = tasks.filter(pl.col("name") == text)["task_id"].to_list()
    if not found and text.isdecimal() and len(text) < 19:
        found = tasks.filter(pl.col("number") == int(text))["task_id"].to_list()
    if not found:
        raise UsageError(
            f"no task {text!r}", remedy="give a name or an id as `tracekit analyze --what tasks` lists them"
        )
    return [int(task) for task in found]
