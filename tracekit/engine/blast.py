"""The blast radius: what a crash, or main's return, left undone. Read from the engine's state when the run has ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine.state import (
    E_CRASH,
    E_EXIT,
    E_KILLED,
    E_MAIN,
    EXITED,
    NEW,
    S_COMPUTE,
    S_REQUEST,
    Sim,
)  # fmt: skip
from tracekit.tables.bundle import Program


def close(sim: Sim) -> None:
    """Who is alive when the process goes ends with it."""
    reason = E_KILLED if sim.world.crashed[0] else E_MAIN
    alive = (sim.tasks.converted == 1) & (sim.tasks.state != NEW) & (sim.tasks.state != EXITED)
    first = alive & (sim.tasks.exit_reason == E_CRASH)
    sim.tasks.exit_reason[alive] = np.where(first[alive], E_CRASH, reason)
    sim.tasks.ended[alive] = int(sim.world.end_ns[0])
    sim.tasks.state[alive] = EXITED


def radius(program: Program, sim: Sim) -> dict[str, int] | None:
    """The blast radius, or None where nothing ended early: `tasks_crashed`, `tasks_ended` (with them, before they were
    done), `tasks_waiting` (alive, for ever), `orphans` (outlived main), `tasks_finished`, `work_lost_ns` (compute that was asked for and never
    done), `requests_lost`."""
    world = sim.world[0]
    if not (world.crashed or world.cut or world.main_returns):
        return None
    ours = sim.tasks.converted == 1
    undone = _undone(sim, ours)
    crashed = ours & (sim.tasks.state == EXITED) & (sim.tasks.exit_reason == E_CRASH)
    gone = ours & (sim.tasks.state == EXITED) & ((sim.tasks.exit_reason != E_EXIT) | (undone["steps"] > 0))
    waiting = ours & (sim.tasks.state != EXITED) & (sim.tasks.state != NEW)
    return {
        "tasks_crashed": int(crashed.sum()),
        "tasks_ended": int(gone.sum()),
        "tasks_waiting": int(waiting.sum()),
        "orphans": int((ours & (sim.tasks.ended > sim.tasks.ended[0])).sum()) if world.main_returns else 0,
        "tasks_finished": int((ours & (sim.tasks.state == EXITED) & ~gone).sum()),
        "tasks_never_started": int((ours & (sim.tasks.state == NEW)).sum()),
        "work_lost_ns": int(undone["compute"].sum()) + _broken_off(sim),
        "requests_lost": int(undone["requests"].sum()),
    }


def told(program: Program, sim: Sim) -> str:
    """A crash in words, and what came of it."""
    names = program.tables["tasks"]["name"]
    first = int(np.flatnonzero(sim.tasks.exit_reason == E_CRASH)[0])
    found = radius(program, sim) or {}
    return (
        f"{names[first].as_py()} (task {first}) crashed; {found['tasks_ended']:,} tasks ended before they were done, "
        f"{found['tasks_waiting']:,} wait for ever, {found['requests_lost']:,} requests lost"
    )


def _broken_off(sim: Sim) -> int:
    """Compute that had begun when its task was stopped."""
    world = sim.world[0]
    rest = np.where(sim.tasks.converted == 1, sim.tasks.remaining, 0).sum() + sim.threads.carry.sum()
    return int(world.lost_ns + rest + np.where(sim.cpus.active == 1, sim.cpus.act_end - world.now, 0).sum())


def _undone(sim: Sim, ours: Any) -> dict[str, Any]:
    """By task: steps never taken, and the compute time and requests among them."""
    segments, ends = sim.segments, sim.tasks.end
    compute = np.where(segments.kind == S_COMPUTE, segments.duration, 0)
    found = {}
    for name, values in (("compute", compute), ("requests", segments.kind == S_REQUEST)):
        total = np.concatenate(([0], np.cumsum(values)))
        found[name] = np.where(ours, total[ends] - total[np.minimum(sim.tasks.pc, ends)], 0)
    found["steps"] = np.where(ours, ends - np.minimum(sim.tasks.pc, ends), 0)
    return found
