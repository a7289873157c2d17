"""How tasks are created, end and are joined: what each step of it costs, and which locks it has meanwhile, that of the
address space and that of the cache of stacks."""

from __future__ import annotations

from typing import Any

from tracekit.engine import address_space, stack_cache, sync, variables
from tracekit.engine.address_space import TRIES
from tracekit.engine.hooks import creating
from tracekit.engine.record import charge
from tracekit.engine.state import ENDS, EXITED, HOSTED, NATIVE, O_SPAWN, O_SYNC, Sim
from tracekit.engine.waiting import shares_space, start
from tracekit.jit import njit

# How far a task has come in creating another, in `held`: mmap, mprotect, the stack's first page, the list of stacks.
_MAPS, _TOUCHES, _MAPPED, _HAS_STACK, _CREATED = 1, 3, 4, 5, 6
# And in its own end, or from _CACHES to _FREED in a join.
_ADVISES, _CACHES, _UNMAPS, _FREED, _DETACHES, _GIVEN_BACK = 1, 2, 3, 4, 5, 6
# Of a thread's way out without its stack, in eighths: what comes before madvise, and then before exit_mm (system calls
# and switches traced on Linux 6.18, less the recorder: 1.1 us, 4.3 us, and 5.3 us after it).
_BEFORE_MADVISE, _BEFORE_EXIT_MM, _EIGHTHS = 1, 3, 8


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
    if t.held == 0 or t.held == _MAPPED:
        if not stack_cache.take(sim, cpu, task):
            return False
        t.held = _HAS_STACK if t.held == _MAPPED or stack_cache.reuse(sim) else _MAPS
        t.paid = TRIES
        stack_cache.let_go(runtime, kernel, sim, cpu, task)
    elif t.held < _MAPPED:
        writes = t.held < _TOUCHES  # for its first page the mapping gets its anon_vma
        if address_space.hold(runtime, kernel, sim, cpu, task, writes, sim.costs[NATIVE].map // 3):
            t.held += 1
            t.paid = TRIES
    return t.held >= _HAS_STACK


@njit
def end(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """The task has done its last step, and is on its way out."""
    t = sim.tasks[task]
    costs = sim.costs[t.layer]
    if t.paid == 0 and t.converted:
        world = sim.world[0]
        world.done_ns = world.now
        world.done_switches = world.voluntary + world.involuntary
    rest = costs.exit
    if shares_space(sim, task):
        if not _stack_is_given_back(runtime, kernel, sim, cpu, task):
            return
        rest = _own_part(sim) - _own_part(sim) * (_BEFORE_MADVISE + _BEFORE_EXIT_MM) // _EIGHTHS
    sim.threads[t.thread].leaving = ENDS
    charge(sim, cpu, task, O_SPAWN, rest)
    joiner = t.joiners
    while joiner >= 0:
        charge(sim, cpu, task, O_SYNC, sim.costs[sim.tasks[joiner].layer].wake)
        joiner = sim.tasks[joiner].next


@njit
def _own_part(sim: Sim) -> int:
    """What a thread's end takes without giving back its stack."""
    costs = sim.costs[NATIVE]
    return max(costs.exit - costs.advise - costs.unmap, 0)


@njit
def _stack_is_given_back(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> bool:
    t = sim.tasks[task]
    if t.held == 0:
        charge(sim, cpu, task, O_SPAWN, _own_part(sim) * _BEFORE_MADVISE // _EIGHTHS)
        t.held = _ADVISES
        t.paid = TRIES
    elif t.held == _ADVISES:
        if address_space.give_back(runtime, kernel, sim, cpu, task, False):
            t.held = _FREED if t.joined else _CACHES
            t.paid = TRIES
    elif t.held < _FREED:
        _free_stack(runtime, kernel, sim, cpu, task)
    elif t.held == _FREED:
        charge(sim, cpu, task, O_SPAWN, _own_part(sim) * _BEFORE_EXIT_MM // _EIGHTHS)
        t.held = _DETACHES
    elif address_space.hold(runtime, kernel, sim, cpu, task, False, 0):
        t.held = _GIVEN_BACK
    return t.held == _GIVEN_BACK


@njit
def _free_stack(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> bool:
    """Whether a stack is in the cache, and what is too much there unmapped; until then, to be called in every step."""
    t = sim.tasks[task]
    world = sim.world[0]
    if t.held == _CACHES:
        if not stack_cache.take(sim, cpu, task):
            return False
        world.stacks += 1
        t.held = _UNMAPS
        t.paid = TRIES
    if world.stacks > stack_cache.MOST_STACKS:
        if not address_space.give_back(runtime, kernel, sim, cpu, task, True):
            return False
        world.stacks -= 1
    stack_cache.let_go(runtime, kernel, sim, cpu, task)
    t.held = _FREED
    t.paid = TRIES
    return True


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
            t.held = _CACHES
    if t.held > 0 and not _free_stack(runtime, kernel, sim, cpu, task):
        return
    t.held = 0
    t.paid = 0
    t.pc += 1
