"""Programs written as a test shows them: a dict of tasks, each a list of steps, and a dict of objects.

A step is a tuple: ("compute", 1000), ("send", "c", 64), ("spawn", "child"), ("wait_group_add", "w", 2). The first
task starts at 0; others start where they are spawned, or at 0 when nobody spawns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracekit.machine.profile import Profile, parse_profile
from tracekit.tables.build import table
from tracekit.tables.bundle import Program
from tracekit.vocabulary import SEGMENT_KINDS

Steps = Sequence[tuple[Any, ...]]


def program(
    tasks: Mapping[str, Steps],
    objects: Mapping[str, tuple[str, int | None]] | None = None,
    *,
    nice: Mapping[str, int] | None = None,
    footprint_bytes: Mapping[str, int] | None = None,
) -> Program:
    """A program from steps; `objects` gives kind and capacity by name, `nice` and `footprint_bytes` are by task."""
    objects = objects or {}
    object_ids = {name: i for i, name in enumerate(objects)}
    task_ids = {name: i for i, name in enumerate(tasks)}
    rows: dict[str, list[Any]] = {
        name: [] for name in ("task_id", "ordinal", "kind", "duration_ns", "object_id", "target_id", "bytes", "count")
    }
    spawned = {}
    for name, steps in tasks.items():
        for ordinal, (kind, *arguments) in enumerate(steps):
            given = dict(zip(SEGMENT_KINDS[kind].uses, arguments, strict=True))
            if "object_id" in given:
                given["object_id"] = object_ids[given["object_id"]]
            if "target_id" in given:
                given["target_id"] = task_ids[given["target_id"]]
                if kind == "spawn":
                    spawned[given["target_id"]] = task_ids[name]
            given |= {"task_id": task_ids[name], "ordinal": ordinal, "kind": kind}
            for column, values in rows.items():
                values.append(given.get(column))
    ids = list(task_ids.values())
    return Program(
        {
            "tasks": table("program_tasks", {
                "task_id": ids,
                "name": list(task_ids),
                "parent_id": [spawned.get(i) for i in ids],
                "start_ns": [None if i in spawned else 0 for i in ids],
                "converted": [True for _ in ids],
                "nice": [(nice or {}).get(name) for name in task_ids],
                "footprint_bytes": [(footprint_bytes or {}).get(name) for name in task_ids],
            }, rows=len(ids)),
            "segments": table("segments", rows),
            "objects": table("objects", {
                "object_id": list(object_ids.values()),
                "kind": [kind for kind, _ in objects.values()],
                "capacity": [capacity for _, capacity in objects.values()],
                "name": list(object_ids),
            }, rows=len(object_ids)),
        },
        {"origin": "workload", "name": "test"},
    )  # fmt: skip


def free_profile(**values: int) -> Profile:
    """A machine on which everything costs nothing but what is named, so that a schedule can be worked out by hand."""
    from tracekit.machine.costs import COSTS

    chosen = {"tick_period_ns": 4_000_000, "newidle_pulls": 1, **values}
    lines = [f'{name} = {{ value = {chosen.get(name, 0)}, source = "test" }}' for name in COSTS]
    return parse_profile('name = "free"\n[costs]\n' + "\n".join(lines), where="test")
