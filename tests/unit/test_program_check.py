"""Programs that no model can run are refused; programs that say the same are the same in normal form."""

from __future__ import annotations

from typing import Any

import pytest

from tests.golden.program_text import text_of
from tracekit.errors import TableError
from tracekit.program.check import check
from tracekit.program.normal_form import normal_form
from tracekit.program.objects import object_groups, objects_of
from tracekit.tables.build import table
from tracekit.tables.bundle import Program

COLUMNS = ("kind", "duration_ns", "object_id", "target_id", "bytes", "count")


def program(*tasks: tuple[int | None, list[tuple[Any, ...]]], objects: list[str] | None = None) -> Program:
    """A program of tasks (start, [(kind, duration, object, target, bytes, count)])."""
    kinds = objects or ["mutex", "wait_group"]
    rows = [
        (task, at, *(*step, *[None] * 6)[:6]) for task, (_, steps) in enumerate(tasks) for at, step in enumerate(steps)
    ]
    names = ("task_id", "ordinal", *COLUMNS)
    return Program({
        "tasks": table("program_tasks", {
            "task_id": list(range(len(tasks))), "name": [f"t{i}" for i in range(len(tasks))],
            "start_ns": [start for start, _ in tasks], "converted": [True] * len(tasks),
            "kind": ["thread"] * len(tasks),
        }),
        "segments": table("segments", {name: [row[at] for row in rows] for at, name in enumerate(names)}),
        "objects": table("objects", {"object_id": list(range(len(kinds))), "kind": kinds}),
    })  # fmt: skip


SPAWN_1, SPAWN_2 = ("spawn", None, None, 1), ("spawn", None, None, 2)
LOCK, UNLOCK = ("lock", None, 0), ("unlock", None, 0)
ADD, DONE = ("wait_group_add", None, 1, None, None, 2), ("wait_group_done", None, 1)
CLOSE, SEND = ("close", None, 0), ("send", None, 0, None, 8)

WRONG = {
    "spawned_once": program((0, [SPAWN_1, SPAWN_1]), (None, [])),
    "t1 never starts: it is spawned by a task that it spawns": program((0, []), (None, [SPAWN_2]), (None, [SPAWN_1])),
    "task 0, segment 1: lock of object 0 which it already holds": program((0, [LOCK, LOCK])),
    "task 1, segment 0: unlock of object 0 without": program((0, [LOCK]), (0, [UNLOCK])),
    "task 0, segment 1: object 1 goes below zero: 3 done, 2 added": program((0, [ADD, DONE, DONE, DONE])),
    "task 1, segment 0: close of object 0, which t0 closes too": program((0, [CLOSE]), (0, [CLOSE]), objects=["channel"]),
    "task 0, segment 1: send into object 0, which it has closed": program((0, [CLOSE, SEND]), objects=["channel"]),
    "lock needs a mutex or rwmutex": program((0, [LOCK, UNLOCK]), objects=["channel"]),
    "object_id is no row of objects": program((0, [("wait_group_wait", None, 7)])),
    "duration_ns is given where not used, or missing": program((0, [("compute",)])),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_an_impossible_program_is_refused(text: str) -> None:
    with pytest.raises(TableError) as caught:
        check(WRONG[text])
    assert text in str(caught.value)


def test_a_possible_one_is_not() -> None:
    check(program((0, [ADD, SPAWN_1, LOCK, UNLOCK, LOCK, UNLOCK, DONE]), (None, [LOCK, UNLOCK, DONE])))


def test_normal_form() -> None:
    one, two, none = ("compute", 1), ("compute", 2), ("compute", 0)
    untidy = program(
        (0, [none, one, two, SPAWN_1, one, none, one, LOCK, none, UNLOCK, none]),
        (None, [one, ("yield",), two, ("exit",), one, ("exit",), two]),
        (5, [none, ("exit",)]),
        (9, [one, none]),
    )
    tidy = normal_form(untidy)
    assert text_of(tidy).splitlines() == [
        "t0 (at 0 ns): compute 3.00 ns, spawn t1, compute 2.00 ns, lock mutex0, unlock mutex0",
        "t1 (spawned): compute 1.00 ns, yield, compute 2.00 ns",
        "t2 (at 5.00 ns): nothing",
        "t3 (at 9.00 ns): compute 1.00 ns",
    ]
    assert tidy.frame("tasks")["parent_id"].to_list() == [None, 0, None, None]
    assert tidy.frame("tasks")["kind"].null_count() == 4
    check(tidy)
    again = normal_form(tidy)
    assert all(again.tables[name].equals(tidy.tables[name]) for name in tidy.tables)


def test_normal_form_of_nothing() -> None:
    assert normal_form(program((0, []))).tables["segments"].num_rows == 0


def test_objects_survive_being_put_in_short() -> None:
    objects = table("objects", {
        "object_id": list(range(7)),
        "kind": ["channel", "channel", "channel", "mutex", "event", "event", "channel"],
        "capacity": [2, 2, 3, None, None, None, 3],
        "name": ["a[0]", "a[1]", "b", "m", None, None, "b"],
    })  # fmt: skip
    groups = object_groups(objects)
    assert [(group["name"], group["count"]) for group in groups] == [
        ("a[]", 2),
        ("b", 1),
        ("m", 1),
        (None, 2),
        ("b", 1),
    ]
    assert objects_of(groups).equals(objects)
    assert object_groups(objects.slice(0, 0)) == []
