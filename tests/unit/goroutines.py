"""Programs of goroutines on a machine where nothing costs anything, and when each of them ran."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from tests.programs import Steps, free_profile, program
from tests.unit.pictures import MS, free, picture
from tracekit.tables.bundle import Run

US = 1000


def go(
    tasks: Mapping[str, Steps],
    objects: Mapping[str, tuple[str, int | None]] | None = None,
    *,
    cpus: int = 1,
    costs: Mapping[str, int] | None = None,
    **parameters: int,
) -> Run:
    """Replay goroutines; parameters are those of the Go runtime, by name."""
    chosen = {f"goroutine.{name}": value for name, value in parameters.items()}
    work = program(tasks, objects)
    return free(work, "goroutine", cpus=cpus, parameters=chosen, profile=free_profile(**(costs or {})))


def lines(run: Run, step_ns: int = MS) -> list[str]:
    """The picture of a run."""
    return picture(run, run.meta["cpus"], step_ns)


def starts(run: Run, state: str = "RUNNING") -> dict[str, list[int]]:
    """When each task's intervals of one state begin, in ns."""
    names = run.frame("tasks")["name"].to_list()
    rows = run.frame("intervals").filter(pl.col("state") == state).sort("start_ns")
    found: dict[str, list[int]] = {name: [] for name in names}
    for row in rows.iter_rows(named=True):
        found[names[row["task_id"]]].append(row["start_ns"])
    return found


def order(run: Run) -> list[str]:
    """The tasks in the order in which they first ran."""
    begun = {name: times[0] for name, times in starts(run).items() if times}
    return sorted(begun, key=lambda name: begun[name])
