"""RUNNING intervals → equal bins of time: how busy each CPU was, and which task most of all."""

from __future__ import annotations

import polars as pl


def binned(runs: pl.DataFrame, bin_ns: int) -> pl.DataFrame:
    """task_id, cpu, start_ns, end_ns, left (null), busy_share per CPU and bin that is not idle.

    `runs` holds task_id, cpu, start_ns, end_ns; task_id in the result is the task that ran longest in the bin
    (the lowest id of several).
    """
    first, last = pl.col("start_ns") // bin_ns, (pl.col("end_ns") - 1) // bin_ns
    pieces = runs.filter(pl.col("end_ns") > pl.col("start_ns")).select(
        "task_id", "cpu", "start_ns", "end_ns", bin=pl.int_ranges(first, last + 1)
    )
    pieces = pieces.explode("bin").select(
        "task_id",
        "cpu",
        "bin",
        ran_ns=pl.min_horizontal("end_ns", (pl.col("bin") + 1) * bin_ns)
        - pl.max_horizontal("start_ns", pl.col("bin") * bin_ns),
    )
    by_task = pieces.group_by("cpu", "bin", "task_id").agg(pl.col("ran_ns").sum())
    by_task = by_task.sort("cpu", "bin", "ran_ns", "task_id", descending=[False, False, True, False])
    bins = by_task.group_by("cpu", "bin", maintain_order=True).agg(
        pl.col("task_id").first(), busy_share=pl.col("ran_ns").sum() / bin_ns
    )
    return bins.select(
        "task_id",
        "cpu",
        start_ns=pl.col("bin") * bin_ns,
        end_ns=(pl.col("bin") + 1) * bin_ns,
        left=pl.lit(None, pl.String),
        busy_share=pl.col("busy_share").clip(upper_bound=1.0),
    )
