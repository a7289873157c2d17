"""Schedules as pictures: one line per CPU, one character per step; a letter is the task whose name begins with it,
`.` is a CPU that idles. Nothing costs anything unless a test says so, so that the rule under test makes the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from tests.programs import Steps, free_profile, program
from tracekit.engine.replay import replay
from tracekit.tables.bundle import Program, Run

MS = 1_000_000


def picture(run: Run, cpus: int = 1, step_ns: int = MS) -> list[str]:
    """What runs at the start of each step, per CPU."""
    names = run.frame("tasks")["name"].to_list()
    running = run.frame("intervals").filter(pl.col("state") == "RUNNING")
    lines = []
    for cpu in range(cpus):
        line = ["."] * -(-run.meta["end_ns"] // step_ns)
        for row in running.filter(pl.col("cpu") == cpu).iter_rows(named=True):
            for i in range(-(-row["start_ns"] // step_ns), -(-row["end_ns"] // step_ns)):
                line[i] = names[row["task_id"]][0]
        lines.append("".join(line))
    return lines


def free(work: Program, model: str = "thread", **options: Any) -> Run:
    """Replay on a machine on which nothing costs anything, sysmon's rounds neither unless the parameters say so.
    (tests/conftest.py checks all runs.)"""
    if model == "goroutine":
        options["parameters"] = {"goroutine.sysmon_ns": 0, **options.get("parameters", {})}
    return replay(work, model, **{"cpus": 1, "profile": free_profile(), **options})


def computing(nice: dict[str, int] | None = None, **ms: float) -> Program:
    """Tasks that compute from the start, for so many ms."""
    return program({name: [("compute", round(length * MS))] for name, length in ms.items()}, nice=nice)


def compute(ms: float) -> tuple[str, int]:
    """A step that computes."""
    return ("compute", round(ms * MS))


def sleep(ms: float) -> tuple[str, int]:
    """A step that sleeps."""
    return ("sleep", round(ms * MS))


def schedule(tasks: Mapping[str, Steps], cpus: int = 1, step_ms: float = 1, **options: Any) -> list[str]:
    """The picture of tasks without objects."""
    return picture(free(program(tasks), cpus=cpus, **options), cpus, round(step_ms * MS))
