"""Programs in which something orders every two accesses have no race in any run of theirs, whatever the schedule.

What a step's row in a run says is when it began; a lock that is contended, or a message that is late, takes effect
later. Taking the one for the other would invent races.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs import program
from tracekit.analysis.history import history
from tracekit.analysis.races.of_run import races
from tracekit.engine.replay import replay
from tracekit.program.catalog import scenario_program

ROUNDS = 12
Steps = list[tuple[Any, ...]]
Made = tuple[dict[str, Steps], dict[str, tuple[str, int | None]]]


def pause(chance: random.Random) -> tuple[Any, ...]:
    """From less than a step of a lock costs to more than a wakeup does, in ns."""
    return ("compute", chance.choice([1, 20, 60, 150, 400, 900, 2000]))


def ping_pong(chance: random.Random, give: str, take: str, kind: str, room: int | None) -> Made:
    left, right = Steps(), Steps()
    size = (8,) if give == "send" else ()
    for _ in range(ROUNDS):
        left += [pause(chance), ("write", "x", 1), (give, "to", *size), pause(chance), (take, "back"), ("read", "x")]
        right += [pause(chance), (take, "to"), ("read", "x"), ("write", "x", 1), pause(chance), (give, "back", *size)]
    return {"left": left, "right": right}, {"to": (kind, room), "back": (kind, room)}


def locked(chance: random.Random, by: str) -> Made:
    tasks = {}
    for i in range(chance.choice([2, 3, 5])):
        steps = Steps()
        for _ in range(ROUNDS):
            inside = [("read", "x"), *([pause(chance)] if chance.random() < 0.5 else []), ("write", "x", 1)]
            steps += [pause(chance), ("lock", "m"), *inside, ("unlock", "m")]
        tasks[f"task{i}"] = steps
    return tasks, {"m": (by, None)}


def grouped(chance: random.Random) -> Made:
    workers = {
        f"worker{i}": [pause(chance), ("write", "x" if i else "y", 1), ("wait_group_done", "g")] for i in range(2)
    }
    main = [("wait_group_add", "g", 2), *(("spawn", name) for name in workers), pause(chance), ("wait_group_wait", "g")]
    return {"main": [*main, ("read", "x"), ("read", "y")], **workers}, {
        "g": ("wait_group", None),
        "y": ("variable", None),
    }


def joined(chance: random.Random) -> Made:
    main = [("spawn", "child"), pause(chance), ("join", "child"), ("read", "x")]
    return {"main": main, "child": [pause(chance), ("write", "x", 1)]}, {}


ORDERED = {
    "a channel without room": lambda chance: ping_pong(chance, "send", "recv", "channel", 0),
    "a channel": lambda chance: ping_pong(chance, "send", "recv", "channel", 1),
    "an event": lambda chance: ping_pong(chance, "signal", "wait", "event", None),
    "a mutex": lambda chance: locked(chance, "mutex"),
    "a lock for writing": lambda chance: locked(chance, "rwmutex"),
    "a wait group": grouped,
    "a join": joined,
}


def found(made: Made, form: str, cpus: int) -> int:
    tasks, objects = made
    run = replay(program(tasks, {**objects, "x": ("variable", None)}), form, cpus=cpus)
    assert run.meta["outcome"] == "completed"
    return int(races(history(run)).facts["races"])


@pytest.mark.parametrize("by", ORDERED)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 30), form=st.sampled_from(["thread", "goroutine"]), cpus=st.sampled_from([1, 2, 4]))
def test_what_is_ordered_does_not_race(by: str, seed: int, form: str, cpus: int) -> None:
    assert found(ORDERED[by](random.Random(seed)), form, cpus) == 0


@pytest.mark.parametrize("form", ["thread", "goroutine"])
@pytest.mark.parametrize("without", ["lock", "unlock"])
def test_without_the_lock_the_same_program_races(form: str, without: str) -> None:
    tasks, objects = locked(random.Random(1), "mutex")
    bare = {name: [step for step in steps if step[0] not in ("lock", "unlock")] for name, steps in tasks.items()}
    one = {name: steps if name != "task0" else bare[name] for name, steps in tasks.items()}
    assert found((bare if without == "lock" else one, objects), form, 2) > 0


@pytest.mark.parametrize("form", ["thread", "goroutine"])
def test_of_the_mended_counters_only_the_bare_one_races(form: str) -> None:
    run = replay(scenario_program("data_race"), form, cpus=2)
    assert races(history(run)).tables["variables"].rows["variable"].to_list() == ["counter"]
