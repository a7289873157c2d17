"""What would change the answer: a turning point is found by trying further values and bisecting between the last two."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tracekit.cli.main import run
from tracekit.verdict.turning import CLOSE_ENOUGH, leader, turning_point


def crossing(at: int) -> dict[int, Mapping[str, int]]:
    """Threads cost 100 whatever the value; processes cost as much as the value, so they lose from `at` on."""
    return {value: {"process": 100 * value // at, "thread": 100} for value in range(1, 70_000)}


@pytest.mark.parametrize(("own", "best"), [(1000, "thread"), (10, "process")])
def test_the_turning_point_is_narrowed_down_from_either_side(own: int, best: str) -> None:
    made = crossing(150)
    found = turning_point("messages", own, best, made.get, margin=0.0)
    assert found is not None
    assert {found.best, best} == {"process", "thread"}
    assert min(found.at, found.before) <= 150 <= max(found.at, found.before)
    assert max(found.at, found.before) <= CLOSE_ENOUGH * min(found.at, found.before) + 1


def test_an_answer_that_stays_has_no_turning_point() -> None:
    assert turning_point("messages", 8, "thread", lambda value: {"process": 200, "thread": 100}, 0.05) is None


def test_values_that_the_workload_can_not_have_are_passed_over() -> None:
    made = crossing(150)
    found = turning_point("messages", 10, "process", lambda value: None if value in (20, 40) else made[value], 0.0)
    assert found is not None
    assert found.best == "thread"


def test_no_form_leads_within_the_margin() -> None:
    assert leader({"process": 104, "thread": 100}, 0.05) is None
    assert leader({"process": 106, "thread": 100}, 0.05) == "thread"
    assert leader({}, 0.05) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verdict", "forkjoin"], "no scenario 'forkjoin'; did you mean 'fork_join'?"),
        (["verdict", "crash", "--vary", "worker"], "no parameter 'worker'; did you mean 'workers'?"),
        (["verdict", "crash", "--need", "speed"], "unknown need 'speed'; known: isolation"),
        (["replay", "crash", "--crash", "main"], "--crash 'main' is not TASK@TIME"),
        (["replay", "crash", "--crash", "main@later"], "--crash 'main@later' is not TASK@TIME"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
