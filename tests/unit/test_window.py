"""A part of a trace is as if the recording had begun and ended there."""

from __future__ import annotations

import pytest

from tests.programs import program
from tracekit.engine.replay import replay
from tracekit.errors import UsageError
from tracekit.program.catalog import scenario_program
from tracekit.tables.bundle import Run
from tracekit.tables.checks import ensure
from tracekit.tables.window import window


def _run() -> Run:
    return replay(scenario_program("mutex", 1, {"workers": 4, "rounds": 20}), "thread")


def test_the_whole_is_the_whole() -> None:
    run = _run()
    part = window(run, 0, run.meta["end_ns"])
    for name in ("tasks", "intervals", "wakeups", "overheads"):
        assert part.tables[name].equals(run.tables[name])


def test_parts_add_up_and_keep_the_laws() -> None:
    run = _run()
    end = run.meta["end_ns"]
    middle = end // 3
    first, second = window(run, 0, middle), window(run, middle, end)
    ensure(first)
    ensure(second)

    def running(bundle: object) -> int:
        rows = bundle.frame("intervals")  # type: ignore[attr-defined]
        rows = rows.filter(rows["state"].cast(str) == "RUNNING")
        return int((rows["end_ns"] - rows["start_ns"]).sum())

    assert running(first) + running(second) == running(run)
    assert second.meta["end_ns"] == end - middle


def test_nothing_in_it_is_an_error() -> None:
    run = _run()
    with pytest.raises(UsageError, match="nothing happens"):
        window(run, run.meta["end_ns"] + 10, run.meta["end_ns"] + 20)


def test_a_task_that_ends_later_outlives_the_part() -> None:
    run = replay(program({"one": [("compute", 1000)]}), "thread")
    part = window(run, 0, 500)
    assert part.tables["tasks"]["end_ns"].to_pylist() == [None]
    assert part.tables["tasks"]["exit_reason"].to_pylist() == [None]
