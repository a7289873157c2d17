"""How tasks are created, end and are joined: what each step of it costs, and when it has the address space's lock."""

from __future__ import annotations

from typing import Any

from tracekit.engine import address_space, sync, variables
from tracekit.engine.address_space import TRIES
from tracekit.engine.hooks import creating
from tracekit.engine.record import charge
from tracekit.engine.state import ENDS, EXITED, HOSTED, NATIVE, O_SPAWN, O_SYNC, Sim
from tracekit.engine.waiting import shares_space, start
from tracekit.jit import njit

# How far a task has come in creating another, in `held`: its stack is mapped, or used again; it is paid for.
_MAPPED, _REUSED, _CREATED = 3, 4, 5
_UNMAPS, _DETACHES, _GIVEN_BACK = 1, 2, 3  # and in its own end


@njit
def spawn(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, target: int) -> None:
    """The task creates another, which can run when the creation is done, not before."""
    t = sim.tasks[task]
    shares = shares_space(sim, task)
    if shares and not _stack_is_there(runtime, kernel, sim, cpu, task):
        return
    if t.held < _CREATED:
        t.held = _CREATED
        t.paid = TRIES
        costs = sim.costs[sim.tasks[target].layer]
        mapped = min(sim.costs[NATIVE].map, costs.spawn) if shares else 0
        # fork copies the page tables of what its caller has touched (copy_page_range); the rest is in `spawn`
        grown = max(t.resident - costs.resident, 0)
        extra = creating(runtime, sim, cpu) if sim.tasks[target].layer == HOSTED else 0
        charge(sim, cpu, task, O_SPAWN, costs.spawn - mapped + extra + (grown * costs.fork_per_mib >> 20))
        return
    t.held = 0
    t.paid = 0
    t.pc += 1
    start(runtime, kernel, sim, target, cpu, task)
    variables.inherit(sim, target, task)


@njit
def _stack_is_there(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> bool:
    t = sim.tasks[task]
    if t.held >= _MAPPED:
        return True
    if t.held == 0 and t.paid == 0 and address_space.reuse_stack(sim):
        t.held = _REUSED
        return True
    writes = t.held < 2  # mmap and mprotect; then the first page, for which the mapping gets its anon_vma
    if address_space.hold(runtime, kernel, sim, cpu, task, writes, sim.costs[NATIVE].map // 3):
        t.held += 1
        t.paid = TRIES
    return t.held == _MAPPED


@njit
def end(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """The task has done its last step, and is on its way out."""
    t = sim.tasks[task]
    costs = sim.costs[t.layer]
    apart = 0
    if t.paid == 0 and t.converted:
        world = sim.world[0]
        world.done_ns = world.now
        world.done_switches = world.voluntary + world.involuntary
    if shares_space(sim, task):
        if not _stack_is_given_back(runtime, kernel, sim, cpu, task):
            return
        apart = min(costs.advise + costs.unmap, costs.exit)
    sim.threads[t.thread].leaving = ENDS
    charge(sim, cpu, task, O_SPAWN, costs.exit - apart)
    joiner = t.joiners
    while joiner >= 0:
        charge(sim, cpu, task, O_SYNC, sim.costs[sim.tasks[joiner].layer].wake)
        joiner = sim.tasks[joiner].next


@njit
def _stack_is_given_back(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> bool:
    t = sim.tasks[task]
    costs = sim.costs[NATIVE]
    if t.held == 0 and address_space.hold(runtime, kernel, sim, cpu, task, False, costs.advise):
        t.held = _DETACHES if t.joined or address_space.keep_stack(sim) else _UNMAPS
        t.paid = TRIES
    elif t.held == _UNMAPS and address_space.hold(runtime, kernel, sim, cpu, task, True, costs.unmap):
        t.held = _DETACHES
        t.paid = TRIES
    elif t.held == _DETACHES and address_space.hold(runtime, kernel, sim, cpu, task, False, 0):
        t.held = _GIVEN_BACK
    return t.held == _GIVEN_BACK


@njit
def join(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, target: int) -> None:
    """Wait until the target has ended; the first to do so frees its stack."""
    t = sim.tasks[task]
    ended = sim.tasks[target]
    if ended.state != EXITED:
        sync.join(sim, cpu, task, target)
        return
    if t.held == 0:
        t.retry = 0
        if shares_space(sim, task) and ended.joined == 1:
            ended.joined = 2
            t.held = 0 if address_space.keep_stack(sim) else 1
    if t.held == 1 and not address_space.hold(runtime, kernel, sim, cpu, task, True, sim.costs[NATIVE].unmap):
        return
    t.held = 0
    t.paid = 0
    t.pc += 1
