"""Go's collector in a recording: its workers are goroutines (mgc.go: gcBgMarkWorker), and take the same CPU time again."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tracekit.api import extract, ingest
from tracekit.engine.replay import replay
from tracekit.tables.bundle import Bundle


def _on_cpu_ns(bundle: Bundle) -> list[int]:
    """Of each mark worker, in ns."""
    workers = bundle.frame("tasks").filter(pl.col("name").str.contains("gcBgMarkWorker", literal=True))
    ran = bundle.frame("intervals").filter(pl.col("state").cast(pl.String) == "RUNNING").join(workers, on="task_id")
    lengths = ran.group_by("task_id").agg(ns=(pl.col("end_ns") - pl.col("start_ns")).sum())
    return lengths.sort("task_id")["ns"].to_list()


@pytest.mark.reference
def test_a_recorded_collector_takes_its_cpu_time_in_a_replay(recordings: Path) -> None:
    # 18 collections on 2 Ps: two workers of 25 % each, beside assists, which are part of who assists
    trace = ingest(recordings / "go" / "div-1.27.3.trace")
    assert len(_on_cpu_ns(trace)) == 2
    for model in ("goroutine", "thread"):
        assert _on_cpu_ns(replay(extract(trace), model, cpus=2)) == pytest.approx(_on_cpu_ns(trace), rel=0.05)
