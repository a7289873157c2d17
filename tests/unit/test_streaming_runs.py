"""Runs that stream: the same tables and the same metrics as of runs in memory, in memory that does not grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.bench.long_run import streamed
from tests.programs import program
from tracekit.engine.recorder import Chunks
from tracekit.engine.replay import replay
from tracekit.metrics.catalog import PERCENTILES
from tracekit.metrics.latency import percentiles
from tracekit.metrics.measure import measure
from tracekit.metrics.streaming import Distribution, RunMeter
from tracekit.program.catalog import scenario_program
from tracekit.tables import store
from tracekit.tables.bundle import Program, Run
from tracekit.tables.stream import BundleWriter

MODELS = ("process", "thread", "goroutine", "thread_pool")
DEADLOCK = program(
    {"a": [("lock", "x"), ("compute", 10**6), ("lock", "y")], "b": [("lock", "y"), ("compute", 10**6), ("lock", "x")]},
    {"x": ("mutex", None), "y": ("mutex", None)},
)


def work_of(name: str) -> Program:
    return DEADLOCK if name == "deadlock" else scenario_program(name)


@pytest.mark.parametrize("name", ["server", "pipeline", "mutex", "fork_join", "deadlock"])
@pytest.mark.parametrize("model", MODELS)
def test_metrics_taken_from_the_stream_are_those_of_the_tables(name: str, model: str) -> None:
    work = work_of(name)
    meter = RunMeter(work.tables["tasks"]["converted"].to_numpy())
    run = replay(work, model, sink=meter)
    whole = replay(work, model)
    assert run.meta == whole.meta
    assert_frame_equal(meter.measured(run.tables["tasks"], run.meta), measure(whole))


def test_a_streamed_run_has_the_tables_of_one_in_memory(tmp_path: Path) -> None:
    work = scenario_program("server")
    with BundleWriter(tmp_path / "run", "run", memory_bytes=1 << 18) as writer:
        run = replay(work, "goroutine", sink=writer)
        assert writer.finish(run.meta) is None  # it did not fit
    read, whole = store.load(tmp_path / "run"), replay(work, "goroutine")
    assert isinstance(read, Run) and read.meta == whole.meta
    for table in whole.tables:
        assert read.tables[table].equals(whole.tables[table]), table
    assert run.tables["intervals"].num_rows == 0


def test_chunks_are_whole_in_order() -> None:
    run = replay(scenario_program("mutex"), "thread")
    rows = run.tables["intervals"]
    chunks = Chunks()
    for start in (100, 0, 200):
        chunks.append("intervals", rows.slice(start, 100))
    assert chunks.whole("intervals").equals(rows.slice(0, 300))


@pytest.mark.parametrize("spread", [1.0, 3.0, 5.0])
def test_beyond_what_is_kept_a_percentile_is_near(spread: float) -> None:
    values = np.random.default_rng(7).lognormal(8, spread, 50_000).astype(np.int64)
    exact, binned = Distribution(exact=50_000), Distribution(exact=1000)
    for part in np.array_split(values, 50):
        exact.add(part)
        binned.add(part)
    true = percentiles(pl.Series(np.sort(values)))
    assert exact.percentiles() == true
    for label in PERCENTILES:
        assert abs(binned.percentiles()[label] - true[label]) <= true[label] / 2000
    assert binned.percentiles()["max"] == true["max"] and binned.total == int(values.sum())


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    streamed(200_000, tmp_path / "first")  # compiles what is not compiled yet
    short, long = (streamed(count, tmp_path / str(count)) for count in (2_000_000, 8_000_000))
    assert long["intervals"] >= 8_000_000
    # 6 million intervals more are 228 MB of columns, and as much again with what is recorded beside them
    assert long["peak_bytes"] - short["peak_bytes"] < 100e6
