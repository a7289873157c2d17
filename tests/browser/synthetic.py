"""Three runs of one made-up program, and a recording of it, for tests of the report.

A first-come-first-served scheduler over two CPUs plays each task's steps of compute and waiting. The figures are
invented; only their shape matters: processes pay most per switch and hold most memory, goroutines least.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import Any

from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Program, Run, Trace

CPUS = 2
MODELS: dict[str, dict[str, Any]] = {
    "process": {"switch_ns": 3_000, "space_ns": 1_500, "spawn_ns": 90_000, "resident": 900_000, "virtual": 9_000_000},
    "thread": {"switch_ns": 2_500, "space_ns": 0, "spawn_ns": 15_000, "resident": 30_000, "virtual": 8_400_000},
    "goroutine": {"switch_ns": 250, "space_ns": 0, "spawn_ns": 400, "resident": 4_000, "virtual": 4_000},
}


@dataclass
class Played:
    """The rows of each table, as they come."""

    intervals: list[tuple[Any, ...]] = field(default_factory=list)
    wakeups: list[tuple[Any, ...]] = field(default_factory=list)
    overheads: list[tuple[Any, ...]] = field(default_factory=list)
    operations: list[tuple[Any, ...]] = field(default_factory=list)
    memory: list[tuple[Any, ...]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)


def play(costs: dict[str, Any], tasks: int, steps: int, seed: int) -> Played:
    """Tasks start 5 µs apart; each step computes 20 to 200 µs, then waits as long, woken by a timer or a peer."""
    draw, done = random.Random(seed), Played()
    ready = [(5_000 * task, task, 0) for task in range(tasks)]  # runnable since, task, step
    heapq.heapify(ready)
    cpu_free = [0] * CPUS
    held = 0
    while ready:
        since, task, step = heapq.heappop(ready)
        cpu = min(range(CPUS), key=lambda c: cpu_free[c])
        start = max(since, cpu_free[cpu])
        if start > since:
            done.intervals.append((task, cpu, "RUNNABLE", since, start, "wakeup" if step else "spawn"))
        charged = [
            ("switch", costs["switch_ns"]),
            ("address_space", costs["space_ns"]),
            ("sync", costs["switch_ns"] // 3),
        ]
        if step == 0:
            charged.append(("spawn", costs["spawn_ns"]))
            held += 1
            done.memory.append((start, held * costs["resident"], held * costs["virtual"]))
        charged = [(kind, ns) for kind, ns in charged if ns]
        done.overheads += [(start, task, cpu, kind, ns) for kind, ns in charged]
        end = start + draw.randrange(20_000, 200_000) + sum(ns for _, ns in charged)
        cpu_free[cpu] = end
        done.intervals.append((task, cpu, "RUNNING", start, end, None))
        done.operations.append((end, task, cpu, step, "recv"))
        if step == steps - 1:
            done.ends[task] = end
            held -= 1
            done.memory.append((end, held * costs["resident"], held * costs["virtual"]))
        else:
            woken = end + draw.randrange(20_000, 200_000)
            done.intervals.append((task, None, "BLOCKED", end, woken, "channel_recv"))
            done.wakeups.append((woken, (task + 1) % tasks if draw.random() < 0.5 else None, task))
            heapq.heappush(ready, (woken, task, step + 1))
    return done


def _table(name: str, columns: str, rows: list[tuple[Any, ...]], order: int) -> Any:
    names = columns.split()
    if not rows:
        return empty(name)
    ordered = sorted(rows, key=lambda row: (row[order], row[0]))
    return table(name, dict(zip(names, map(list, zip(*ordered, strict=True)), strict=True)))


def _trace_tables(done: Played, names: list[str], kind: str) -> dict[str, Any]:
    count = len(names)
    tasks = {
        "task_id": list(range(count)),
        "name": names,
        "kind": [kind] * count,
        "source_id": [100 + task for task in range(count)],
        "end_ns": [done.ends.get(task) for task in range(count)],
    }
    return {
        "tasks": table("tasks", tasks),
        "intervals": _table("intervals", "task_id cpu state start_ns end_ns reason", done.intervals, 3),
        "wakeups": _table("wakeups", "at_ns waker_id wakee_id", done.wakeups, 0),
        "gaps": empty("gaps"),
    }


def names_of(tasks: int) -> list[str]:
    """What the tasks are called; the first as an attacker would."""
    return ["<script>alert(1)</script><b>%{x}", *(f"worker {task}" for task in range(1, tasks))]


def program(tasks: int = 12, steps: int = 20) -> Program:
    """The program as its tables would stand; its segments are the compute steps alone."""
    ids = [task for task in range(tasks) for _ in range(steps)]
    tables = {
        "tasks": table(
            "program_tasks",
            {
                "task_id": list(range(tasks)),
                "name": names_of(tasks),
                "start_ns": [0] * tasks,
                "converted": [True] * tasks,
            },
        ),
        "segments": table(
            "segments",
            {
                "task_id": ids,
                "ordinal": list(range(steps)) * tasks,
                "kind": ["compute"] * len(ids),
                "duration_ns": [1000] * len(ids),
            },
        ),
        "objects": empty("objects"),
    }
    return Program(tables, program_meta())


def program_meta() -> dict[str, Any]:
    """A program extracted from a recording."""
    return {
        "origin": "trace",
        "name": "a <made-up> program",
        "form": "process",
        "source": {
            "path": "/some/where/made-up.data",
            "format": "perf.data",
            "sha256": "ab" * 32,
            "size_bytes": 123_456,
        },
        "coverage": 0.934,
        "removed_ns": {"switch": 1_200_000, "wake": 300_000},
        "policies": [{"policy": "wakeup", "choice": "waking", "count": 240}],
    }


def run(model: str, *, tasks: int = 12, steps: int = 20, seed: int = 1, **meta: Any) -> Run:
    """The program replayed under one model."""
    done = play(MODELS[model], tasks, steps, seed)
    tables = _trace_tables(done, names_of(tasks), model) | {
        "overheads": _table("overheads", "at_ns task_id cpu kind duration_ns", done.overheads, 0),
        "memory": _table("memory", "at_ns resident_bytes virtual_bytes", done.memory, 0),
        "operations": _table("operations", "at_ns task_id cpu ordinal kind", done.operations, 0),
    }
    known = {
        "model": model,
        "form": model,
        "runtime": "go" if model == "goroutine" else "one_to_one",
        "kernel_policy": "eevdf",
        "cpus": CPUS,
        "seed": seed,
        "profile": {"name": "reference", "host": {"cpu": "a reference machine"}, "digest": "0123456789abcdef"},
        "parameters": {"time_slice_ns": 3_000_000},
        "program": program_meta(),
        "outcome": "completed",
        "counters": {
            "steals": 17 if model == "goroutine" else 0,
            "context_switches_voluntary": tasks * steps,
            "context_switches_involuntary": 3,
        },
        "tool_version": "0.1.0",
    }
    return Run(tables, known | meta)


def runs(**options: Any) -> list[Run]:
    """The program under all three models."""
    return [run(model, **options) for model in MODELS]


def trace(tasks: int = 12, steps: int = 20) -> Trace:
    """A recording of the program as processes, a little slower than the model says."""
    slower = MODELS["process"] | {"switch_ns": 6_000}
    tables = _trace_tables(play(slower, tasks, steps, 1), names_of(tasks), "process")
    tables["gaps"] = table(
        "gaps",
        {"cpu": [1, 1], "start_ns": [0, 50_000], "end_ns": [9_000, 70_000], "lost_events": [None, None],
         "cause": ["inferred_switch", "broken_chain"]},
    )  # fmt: skip
    meta = {"form": "process", "cpus": CPUS, "host": "box", "kernel": "6.18", "policies": [], "end_ns": 30_000_000}
    return Trace(tables, meta)
