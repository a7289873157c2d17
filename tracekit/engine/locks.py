"""Mutexes and rwmutexes: what taking and releasing them means, once for all forms. Costs and who pays come with the layer.

An unlocked mutex is free for whoever takes it first, and the woken waiter tries again (glibc's futex mutex and Go's
normal mode). A futex mutex that somebody took who had not waited, and nobody has wanted since, does not say that others
wait, so its unlock wakes nobody (glibc: nptl/lowlevellock.c, state 1): one that was woken before, and is on its way,
will.

With `lock_handoff_ns` a mutex is Go's (internal/sync/mutex.go): who finds it taken spins up to 4 times if its runtime
says so; an unlock wakes nobody while one that was woken, or that spins, has not had its try; a woken one that finds
it taken goes to the front, and when it waited longer than lock_handoff_ns (1 ms) the mutex starves: each unlock then
hands it over and gives way, until the one it went to waited less, or was the last. A rwmutex lets all waiting readers
in when a writer leaves (sync/rwmutex.go).
"""

from __future__ import annotations

from typing import Any

from tracekit.engine.hooks import spins
from tracekit.engine.kernel import NOT_HELD, fail
from tracekit.engine.record import charge
from tracekit.engine.state import GIVES_WAY, HOSTED, NONE, O_SYNC, R_LOCK, S_READ_LOCK, Sim
from tracekit.engine.sync import operate, pop, push, queue_up
from tracekit.engine.waiting import unblock
from tracekit.jit import njit
from tracekit.vocabulary import OBJECT_KINDS

_MUTEX = OBJECT_KINDS["mutex"]
_SPINS, _AWOKE = 4, 8  # runtime: active_spin; and the turns of one that an unlock need not wake others for


@njit
def _is_go(sim: Sim, item: int) -> bool:
    return sim.world[0].lock_handoff_ns > 0 and sim.objects[item].kind == _MUTEX


@njit
def lock(runtime: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """Take a mutex, or a rwmutex for writing."""
    o = sim.objects[item]
    t = sim.tasks[task]
    if t.paid == 0:
        operate(sim, cpu, task, item, sim.costs[t.layer].lock)
    free = o.holder == NONE and o.count == 0 and not o.starving
    if not free and _spin(runtime, sim, cpu, task, item):
        return
    if t.retry or t.paid >= _AWOKE:
        o.woken = 0
    t.paid = 0
    if not free or t.retry:
        o.contended = 1
    if free:
        o.holder = task
        t.retry = 0
        t.pc += 1
        return
    if t.retry and _is_go(sim, item) and sim.world[0].now - t.blocked_at > sim.world[0].lock_handoff_ns:
        o.starving = 1
    queue_up(sim, cpu, task, item, R_LOCK)


@njit
def _spin(runtime: Any, sim: Sim, cpu: int, task: int, item: int) -> bool:
    """Whether the task spins once more; `paid` counts the turns, and adds _AWOKE when an unlock shall wake nobody
    on its behalf."""
    o = sim.objects[item]
    t = sim.tasks[task]
    if t.layer != HOSTED or not _is_go(sim, item) or o.starving or t.paid % _AWOKE == _SPINS:
        return False
    duration_ns = spins(runtime, sim, cpu)
    if duration_ns == 0:
        return False
    if not t.retry and t.paid < _AWOKE and not o.woken and o.head >= 0:
        o.woken = 1
        t.paid += _AWOKE
    t.paid += 1
    charge(sim, cpu, task, O_SYNC, duration_ns)
    return True


@njit
def unlock(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int, rw: bool) -> None:
    """Release a mutex, or a rwmutex held for writing."""
    o = sim.objects[item]
    t = sim.tasks[task]
    if o.holder != task:
        fail(sim, NOT_HELD, task, item)
        return
    operate(sim, cpu, task, item, sim.costs[t.layer].lock)
    o.holder = NONE
    t.pc += 1
    if rw:
        _let_readers_in(runtime, kernel, sim, cpu, task, item)
        _grant(runtime, kernel, sim, cpu, task, item)
    elif o.starving:
        _hand_over(runtime, kernel, sim, cpu, task, item)
    elif o.head >= 0 and not o.woken and (o.contended or _is_go(sim, item)):
        o.contended = 0
        waiter = pop(sim, item)
        o.woken = 1 if _is_go(sim, item) else 0
        sim.tasks[waiter].retry = 1
        unblock(runtime, kernel, sim, waiter, cpu, task)


@njit
def _hand_over(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """Unlock in starvation mode: the first waiter has the lock, and runs next on this CPU."""
    o = sim.objects[item]
    world = sim.world[0]
    waiter = pop(sim, item)
    o.holder = waiter
    sim.tasks[waiter].retry = 0
    if o.head < 0 or world.now - sim.tasks[waiter].blocked_at <= world.lock_handoff_ns:
        o.starving = 0
    unblock(runtime, kernel, sim, waiter, cpu, task)
    sim.threads[sim.tasks[task].thread].leaving = GIVES_WAY


@njit
def _let_readers_in(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """Go: when a writer leaves, all readers that wait go on, also those behind other writers."""
    o = sim.objects[item]
    if sim.world[0].lock_handoff_ns == 0:
        return
    waiter = o.head
    o.head = NONE
    while waiter >= 0:
        following = sim.tasks[waiter].next
        if sim.segments[sim.tasks[waiter].pc].kind == S_READ_LOCK:
            o.count += 1
            unblock(runtime, kernel, sim, waiter, cpu, task)
        else:
            push(sim, item, waiter, False)
        waiter = following


@njit
def read_lock(sim: Sim, cpu: int, task: int, item: int) -> None:
    """Take a rwmutex for reading; a waiting writer keeps new readers out."""
    o = sim.objects[item]
    t = sim.tasks[task]
    operate(sim, cpu, task, item, sim.costs[t.layer].lock)
    if o.holder == NONE and o.head == NONE:
        o.count += 1
        t.pc += 1
    else:
        queue_up(sim, cpu, task, item, R_LOCK)


@njit
def read_unlock(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """Release a rwmutex held for reading."""
    o = sim.objects[item]
    if o.count <= 0:
        fail(sim, NOT_HELD, task, item)
        return
    operate(sim, cpu, task, item, sim.costs[sim.tasks[task].layer].lock)
    o.count -= 1
    sim.tasks[task].pc += 1
    if o.count == 0:
        _grant(runtime, kernel, sim, cpu, task, item)


@njit
def _grant(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    o = sim.objects[item]
    while o.head >= 0 and o.holder == NONE:
        waiter = o.head
        reads = sim.segments[sim.tasks[waiter].pc].kind == S_READ_LOCK
        if not reads and o.count > 0:
            return
        pop(sim, item)
        if reads:
            o.count += 1
        else:
            o.holder = waiter
        unblock(runtime, kernel, sim, waiter, cpu, task)
