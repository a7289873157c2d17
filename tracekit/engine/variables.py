"""Shared memory: what a read, a write and an atomic step see, and what becomes of a value that two tasks change.

A task reads a variable into a register of its own and writes the register plus a number back: between the two
another task may write, and then one of the writes is lost. Tasks of one address space see one value. A task with
its own address space has a copy of what its creator saw when it was created (fork; copy_page_range in mm/memory.c):
what it writes nobody else sees. An access costs more when another CPU wrote last: the cache line has to come over.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine.record import charge
from tracekit.engine.state import NATIVE, NONE, O_SYNC, S_ATOMIC, S_READ, Sim
from tracekit.errors import ModelError
from tracekit.jit import njit
from tracekit.tables.bundle import Program
from tracekit.vocabulary import OBJECT_KINDS, SEGMENTS

K_VARIABLE = OBJECT_KINDS["variable"]
MAX_VALUES = 1 << 26  # variables times address spaces: 512 MiB of values
SHOWN = 8  # tasks whose own value a run's meta carries


@njit
def _where(sim: Sim, task: int, item: int) -> int:
    """Index of the value: variables of one address space stand together."""
    world = sim.world[0]
    row = task if world.own_space and sim.tasks[task].converted else 0
    return row * world.variables + sim.objects[item].capacity


@njit
def use(sim: Sim, cpu: int, task: int, kind: int, item: int, count: int) -> None:
    """Read, write or change a variable; `count` is what a write adds to the value last read."""
    o = sim.objects[item]
    costs = sim.costs[NATIVE]
    at = _where(sim, task, item)
    cost_ns = costs.atomic if kind == S_ATOMIC else costs.access
    if not sim.world[0].own_space and o.holder != NONE and o.holder != cpu:
        cost_ns += costs.line
    if kind == S_READ:
        sim.registers[task] = sim.values[at]
    else:
        sim.values[at] = count + (sim.values[at] if kind == S_ATOMIC else sim.registers[task])
        o.holder = cpu
    sim.tasks[task].pc += 1
    charge(sim, cpu, task, O_SYNC, cost_ns)


@njit
def inherit(sim: Sim, task: int, parent: int) -> None:
    """A task begins with what its creator sees."""
    world = sim.world[0]
    if world.variables == 0 or parent < 0:
        return
    sim.registers[task] = sim.registers[parent]
    if world.own_space:
        for variable in range(world.variables):
            sim.values[task * world.variables + variable] = sim.values[parent * world.variables + variable]


def prepare(sim: Sim, own_space: bool) -> None:
    """Number the variables, and say who sees whose."""
    found = np.flatnonzero(sim.objects.kind == K_VARIABLE)
    sim.objects.capacity[found] = np.arange(len(found))
    sim.world.variables[:] = len(found)
    sim.world.own_space[:] = own_space


def room(program: Program, own_space: bool) -> tuple[Any, Any]:
    """Zeroed values by address space and variable, and a register for each task. Raises ModelError."""
    kinds = program.tables["objects"]["kind"].cast("string").to_numpy(zero_copy_only=False)
    count = int(np.count_nonzero(kinds == "variable"))
    tasks = program.tables["tasks"].num_rows
    spaces = tasks if own_space else 1
    if count * spaces > MAX_VALUES:
        raise ModelError(
            f"{count:,} variables in {spaces:,} address spaces are more than {MAX_VALUES:,} values",
            remedy="fewer variables or fewer processes",
        )
    return np.zeros(max(count * spaces, 1), np.int64), np.zeros(tasks if count else 1, np.int64)


def outcome(program: Program, sim: Sim, starts: Any) -> list[dict[str, Any]]:
    """Each variable's end: `name`, `asked` (the sum of what all writes and atomics that happened add), `value` as the
    first task sees it, `lost` (asked less value), and `by_task`: what each of the first tasks sees, by name."""
    variables = np.flatnonzero(sim.objects.kind == K_VARIABLE)
    if not len(variables):
        return []
    asked = _asked(sim, starts)
    names, tasks = program.tables["objects"]["name"], program.tables["tasks"]["name"]
    found = []
    for number, item in enumerate(variables):
        per_task = _seen(sim, number)
        own = {tasks[task].as_py(): int(per_task[task]) for task in range(min(SHOWN, len(per_task)))}
        value = int(per_task[0])
        found.append({"name": names[int(item)].as_py(), "asked": int(asked[item]), "value": value,
                      "lost": int(asked[item]) - value, "by_task": own})  # fmt: skip
    return found


def _seen(sim: Sim, number: int) -> Any:
    count = int(sim.world.variables[0])
    values = sim.values[number::count]
    return values if sim.world.own_space[0] else np.repeat(values[:1], len(sim.tasks))


def _asked(sim: Sim, starts: Any) -> Any:
    """By object: what the steps up to where each task got would add up to if none were lost."""
    changes = np.isin(sim.segments.kind, (SEGMENTS["write"], SEGMENTS["atomic"]))
    done = np.zeros(len(sim.segments) + 1, np.int64)
    np.add.at(done, starts[:-1], 1)
    np.add.at(done, sim.tasks.pc, -1)
    rows = np.flatnonzero(changes & (np.cumsum(done)[:-1] > 0))
    counts = sim.segments["count"][rows]
    return np.bincount(sim.segments.object[rows], counts, minlength=len(sim.objects)).astype(np.int64)
