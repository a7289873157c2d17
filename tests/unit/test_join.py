"""Joining a Go trace with a kernel recording: a run drawn by hand, the real ones, and what can't be joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tracekit.analysis.join import join
from tracekit.errors import UsageError
from tracekit.program.extract import extract
from tracekit.sources.registry import ingest
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

CLOCK = {"name": "CLOCK_MONOTONIC", "wall_origin_ns": None}


def trace(tasks: dict[str, Any], intervals: list[tuple[Any, ...]], origin_ns: int, end_ns: int, form: str) -> Trace:
    """Intervals are (task, cpu, thread, state, start, end, reason)."""
    names = ("task_id", "cpu", "thread_id", "state", "start_ns", "end_ns", "reason")
    columns = {name: [row[at] for row in intervals] for at, name in enumerate(names)}
    tables = {"tasks": table("tasks", tasks), "intervals": table("intervals", columns)}
    tables |= {name: empty(name) for name in ("wakeups", "gaps")}
    return Trace(tables, {"clock": {**CLOCK, "origin_ns": origin_ns}, "end_ns": end_ns, "form": form, "cpus": 2})


@pytest.fixture
def go() -> Trace:
    tasks = {"task_id": [0, 1], "name": ["main.main", "main.worker"], "kind": ["goroutine"] * 2, "source_id": [1, 7],
             "process_id": [0, 0], "start_ns": [0, 0]}  # fmt: skip
    return trace(tasks, [
        (0, 0, 100, "RUNNING", 0, 60, None),
        (0, None, None, "BLOCKED", 60, 200, "channel_recv"),
        (1, 0, 100, "RUNNING", 70, 90, None),
        (1, None, 100, "BLOCKED", 90, 110, "syscall"),
        (1, 1, 101, "RUNNING", 110, 200, None),
    ], 1_000, 200, "goroutine")  # fmt: skip


@pytest.fixture
def kernel() -> Trace:
    tasks = {"task_id": [0, 1], "name": ["prog", "other"], "kind": ["process"] * 2, "source_id": [100, 9],
             "process_id": [0, 1]}  # fmt: skip
    return trace(tasks, [
        (0, 3, None, "RUNNING", 0, 30, None),
        (1, 3, None, "RUNNING", 30, 40, None),
        (0, 3, None, "RUNNABLE", 30, 40, "preempted"),
        (0, 3, None, "RUNNING", 40, 45, None),
        (0, None, None, "BLOCKED", 45, 50, "page_fault"),
        (0, 2, None, "RUNNING", 50, 85, None),
        (0, None, None, "BLOCKED", 85, 95, "io"),
        (0, 2, None, "RUNNABLE", 95, 98, "wakeup"),
        (0, 2, None, "RUNNING", 98, 140, None),
    ], 1_010, 140, "process")  # fmt: skip


def rows(found: Trace, task: int) -> list[tuple[Any, ...]]:
    intervals = found.frame("intervals").filter(pl.col("task_id") == task)
    return intervals.select("start_ns", "end_ns", "state", "cpu", "reason").rows()


def test_a_goroutine_runs_only_while_its_thread_has_a_cpu(go: Trace, kernel: Trace) -> None:
    joined = join(go, kernel).trace
    assert check(joined) == []
    assert rows(joined, 0) == [
        (0, 10, "RUNNING", None, None),  # the kernel recording has not begun
        (10, 40, "RUNNING", 3, None),
        (40, 50, "RUNNABLE", 3, "preempted"),
        (50, 55, "RUNNING", 3, None),
        (55, 60, "BLOCKED", None, "page_fault"),
        (60, 200, "BLOCKED", None, "channel_recv"),
    ]


def test_a_system_call_is_what_its_thread_did_in_it(go: Trace, kernel: Trace) -> None:
    joined = join(go, kernel).trace
    assert rows(joined, 1) == [
        (70, 90, "RUNNING", 2, None),
        (90, 95, "RUNNING", 2, None),
        (95, 105, "BLOCKED", None, "io"),
        (105, 108, "RUNNABLE", 2, "wakeup"),
        (108, 110, "RUNNING", 2, None),
        (110, 200, "RUNNING", None, None),
    ]


def test_what_the_runtime_does_on_a_goroutines_thread_is_no_wait_of_the_goroutines(go: Trace, kernel: Trace) -> None:
    """Its own lock, say: the thread waits for a futex though it carries a goroutine that runs."""
    rows_ = kernel.tables["intervals"].to_pydict()
    rows_["reason"][rows_["reason"].index("page_fault")] = "lock"
    kernel.tables["intervals"] = table("intervals", rows_)
    joined = join(go, kernel).trace
    assert rows(joined, 0)[4] == (55, 60, "BLOCKED", None, "park")
    steps = extract(joined).frame("segments").filter(pl.col("task_id") == 0)
    assert steps.select("kind", "duration_ns").rows() == [("compute", 45)]


def test_a_program_is_its_goroutines_and_not_the_threads_under_them(go: Trace, kernel: Trace) -> None:
    program = extract(join(go, kernel).trace)
    tasks = program.frame("tasks")
    assert tasks.filter(pl.col("converted"))["name"].to_list() == ["main.main", "main.worker"]
    steps = program.frame("segments").join(tasks, on="task_id").select("name", "kind", "duration_ns").rows()
    assert steps == [
        ("main.main", "compute", 45),  # 0 to 40, and 50 to 55
        ("main.main", "io", 5),  # the page
        ("main.worker", "compute", 25),
        ("main.worker", "io", 10),
        ("main.worker", "compute", 92),  # the rest of its call, and what only the Go trace tells
        ("other", "compute", 10),
    ]


def test_a_thread_has_what_is_left_when_it_carries_no_goroutine(go: Trace, kernel: Trace) -> None:
    joined = join(go, kernel).trace
    assert rows(joined, 2) == [(60, 70, "RUNNING", 2, None), (110, 150, "RUNNING", 2, None)]
    assert rows(joined, 3) == [(40, 50, "RUNNING", 3, None)]
    assert joined.frame("tasks")["name"].to_list() == ["main.main", "main.worker", "prog", "other"]
    assert joined.frame("tasks")["process_id"].to_list() == [2, 2, 2, 3]


def test_a_thread_that_the_kernel_recording_lacks_is_believed_and_marked(go: Trace, kernel: Trace) -> None:
    joined = join(go, kernel)
    last = joined.trace.frame("intervals").filter((pl.col("task_id") == 1) & (pl.col("start_ns") == 110))
    assert last.select("state", "cpu", "inferred").rows() == [("RUNNING", None, True)]
    assert joined.summary["unknown_ns"] == 40  # of its 90 ns, those that both recorded


def test_where_only_one_recorded_is_a_gap(go: Trace, kernel: Trace) -> None:
    gaps = join(go, kernel).trace.frame("gaps").select("stream", "start_ns", "end_ns", "cause").rows()
    assert gaps == [("kernel recording", 0, 10, "not_recorded"), ("kernel recording", 150, 200, "not_recorded")]


def test_the_summary_accounts_for_all_running_time(go: Trace, kernel: Trace) -> None:
    summary = join(go, kernel).summary
    assert summary["running_ns"] == 110
    assert (summary["on_cpu_ns"], summary["runnable_ns"], summary["blocked_ns"]) == (55, 10, 5)
    assert summary["share_without_cpu"] == pytest.approx(15 / 110)
    assert [(w["name"], w["runnable_ns"], w["blocked_ns"]) for w in summary["worst"]] == [("main.main", 10, 5)]


def test_what_can_not_be_one_run_is_refused(go: Trace, kernel: Trace) -> None:
    kernel.meta["clock"]["name"] = "perf"
    with pytest.raises(UsageError, match=r"clock is perf, not CLOCK_MONOTONIC"):
        join(go, kernel)
    kernel.meta["clock"] = {**CLOCK, "origin_ns": 10**12}
    with pytest.raises(UsageError, match="share no moment"):
        join(go, kernel)


def test_threads_of_another_process_are_refused(go: Trace, kernel: Trace) -> None:
    tasks = kernel.tables["tasks"]
    kernel.tables["tasks"] = table("tasks", {**tasks.to_pydict(), "source_id": [1, 2]})
    with pytest.raises(UsageError, match="none of the Go trace's 2 threads"):
        join(go, kernel)


REAL = ("go/joint-div-1.27.3", "forms/gt-go-forkjoin", "forms/gt-go-pingpong", "forms/gt-go-pipeline")


@pytest.mark.parametrize("name", REAL)
def test_real_recordings_join(name: str, recordings: Path) -> None:
    go, kernel = ingest(recordings / f"{name}.trace"), ingest(recordings / f"{name}.data")
    joined = join(go, kernel)
    assert check(joined.trace) == []
    parts = [joined.summary[f"{part}_ns"] for part in ("on_cpu", "runnable", "blocked", "unknown")]
    assert sum(parts) == joined.summary["running_ns"] > 0
    assert parts[0] > 0.9 * joined.summary["running_ns"]
    assert parts[1] > 0
    # a CPU is never used for longer than there is time
    on_cpu = joined.trace.frame("intervals").filter((pl.col("state") == "RUNNING") & pl.col("cpu").is_not_null())
    used = on_cpu.group_by("cpu").agg((pl.col("end_ns") - pl.col("start_ns")).sum().alias("used"))
    assert (used["used"] <= joined.trace.meta["end_ns"]).all()
