"""A program as an rt-app configuration, where rt-app has words for all of its steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tracekit.errors import WorkloadError
from tracekit.tables.bundle import Program
from tracekit.units import NS_PER_US

# Our step → rt-app's event, and which column is its value. What waits for a time outside the program sleeps.
_EVENTS: dict[str, tuple[str, str | None]] = {
    "compute": ("run", "duration_ns"), "sleep": ("sleep", "duration_ns"), "io": ("sleep", "duration_ns"),
    "network": ("sleep", "duration_ns"), "syscall": ("sleep", "duration_ns"), "yield": ("yield", None),
    "lock": ("lock", "object_id"), "unlock": ("unlock", "object_id"), "spawn": ("fork", "target_id"),
}  # fmt: skip
_NO_TIME = ("request", "exit", "stack")  # marks; rt-app needs none
_WHY = {"wait": "rt-app forgets a signal that nobody waits for", "signal": "rt-app forgets a signal nobody waits for"}

Step = tuple[str, Any]


def write_rt_app(program: Program, path: Path) -> None:
    """Write the program. Raises WorkloadError naming the first step that rt-app can't express."""
    path.write_text(rt_app_text(program) + "\n", encoding="utf-8")


def rt_app_text(program: Program) -> str:
    """The configuration as JSON. Times are whole µs, rounded; what repeats from a task's start on is a loop."""
    tasks = program.frame("tasks").to_dicts()
    names = _unique([task["name"] for task in tasks])
    steps: list[list[Step]] = [[] for _ in tasks]
    objects = program.frame("objects").to_dicts()
    for row in program.frame("segments").iter_rows(named=True):
        if row["kind"] not in _NO_TIME:
            steps[row["task_id"]].append(_step(row, names, objects))
    bodies = {name: _task(task, steps[task["task_id"]]) for name, task in zip(names, tasks, strict=True)}
    whole = {"tasks": bodies, "global": {"duration": -1, "calibration": "CPU0", "default_policy": "SCHED_OTHER"}}
    return json.dumps(whole, indent=1, ensure_ascii=False)


def _step(row: dict[str, Any], names: list[str], objects: list[dict[str, Any]]) -> Step:
    kind, place = row["kind"], f"task {names[row['task_id']]}, segment {row['ordinal']}"
    if kind not in _EVENTS:
        raise WorkloadError(f"rt-app can't express {kind}", where=place, remedy=_WHY.get(kind))
    event, column = _EVENTS[kind]
    if column is None:
        return event, ""
    if column == "duration_ns":
        return event, (row[column] + NS_PER_US // 2) // NS_PER_US
    if column == "target_id":
        return event, names[row[column]]
    if objects[row[column]]["kind"] != "mutex":
        raise WorkloadError(f"rt-app has no {objects[row[column]]['kind']}", where=place)
    return event, objects[row[column]]["name"] or f"object{row[column]}"


def _task(task: dict[str, Any], steps: list[Step]) -> dict[str, Any]:
    """Key by key: events carry a number, because keys are unique in JSON and rt-app reads them by how they begin."""
    period = _period(steps)
    body: dict[str, Any] = {"instance": 0 if task["start_ns"] is None else 1, "loop": len(steps) // period}
    if task["start_ns"]:
        body["delay"] = (task["start_ns"] + NS_PER_US // 2) // NS_PER_US
    body |= {f"{event}{number}": value for number, (event, value) in enumerate(steps[:period])}
    return body


def _period(steps: list[Step]) -> int:
    """The length of the shortest beginning that, repeated, gives all steps (by the failure function of Knuth, Morris
    and Pratt, 1977)."""
    border = [0] * len(steps)
    for i in range(1, len(steps)):
        k = border[i - 1]
        while k and steps[i] != steps[k]:
            k = border[k - 1]
        border[i] = k + (steps[i] == steps[k])
    shortest = len(steps) - border[-1] if steps else 1
    return shortest if len(steps) % shortest == 0 else len(steps)


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return result
