"""The stacks that the C library keeps for new threads, and the lock of that cache (glibc 2.34 and later).

A stack goes into the cache when its thread is over: the thread itself puts it there if nobody joins it, before its last
system call, or else who joins it (nptl/nptl-stack.c: __nptl_deallocate_stack). The cache holds up to 40 MiB, which
are four stacks, as each is 8 MiB and a guard page. What is more is unmapped with the cache's lock held
(__nptl_free_stacks), so that others who end or create a thread wait for it, and behind it for the lock of the address
space. pthread_create has the lock to look for a stack, and again to list one that it has mapped (allocatestack.c:
get_cached_stack, allocate_stack); both are over at once.

The lock is a plain futex (dl_stack_cache_lock; nptl/lowlevellock.c): who finds it taken sleeps without spinning. An
unlock hands it to nobody: it wakes the first that waits, who tries again, as at the program's mutexes (engine/locks.py).

Left out: a stack can be neither used nor unmapped until the kernel has ended its thread; here it can at once.
"""

from __future__ import annotations

from typing import Any

from tracekit.engine.address_space import TRIES
from tracekit.engine.state import NATIVE, NONE, O_SYNC, R_LOCK, Sim
from tracekit.engine.waiting import block, unblock
from tracekit.jit import njit

MOST_STACKS = 4


@njit
def take(sim: Sim, cpu: int, task: int) -> bool:
    """Whether the running task has got the lock; if not it sleeps, and has to ask again."""
    world = sim.world[0]
    t = sim.tasks[task]
    if t.retry or world.cache_holder != NONE:
        world.cache_contended = 1
    t.retry = 0
    if world.cache_holder == NONE:
        world.cache_holder = task
        return True
    t.paid = TRIES
    block(sim, cpu, task, R_LOCK, O_SYNC, sim.costs[NATIVE].block)
    t.next = NONE
    if world.cache_waiters == NONE:
        world.cache_waiters = task
    else:
        sim.tasks[world.cache_last_waiter].next = task
    world.cache_last_waiter = task
    return False


@njit
def let_go(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """The running task gives the lock back, and wakes the first that waits."""
    world = sim.world[0]
    world.cache_holder = NONE
    waiter = world.cache_waiters
    if waiter == NONE or not world.cache_contended:
        return
    world.cache_contended = 0
    world.cache_waiters = sim.tasks[waiter].next
    sim.tasks[waiter].retry = 1
    unblock(runtime, kernel, sim, waiter, cpu, task)


@njit
def reuse(sim: Sim) -> bool:
    """Whether a new thread gets the stack of one that ended."""
    world = sim.world[0]
    if world.stacks == 0:
        return False
    world.stacks -= 1
    return True
