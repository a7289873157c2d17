"""The address space that threads share: its lock (mmap_lock), and the stacks that the C library keeps for reuse.

A new thread gets the stack of an ended one, or its creator maps one: mmap and mprotect, both with the lock for writing,
and its first page, for reading. A thread that ends gives its stack's pages back (madvise, for reading), and the stack
goes into the cache; when that has no more room (40 MiB: 5 stacks of 8 MiB), who joins the thread, or it itself if nobody
does, unmaps one, for writing (nptl/allocatestack.c, nptl/nptl-stack.c). Last it looks at the lock once more (exit_mm).

The lock is Linux's rwsem (6.18, kernel/locking/rwsem.c):
* A reader sleeps if a writer has the lock or anybody waits (rwsem_down_read_slowpath). A writer first spins for up to
  10 us, where readers have the lock (rwsem_rspin_threshold) or while a writer that has it runs (nobody holds it longer
  here), and takes what becomes free, whoever waits.
* Whoever lets go wakes the first that waits. If it is a writer it has to try; a reader, and with it all readers that
  wait, up to 256, has the lock from then on (rwsem_mark_wake), though it may wait for a CPU for long. That is how a
  few short operations hold up everybody.

Left out: page faults but a stack's first, which take the lock of their mapping only (per-VMA locks), and the hand-over to a writer that
waited for 4 ms.
"""

from __future__ import annotations

from typing import Any

from tracekit.engine.record import charge
from tracekit.engine.state import NATIVE, NONE, O_SPAWN, R_UNINTERRUPTIBLE, T_RUNNING, Sim
from tracekit.engine.waiting import block, unblock
from tracekit.jit import njit

MOST_READERS = 256  # MAX_READERS_WAKEUP
MOST_STACKS = 5
_SPIN_NS, _SPINS = 1000, 10
# A task's way with the lock, in `paid`: it tries, and how often it spun; it has it; it has let go.
TRIES, HAS, HAD = 1, 20, 21


@njit
def hold(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, writes: bool, held_ns: int) -> bool:
    """Whether the running task has had the lock, for held_ns; until then it has to ask again in every step."""
    t = sim.tasks[task]
    if t.paid == HAS:
        _release(runtime, kernel, sim, cpu, task, writes)
        t.paid = HAD
    elif t.paid < HAS and _take(sim, cpu, task, writes):
        t.paid = HAS
        charge(sim, cpu, task, O_SPAWN, held_ns)
    return t.paid == HAD


@njit
def _take(sim: Sim, cpu: int, task: int, writes: bool) -> bool:
    world = sim.world[0]
    t = sim.tasks[task]
    t.paid = max(t.paid, TRIES)
    woken = t.retry
    t.retry = 0
    if woken and not writes:  # it was let in while it waited
        return True
    if writes and world.mm_writer == NONE and world.mm_readers == 0:
        world.mm_writer = task
        world.mm_woken -= woken
        return True
    waited_for = world.mm_writers >= 0 or world.mm_waiting_readers >= 0 or world.mm_woken > 0
    if not writes and world.mm_writer == NONE and not waited_for:
        world.mm_readers += 1
        return True
    if writes and t.paid < TRIES + _SPINS and _owner_runs(sim):
        t.paid += 1
        t.retry = woken
        charge(sim, cpu, task, O_SPAWN, _SPIN_NS)
        return False
    world.mm_woken -= woken
    t.retry = woken  # it keeps its place by when it began to wait
    block(sim, cpu, task, R_UNINTERRUPTIBLE, O_SPAWN, sim.costs[NATIVE].block)
    if writes:
        _queue_writer(sim, task, woken == 1)
    else:
        _queue_reader(sim, task)
    return False


@njit
def _owner_runs(sim: Sim) -> bool:
    """Readers are not known one by one, so that a writer takes it that they run."""
    writer = sim.world[0].mm_writer
    return writer == NONE or sim.threads[sim.tasks[writer].thread].state == T_RUNNING


@njit
def _queue_writer(sim: Sim, task: int, front: bool) -> None:
    world = sim.world[0]
    t = sim.tasks[task]
    t.next = NONE
    if world.mm_writers == NONE:
        world.mm_writers = task
        world.mm_last_writer = task
    elif front:
        t.next = world.mm_writers
        world.mm_writers = task
    else:
        sim.tasks[world.mm_last_writer].next = task
        world.mm_last_writer = task


@njit
def _queue_reader(sim: Sim, task: int) -> None:
    world = sim.world[0]
    sim.tasks[task].next = NONE
    if world.mm_waiting_readers == NONE:
        world.mm_waiting_readers = task
    else:
        sim.tasks[world.mm_last_reader].next = task
    world.mm_last_reader = task


@njit
def _release(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, writes: bool) -> None:
    world = sim.world[0]
    if writes:
        world.mm_writer = NONE
    else:
        world.mm_readers -= 1
    writer, reader = world.mm_writers, world.mm_waiting_readers
    if (writer == NONE and reader == NONE) or world.mm_readers > 0 or world.mm_woken > 0:
        return
    if reader >= 0 and (writer == NONE or sim.tasks[reader].blocked_at < sim.tasks[writer].blocked_at):
        _let_readers_in(runtime, kernel, sim, cpu, task)
        return
    world.mm_writers = sim.tasks[writer].next
    world.mm_woken = 1
    sim.tasks[writer].retry = 1
    unblock(runtime, kernel, sim, writer, cpu, task)


@njit
def _let_readers_in(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    world = sim.world[0]
    for _ in range(MOST_READERS):
        waiter = world.mm_waiting_readers
        if waiter == NONE:
            return
        world.mm_waiting_readers = sim.tasks[waiter].next
        world.mm_readers += 1
        sim.tasks[waiter].retry = 1
        unblock(runtime, kernel, sim, waiter, cpu, task)


@njit
def reuse_stack(sim: Sim) -> bool:
    """Whether a new thread gets the stack of one that ended."""
    world = sim.world[0]
    if world.stacks == 0:
        return False
    world.stacks -= 1
    return True


@njit
def keep_stack(sim: Sim) -> bool:
    """Whether an ended thread's stack finds room in the cache."""
    world = sim.world[0]
    if world.stacks == MOST_STACKS:
        return False
    world.stacks += 1
    return True
