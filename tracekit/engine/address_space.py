"""The address space that threads share: its lock (mmap_lock), and what other CPUs have to be told of it.

A new thread gets the stack of an ended one (engine/stack_cache.py), or its creator maps one: mmap and mprotect, both
with the lock for writing, and its first page, for reading. A thread that ends gives its stack's pages back (madvise, for
reading); last it looks at the lock once more (exit_mm). Who unmaps a stack has the lock for writing while it takes the
mapping out, and goes on as a reader while it frees the pages (mm/vma.c: mmap_write_downgrade).

The lock is Linux's rwsem (6.18, kernel/locking/rwsem.c):
* A reader takes a lock that nobody has, whoever waits (rwsem_down_read_slowpath: optimistic lock stealing); it sleeps if
  a writer has it, or others read and anybody waits. A writer first spins for up to 10 us, where readers have the lock
  (rwsem_rspin_threshold) or while a writer that has it runs (nobody holds it longer here), and takes what becomes free,
  whoever waits; once woken it spins no more.
* Whoever lets go wakes the first that waits. If it is a writer it has to try; a reader, and with it all readers that
  wait, up to 256, has the lock from then on (rwsem_mark_wake), though it may wait for a CPU for long. That is how a
  few short operations hold up everybody. A writer that goes on as a reader wakes readers that are first.

Pages that were used may be in the TLBs of all CPUs that run threads of the process: who has unmapped them interrupts
those, and waits for their answer with the lock (arch/x86/mm/tlb.c: flush_tlb_mm_range). So does a madvise that found
nothing to free, if somebody else is at it at the same time, or was preempted in it (mm/mmu_gather.c: tlb_finish_mmu,
mm_tlb_flush_nested): in a crowd of ending threads most do.

Left out: page faults but a stack's first, which take the lock of their mapping only (per-VMA locks), the hand-over to a
writer that waited for 4 ms, page tables that go with a stack, of which idle CPUs are told too, and a mprotect that was
preempted, which makes others tell CPUs as an munmap does.
"""

from __future__ import annotations

from typing import Any

from tracekit.engine.record import charge
from tracekit.engine.state import NATIVE, NONE, O_SPAWN, O_TICK, R_UNINTERRUPTIBLE, T_RUNNING, Sim
from tracekit.engine.waiting import block, unblock
from tracekit.jit import njit

MOST_READERS = 256  # MAX_READERS_WAKEUP
_SPIN_NS, _SPINS = 1000, 10
# A task's way with the lock, in `paid`: it tries, and how often it spun; it has it, frees pages with it, has told the
# other CPUs; it has let go.
TRIES, HAS, _FREES, _TOLD, HAD = 1, 20, 21, 22, 23


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
def give_back(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, unmaps: bool) -> bool:
    """Whether the running task has given a stack's pages back, or with `unmaps` the whole stack; until then it has to ask
    again in every step."""
    t = sim.tasks[task]
    world = sim.world[0]
    costs = sim.costs[NATIVE]
    changes_ns = min(costs.map // 3, costs.unmap) if unmaps else 0  # the mapping, as mmap does
    if t.paid == _TOLD:
        world.mm_flushes -= 1
        _release(runtime, kernel, sim, cpu, task, False)
        t.paid = HAD
    elif t.paid == _FREES:
        t.paid = _TOLD
        if unmaps or world.mm_flushes > 1:
            _shoot_down(sim, cpu, task)
    elif t.paid == HAS:
        if unmaps:
            _downgrade(runtime, kernel, sim, cpu, task)
        t.paid = _FREES
        world.mm_flushes += 1
        charge(sim, cpu, task, O_SPAWN, costs.unmap - changes_ns if unmaps else costs.advise)
    elif t.paid < HAS and _take(sim, cpu, task, unmaps):
        t.paid = HAS
        charge(sim, cpu, task, O_SPAWN, changes_ns)
    return t.paid == HAD


@njit
def _shoot_down(sim: Sim, cpu: int, task: int) -> None:
    """The task waits until all other CPUs that run its address space have dropped what they know of its pages."""
    space = sim.threads[sim.tasks[task].thread].space
    reached = False
    for other in range(sim.cpus.size):
        thread = sim.cpus[other].thread
        if other != cpu and thread >= 0 and sim.threads[thread].space == space:
            charge(sim, other, sim.threads[thread].task, O_TICK, sim.costs[NATIVE].shootdown_answer)
            reached = True
    if reached:
        charge(sim, cpu, task, O_SPAWN, sim.costs[NATIVE].shootdown)


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
    if not writes and world.mm_writer == NONE and (world.mm_readers == 0 or not waited_for):
        world.mm_readers += 1
        return True
    if writes and not woken and t.paid < TRIES + _SPINS and _owner_runs(sim):
        t.paid += 1
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
    writer = world.mm_writers
    if world.mm_readers > 0 or world.mm_woken > 0:
        return
    if _first_reads(sim):
        _let_readers_in(runtime, kernel, sim, cpu, task)
        return
    if writer == NONE:
        return
    world.mm_writers = sim.tasks[writer].next
    world.mm_woken = 1
    sim.tasks[writer].retry = 1
    unblock(runtime, kernel, sim, writer, cpu, task)


@njit
def _first_reads(sim: Sim) -> bool:
    """Whether the first that waits is a reader."""
    writer, reader = sim.world[0].mm_writers, sim.world[0].mm_waiting_readers
    return reader >= 0 and (writer == NONE or sim.tasks[reader].blocked_at < sim.tasks[writer].blocked_at)


@njit
def _downgrade(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """The writer goes on as a reader (rwsem_downgrade_wake)."""
    world = sim.world[0]
    world.mm_writer = NONE
    world.mm_readers += 1
    if world.mm_woken == 0 and _first_reads(sim):
        _let_readers_in(runtime, kernel, sim, cpu, task)


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
