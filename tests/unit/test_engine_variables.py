"""Variables: what each form's tasks see, lost updates worked out by hand, and what mends them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.tables.bundle import Program
from tracekit.vocabulary import FORMS

US = 1000
V = {"v": ("variable", None), "m": ("mutex", None), "c": ("channel", 8)}
BOTH = [("read", "v"), ("compute", 10 * US), ("write", "v", 1)]


def values(made: Program, form: str, **costs: int) -> dict[str, Any]:
    return replay(made, form, cpus=2, profile=free_profile(**costs)).meta["variables"][0]  # type: ignore[no-any-return]


def two(steps: list[tuple[Any, ...]], main: list[tuple[Any, ...]] | None = None) -> Program:
    return program({
        "main": [("spawn", "a"), ("spawn", "b"), *(main or []), ("join", "a"), ("join", "b"), ("read", "v")],
        "a": steps,
        "b": steps,
    }, V)  # fmt: skip


@pytest.mark.parametrize("form", ["thread", "goroutine"])
def test_two_that_read_before_either_writes_lose_one_update(form: str) -> None:
    found = values(two(BOTH), form)
    assert (found["asked"], found["value"], found["lost"]) == (2, 1, 1)


def test_a_process_writes_into_a_copy_of_its_own() -> None:
    found = values(two(BOTH), "process")
    assert found["by_task"] == {"main": 0, "a": 1, "b": 1}
    assert found["lost"] == 2


def test_a_fork_copies_what_its_creator_had_written() -> None:
    made = program({
        "main": [("write", "v", 5), ("spawn", "a"), ("write", "v", 7), ("join", "a")],
        "a": [("sleep", 5 * US), ("atomic", "v", 1)],
    }, V)  # fmt: skip
    assert values(made, "process")["by_task"] == {"main": 7, "a": 6}
    assert values(made, "thread")["by_task"] == {"main": 8, "a": 8}


MENDED = {
    "mutex": two([("lock", "m"), *BOTH, ("unlock", "m")]),
    "atomic": two([("compute", 10 * US), ("atomic", "v", 1)]),
}


@pytest.mark.parametrize("form", ["thread", "goroutine"])
@pytest.mark.parametrize("how", MENDED)
def test_a_mutex_and_an_atomic_lose_nothing(form: str, how: str) -> None:
    assert values(MENDED[how], form)["lost"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_with_a_channel_one_task_owns_the_counter_in_every_form(form: str) -> None:
    owns = [("recv", "c"), *BOTH, ("recv", "c"), *BOTH]
    assert values(two([("send", "c", 8)], owns), form)["value"] == 2


@pytest.mark.parametrize("form", FORMS)
def test_an_access_costs_what_the_profile_says(form: str) -> None:
    made = program({"one": [("read", "v"), ("write", "v", 1), ("atomic", "v", 1)]}, V)
    done = replay(made, form, cpus=1, profile=free_profile(access_ns=3, atomic_ns=20, line_ns=50))
    assert done.meta["end_ns"] == 3 + 3 + 20  # the line never leaves this CPU
