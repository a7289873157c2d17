"""`tasks` beside `perf sched latency -p`, for tasks whose switch chain is whole.

perf 6.1 measures a delay from a preemption and from a task's creation; wakeups it takes from sched_wakeup, which these
recordings do not have (they have sched_waking). It does not know the state "R+" (preempted inside the kernel, since
Linux 4.14 a bit beyond its table) and misses those delays: tasks that ever left so are left out. A task whose first
event is a switch-in counts as one switch more, with a delay of 0.
"""

from __future__ import annotations

import gzip
import re
from typing import Any

import polars as pl
import pytest

from tests.roundtrip.perf_text import RECORDINGS
from tracekit.analysis.history import history
from tracekit.analysis.tasks import tasks
from tracekit.metrics.activity import activity
from tracekit.metrics.latency import preemption_latencies, run_queue_delays, wakeup_latencies
from tracekit.sources.base import ReadOptions
from tracekit.sources.perf_data import SOURCE
from tracekit.tables.bundle import Trace

PERF = RECORDINGS / "perf"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not PERF.is_dir(), reason=f"needs recordings in {PERF}"),
]
NAMES = ("make-j2", "messaging-proc", "messaging-thread", "nginx-wrk", "pipe-proc", "py-mp-pool", "py-threads",
         "redis-bench", "rt-app", "xz-T2")  # fmt: skip
LINE = re.compile(r"^\s+(.*):(\d+)\s+\|\s+([\d.]+) ms \|\s+(\d+) \| avg:\s+([\d.]+) ms \| max:\s+([\d.]+) ms")
LEFT_INSIDE_THE_KERNEL = re.compile(r"prev_pid=(\d+) prev_prio=\d+ prev_state=R\+")
# The kernel's accounting (which perf sums up) begins before a switch is traced and ends after: a few µs a stay here.
ACCOUNTED_NS = 15_000
ROUNDED_NS = 1000  # perf prints thousandths of a millisecond


def perf_rows(name: str) -> dict[int, tuple[float, int, float, float]]:
    """By thread id: run time ms, switches, mean and longest delay in ms."""
    lines = map(LINE.match, (PERF / f"{name}.latency.txt").read_text().splitlines())
    return {int(m[2]): (float(m[3]), int(m[4]), float(m[5]), float(m[6])) for m in lines if m}


def our_rows(trace: Trace) -> dict[int, dict[str, Any]]:
    """By thread id: the row of `tasks`, the wait after the task's creation if any, and whether anything was inferred."""
    everyone = range(trace.frame("tasks").height)
    rows = tasks(history(trace, everyone)).tables["tasks"].rows
    intervals = trace.frame("intervals").with_columns(pl.col("state", "reason").cast(pl.String))
    spawned = intervals.filter((pl.col("state") == "RUNNABLE") & (pl.col("reason") == "spawn"))
    spawned = spawned.group_by("task_id").agg(spawn_ns=(pl.col("end_ns") - pl.col("start_ns")).sum())
    inferred = intervals.group_by("task_id").agg(pl.col("inferred").any())
    names = trace.frame("tasks").select("task_id", tid="source_id")
    for other in (spawned, inferred, names):
        rows = rows.join(other, on="task_id", how="left")
    return {row["tid"]: row for row in rows.iter_rows(named=True)}


@pytest.mark.parametrize("name", NAMES)
def test_delays_and_run_time(name: str) -> None:
    ours = our_rows(SOURCE.read(PERF / f"{name}.data", ReadOptions()))
    script = gzip.decompress((PERF / f"{name}.script.txt.gz").read_bytes()).decode(errors="replace")
    beyond_perf = {int(tid) for tid in LEFT_INSIDE_THE_KERNEL.findall(script)}
    compared = 0
    for tid, (run_ms, switches, mean_ms, longest_ms) in perf_rows(name).items():
        row = ours[tid]
        if row["inferred"] or tid in beyond_perf:
            continue
        compared += 1
        spawn_ns = row["spawn_ns"]
        count = row["preemptions"] + (spawn_ns is not None)
        total_ns = (row["preemption_mean_ns"] or 0) * row["preemptions"] + (spawn_ns or 0)
        assert switches - count in (0, 1), (tid, switches, row)
        assert abs(mean_ms * switches * 1e6 - total_ns) <= ROUNDED_NS * (switches + 1), (tid, mean_ms, row)
        assert abs(longest_ms * 1e6 - max(row["preemption_max_ns"], spawn_ns or 0)) <= ROUNDED_NS
        stays = row["voluntary"] + row["involuntary"] + 1
        assert abs(row["running_ns"] - run_ms * 1e6) <= ACCOUNTED_NS * stays, (tid, run_ms, row)
    assert compared >= 3


def test_the_sums_are_those_of_the_metrics() -> None:
    """Per task and for all tasks at once, the same definitions."""
    trace = SOURCE.read(PERF / "messaging-thread.data", ReadOptions())
    rows = tasks(history(trace)).tables["tasks"].rows
    seen = activity(trace)
    for name, count, series in (
        ("wakeup", "wakeups", wakeup_latencies(seen)),
        ("preemption", "preemptions", preemption_latencies(seen)),
    ):
        assert int(rows[count].sum()) == len(series)
        assert rows[f"{name}_max_ns"].max() == series.max()
        means = (rows[f"{name}_mean_ns"].fill_null(0) * rows[count]).sum()
        assert means == pytest.approx(int(series.sum()), abs=rows[count].sum())  # a mean is rounded to 1 ns
    assert int(rows["runnable_ns"].sum()) == int(run_queue_delays(seen).sum())
