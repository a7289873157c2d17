"""What holds for every Go trace, recorded or damaged: the tables' laws, and that the JIT changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import RECORDINGS
from tests.fuzz.go_reader import mutate, outcome, truncations
from tests.fuzz.go_stories import STORIES, write
from tests.fuzz.go_writer import assemble, varint
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

ROOT = Path(__file__).parents[2]
RECORDED = sorted(path for folder in ("go", "forms") for path in (RECORDINGS / folder).glob("*.trace"))
READABLE = [path for path in RECORDED if "1.21" not in path.name]
DAMAGED = [path for path in READABLE if "cut" in path.stem or "flip" in path.stem]
WHOLE = [path for path in READABLE if path not in DAMAGED]
SHIPPED = sorted((ROOT / "traces").glob("go-*.trace"))


def read(path: Path) -> Trace:
    return SOURCE.read(path, ReadOptions())


@pytest.mark.reference
@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_recordings_keep_the_laws(path: Path) -> None:
    assert check(read(path)) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recordings_keep_the_laws(path: Path) -> None:
    trace = read(path)
    assert check(trace) == []
    assert trace.frame("gaps").height == 0


@pytest.mark.reference
@pytest.mark.parametrize("path", DAMAGED, ids=lambda path: path.stem)
def test_damage_is_a_gap(path: Path) -> None:
    assert read(path).frame("gaps").height > 0


@pytest.mark.parametrize("path", WHOLE or SHIPPED, ids=lambda path: path.stem)
def test_a_goroutine_is_in_one_state_from_first_sight_to_its_end(path: Path) -> None:
    trace = read(path)
    life = trace.frame("intervals").group_by("task_id").agg(
        begins=pl.col("start_ns").min(), ends=pl.col("end_ns").max(), known=(pl.col("end_ns") - pl.col("start_ns")).sum()
    )  # fmt: skip
    joined = life.join(trace.frame("tasks").rename({"end_ns": "died"}), on="task_id")
    assert joined.filter(pl.col("ends") - pl.col("begins") != pl.col("known")).height == 0
    assert joined.filter(pl.col("begins") != pl.col("start_ns")).height == 0
    assert joined.filter(pl.col("died").fill_null(trace.meta["end_ns"]) != pl.col("ends")).height == 0


@pytest.mark.parametrize("path", READABLE or SHIPPED, ids=lambda path: path.stem)
def test_every_wakeup_makes_its_goroutine_runnable(path: Path) -> None:
    trace = read(path)
    runnable = trace.frame("intervals").filter(pl.col("state") == "RUNNABLE")
    woken = trace.frame("wakeups").join(
        runnable, left_on=["wakee_id", "at_ns"], right_on=["task_id", "start_ns"], how="inner"
    )  # fmt: skip
    assert woken.height == trace.frame("wakeups").height


@pytest.mark.reference
@pytest.mark.parametrize("path", sorted((RECORDINGS / "forms").glob("gt-go-*.result.json")), ids=lambda path: path.stem)
def test_time_zero_is_where_the_program_says(path: Path) -> None:
    """The program read CLOCK_MONOTONIC when it began and ended; the recording covers that."""
    result = json.loads(path.read_text())
    meta = read(path.with_name(path.name.replace(".result.json", ".trace"))).meta
    begins = meta["clock"]["origin_ns"]
    assert begins <= result["t0_ns"] <= result["t1_ns"] <= begins + meta["end_ns"] + 10**6


_DIGEST = """
import hashlib, sys
from pathlib import Path
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE
for name in sys.argv[1:]:
    trace = SOURCE.read(Path(name), ReadOptions())
    parts = [str(table.to_pydict()) for table in trace.tables.values()] + [str(trace.meta)]
    print(hashlib.sha256("".join(parts).encode()).hexdigest())
"""


def test_without_the_jit_the_tables_are_the_same(tmp_path: Path) -> None:
    paths = [write(text, tmp_path, f"{name}.trace") for name, text in STORIES.items()]
    broken = tmp_path / "broken.trace"
    broken.write_bytes(mutate(assemble(STORIES["fork"]), random.Random(3)))
    names = [str(path) for path in [*paths, broken, *SHIPPED]]
    digests = []
    for jit_off in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": jit_off}
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST, *names], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
        )  # fmt: skip
        digests.append(done.stdout.split())
    assert len(digests[0]) == len(names)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("story", STORIES)
def test_cut_at_every_byte(story: str, tmp_path: Path) -> None:
    outcomes = {outcome(data, tmp_path) for data in truncations(assemble(STORIES[story]), 10**9)}
    assert outcomes <= {"refused", "read", "read with gaps"}


@settings(max_examples=300)
@given(story=st.sampled_from(sorted(STORIES)), seed=st.integers(0, 2**32))
def test_mutated(story: str, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = mutate(assemble(STORIES[story]), random.Random(seed))
    assert not outcome(data, tmp_path_factory.getbasetemp()).startswith("FAILED")


@given(st.integers(0, 2**64 - 1))
def test_numbers_are_written_as_go_does(value: int) -> None:
    data = varint(value)
    assert len(data) <= 10
    assert sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(data)) == value
    assert [byte >= 0x80 for byte in data] == [True] * (len(data) - 1) + [False]


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    path = write(STORIES["fork"], tmp_path)
    first, second = (hashlib.sha256(str(read(path).tables).encode()).hexdigest() for _ in range(2))
    assert first == second
