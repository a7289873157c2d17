"""`diff` lays two runs side by side: sums by kind add up, and the mechanism that differs stands first."""

from __future__ import annotations

import polars as pl

from tests.programs import program
from tracekit.analysis.diff import diff
from tracekit.engine.replay import replay
from tracekit.program.catalog import scenario_program


def test_a_run_does_not_differ_from_itself() -> None:
    run = replay(scenario_program("mutex", 1, {"workers": 4, "rounds": 20}), "thread")
    found = diff(run, run)
    assert (found.totals["difference_ns"] == 0).all()
    assert not found.unpaired


def test_a_longer_step_stands_first_with_its_length() -> None:
    def steps(ns: int) -> dict[str, list[tuple[object, ...]]]:
        return {"one": [("compute", ns)], "two": [("compute", 5000)]}

    found = diff(*(replay(program(steps(ns)), "thread") for ns in (1_000_000, 1_700_000)))
    first = found.tasks.row(0, named=True)
    assert (first["task"], first["kind"], first["difference_ns"]) == ("one", "RUNNING", 700_000)


def test_kinds_of_one_run_add_up_to_its_lives() -> None:
    run = replay(scenario_program("mutex", 1, {"workers": 4, "rounds": 20}), "thread")
    found = diff(run, run)
    intervals = run.frame("intervals")
    alive = int((intervals["end_ns"] - intervals["start_ns"]).sum())
    assert found.tasks["a_ns"].sum() == alive
    assert found.totals.filter(pl.col("kind") == "idle CPU").height == 1


def test_processes_and_threads_differ_in_the_address_space() -> None:
    made = scenario_program("mutex", 1, {"workers": 4, "rounds": 20})
    found = diff(replay(made, "thread"), replay(made, "process"))
    spaces = found.totals.filter(pl.col("kind") == "overhead: address_space").row(0, named=True)
    assert spaces["a_ns"] == 0 < spaces["b_ns"]
