"""A run's own program, got back from what the run recorded: worked out by hand, every kind of overhead in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.golden.program_text import text_of
from tracekit.program.check import check
from tracekit.program.extract import extract
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Run

# One CPU. main computes 100, locks, computes 50, unlocks, and spawns child, which computes 200 and ends.
INTERVALS = [  # task, state, start, end
    (0, "RUNNABLE", 0, 20),  # the CPU comes out of idle: 20, before the task runs
    (0, "RUNNING", 20, 190),  # switch 10, compute 60 of 100, tick 30 in between, then 40, lock 20, compute 10 of 50
    (0, "RUNNABLE", 190, 400),
    (1, "RUNNABLE", 500, 530),
    (0, "RUNNING", 400, 520),  # switch 10, compute 40, unlock 20, spawn 30 before the child is there, exit 20
    (1, "RUNNING", 530, 765),  # the runtime's own 15 in its first moment, switch 10, compute 200, exit 10
]
OVERHEADS = [  # at, task, kind, duration
    (0, 0, "idle_exit", 20),
    (20, 0, "switch", 10),
    (90, 0, "tick", 30),
    (160, 0, "sync", 20),
    (400, 0, "switch", 10),
    (450, 0, "sync", 20),
    (470, 0, "spawn", 30),
    (500, 0, "spawn", 20),
    (520, None, "steal", 10),  # nobody runs
    (530, None, "runtime", 15),
    (530, 1, "switch", 10),
    (755, 1, "spawn", 10),
    (765, 1, "sync", 99),  # charged to a task that is gone: it takes no time of its own
]
OPERATIONS = [  # at, task, ordinal, kind, object, target
    (160, 0, 1, "lock", 0, None),
    (450, 0, 3, "unlock", 0, None),
    (470, 0, 4, "spawn", None, 1),
]


def _columns(rows: list[Any], *names: str) -> dict[str, list[Any]]:
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def run_of(**meta: Any) -> Run:
    """The run above."""
    intervals = table("intervals", {
        **_columns(sorted(INTERVALS, key=lambda row: (row[2], row[0])), "task_id", "state", "start_ns", "end_ns"),
        "cpu": [0] * len(INTERVALS),
    })  # fmt: skip
    tasks = {"task_id": [0, 1], "name": ["main", "child"], "kind": ["thread", "kernel"], "parent_id": [None, 0],
             "start_ns": [0, 500], "end_ns": [520, 765]}  # fmt: skip
    overheads = {**_columns(OVERHEADS, "at_ns", "task_id", "kind", "duration_ns"), "cpu": [0] * len(OVERHEADS)}
    operations = _columns(OPERATIONS, "at_ns", "task_id", "ordinal", "kind", "object_id", "target_id")
    return Run(
        {
            "tasks": table("tasks", tasks),
            "intervals": intervals,
            "wakeups": empty("wakeups"),
            "gaps": empty("gaps"),
            "overheads": table("overheads", overheads),
            "memory": empty("memory"),
            "operations": table("operations", operations),
        },
        meta,
    )


EXPECTED = """\
main (at 0 ns): compute 100 ns, lock {mutex}, compute 50.0 ns, unlock {mutex}, spawn child
child (spawned, competes): compute 200 ns"""


def test_computing_is_what_remains_between_operations() -> None:
    program = extract(run_of())
    check(program)
    assert text_of(program) == EXPECTED.format(mutex="mutex0")


def test_objects_come_back_from_the_program_that_was_run() -> None:
    groups = [
        {"kind": "rwmutex", "capacity": None, "name": "m", "count": 1},
        {"kind": "channel", "capacity": 4, "name": "link[]", "count": 2},
    ]
    program = extract(run_of(program={"origin": "workload", "seed": 3, "objects": groups}))
    assert text_of(program) == EXPECTED.format(mutex="m")
    assert program.frame("objects").rows()[1:] == [(1, "channel", 4, "link[0]"), (2, "channel", 4, "link[1]")]
    assert program.meta["objects"] == groups
    assert program.meta["seed"] == 3


def test_without_operations_a_run_is_read_as_a_recording() -> None:
    run = run_of()
    run.tables["operations"] = run.tables["operations"].slice(0, 0)
    program = extract(run)
    computes = program.frame("segments").filter(program.frame("segments")["kind"] == "compute")
    assert np.isclose(computes["duration_ns"].sum(), 170 + 120 + 235)
