"""Real recordings become sound programs: time is conserved, dependencies are kept, the workload is found."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.conftest import RECORDINGS, ROOT
from tracekit.machine.profile import load_profile
from tracekit.program.check import check
from tracekit.program.extract import extract
from tracekit.program.normal_form import normal_form
from tracekit.sources.registry import ingest
from tracekit.tables.bundle import Program, Trace
from tracekit.tables.meta import PROGRAM_META

SHIPPED = sorted(path for path in (ROOT / "traces").glob("*") if path.suffix in (".data", ".trace"))
REFERENCE = [
    RECORDINGS / name
    for name in (
        "perf/messaging-proc.data", "perf/nginx-wrk.data", "perf/make-j2.data", "perf/v-lost.data", "perf/idle.data",
        "go/div-1.23.9.trace", "go/div-1.27.3.trace", "forms/gt-thread-forkjoin.data", "forms/gt-go-pingpong.trace",
    )
]  # fmt: skip


def _computing(program: Program) -> int:
    return int(program.frame("segments").filter(pl.col("kind") == "compute")["duration_ns"].sum())


def _running(recording: Trace) -> int:
    rows = recording.frame("intervals").filter(pl.col("state") == "RUNNING")
    return int((rows["end_ns"] - rows["start_ns"]).sum())


def _holds(path: Path) -> Program:
    recording = ingest(path)
    form = recording.meta["form"]
    costs = load_profile().form_costs(form, "go" if form == "goroutine" else "perf")
    whole, program = extract(recording), extract(recording, costs=costs)
    check(program)
    assert set(program.meta) == set(PROGRAM_META)
    if form != "goroutine":  # short system calls of goroutines count as computing
        assert _computing(whole) + whole.meta["removed_ns"]["others"] == _running(recording)
    in_whole, in_program = (_computing(found) + sum(found.meta["removed_ns"].values()) for found in (whole, program))
    assert in_program == in_whole
    assert normal_form(program).tables["segments"].equals(program.tables["segments"])
    kinds = program.frame("segments").group_by("kind").len()
    counts = dict(kinds.with_columns(pl.col("kind").cast(pl.String)).rows())
    assert counts.get("wait", 0) == counts.get("signal", 0) == program.tables["objects"].num_rows
    return program


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_recording(path: Path) -> None:
    program = _holds(path)
    assert program.meta["coverage"] > 0.9


@pytest.mark.reference
@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: path.name)
def test_a_recording(path: Path, recordings: Path) -> None:
    assert path.is_relative_to(recordings)
    _holds(path)


@pytest.mark.reference
def test_perf_bench_messaging(recordings: Path) -> None:
    """40 children of one process (-g 1: 20 senders, 20 receivers), each created, most joined by a wait that ended."""
    path = recordings / "perf" / "messaging-proc.data"
    program = _holds(path)
    tasks = program.frame("tasks")
    converted = tasks.filter("converted")
    names = dict(converted["name"].value_counts().rows())
    assert names["sched-messaging"] == 41
    assert len(converted) == 42  # and the shell that became its parent
    assert tasks.filter(pl.col("name") == "sched-messaging")["start_ns"].null_count() == 41
    competing = (
        found.frame("tasks").filter(~pl.col("converted"))["name"] for found in (program, extract(ingest(path)))
    )
    assert ["perf" in names for names in competing] == [False, True]  # with costs the recorder is left out
    assert program.meta["coverage"] > 0.999


@pytest.mark.reference
def test_a_hole_in_a_recording_shows_in_its_coverage(recordings: Path) -> None:
    """CPU 1 idles between requests there, and its wakeups by interrupts are not in the recording."""
    assert 0.5 < _holds(recordings / "perf" / "nginx-wrk.data").meta["coverage"] < 0.95


@pytest.mark.reference
def test_go_fork_and_join(recordings: Path) -> None:
    """5 rounds of 500 goroutines of 200 µs: all are created by main, and their computing is about 200 µs each."""
    program = _holds(recordings / "forms" / "gt-go-forkjoin.trace")
    tasks = program.frame("tasks").filter(pl.col("name").str.starts_with("main.main.func"))
    spawned = program.frame("segments").filter(pl.col("kind") == "spawn")["target_id"]
    assert len(tasks) == 2500
    assert set(tasks["task_id"]) <= set(spawned)
    computing = program.frame("segments").filter(pl.col("kind") == "compute").join(tasks, on="task_id")
    assert computing.group_by("task_id").agg(pl.col("duration_ns").sum())["duration_ns"].median() == pytest.approx(
        200_000, rel=0.1
    )
