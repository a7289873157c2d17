"""How well a recording is replayed in its own form: the run against the recording itself."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tracekit.metrics.compare import RECORDED
from tracekit.tables.bundle import Run, Trace

FIDELITY_METRICS = ("makespan", "running_time")

SCHEMA = {"metric": pl.String, "recorded": pl.Float64, "replayed": pl.Float64, "error": pl.Float64}


def recorded_tasks(trace: Trace | Run, runs: Sequence[Run]) -> list[int] | None:
    """The trace's task_ids that the runs replay in their own form, found by thread or goroutine id.

    A recording of a whole machine holds more tasks than the chosen processes; only these compare with a run.
    None (all of them) when no run says which.
    """
    replayed = [_converted(run)["source_id"].drop_nulls() for run in runs if run.meta.get("model") != RECORDED]
    wanted = pl.concat(replayed).unique() if replayed else pl.Series([], dtype=pl.Int64)
    if wanted.is_empty():
        return None
    tasks = trace.frame("tasks").join(wanted.to_frame("source_id"), on="source_id", how="semi")
    return sorted(tasks.filter(pl.col("kind").is_null() | (pl.col("kind") != "kernel"))["task_id"].to_list())


def _converted(run: Run) -> pl.DataFrame:
    return run.frame("tasks").filter(pl.col("kind").is_null() | (pl.col("kind") != "kernel"))


def own_form_run(trace: Trace, runs: Sequence[Run]) -> int | None:
    """Position of the first completed run in the recording's own form on as many CPUs; None without one."""
    for position, run in enumerate(runs):
        same_form = run.meta.get("form") is not None and run.meta.get("form") == trace.meta.get("form")
        known = None not in (run.meta.get("cpus"), trace.meta.get("cpus"))
        same_cpus = not known or run.meta["cpus"] == trace.meta["cpus"]
        completed = run.meta.get("outcome") in (None, "completed")
        if same_form and same_cpus and completed and run.meta.get("model") != RECORDED:
            return position
    return None


def self_replay_error(recorded: pl.DataFrame, replayed: pl.DataFrame) -> pl.DataFrame:
    """Two long metric tables → metric, recorded, replayed, error (signed share of the recorded value)."""
    rows = []
    for metric in FIDELITY_METRICS:
        was, now = (_value(frame, metric) for frame in (recorded, replayed))
        if was and now is not None:
            rows.append((metric, was, now, (now - was) / was))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _value(measured: pl.DataFrame, metric: str) -> float | None:
    found = measured.filter(pl.col("metric") == metric)["value"]
    return float(found[0]) if len(found) else None
