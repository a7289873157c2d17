"""Locks, counts and joins: what they mean, once for all forms (channels: engine/channels.py). Costs and who pays come with the layer.

Waiters stand in FIFO order, linked through `tasks.next`; a task is in at most one queue. An unlocked mutex is
free for whoever takes it first, and the woken waiter tries again (glibc's futex mutex and Go's normal mode). A futex
mutex that somebody took who had not waited, and nobody has wanted since, does not say that others wait, so its unlock
wakes nobody (glibc: nptl/lowlevellock.c, state 1): one that was woken before, and is on its way, will.

With `lock_handoff_ns` a mutex is Go's (internal/sync/mutex.go): who finds it taken spins up to 4 times if its runtime
says so; an unlock wakes nobody while one that was woken, or that spins, has not had its try; a woken one that finds
it taken goes to the front, and when it waited longer than lock_handoff_ns (1 ms) the mutex starves: each unlock then
hands it over and gives way, until the one it went to waited less, or was the last. A rwmutex lets all waiting readers
in when a writer leaves (sync/rwmutex.go).
"""

from __future__ import annotations

from typing import Any

from tracekit.engine.hooks import spins
from tracekit.engine.kernel import NEGATIVE, NOT_HELD, fail
from tracekit.engine.record import charge
from tracekit.engine.state import (
    EXITED,
    GIVES_WAY,
    HOSTED,
    NATIVE,
    NONE,
    O_SYNC,
    R_EVENT,
    R_JOIN,
    R_LOCK,
    R_RECV,
    R_WAIT_GROUP,
    S_READ_LOCK,
    Sim,
)  # fmt: skip
from tracekit.engine.waiting import block, unblock
from tracekit.jit import njit
from tracekit.vocabulary import OBJECT_KINDS

_MUTEX = OBJECT_KINDS["mutex"]
_SPINS, _AWOKE = 4, 8  # runtime: active_spin; and the turns of one that an unlock need not wake others for


@njit
def push(sim: Sim, item: int, task: int, front: bool) -> None:
    """Queue a task at an object, at the end or in front."""
    o = sim.objects[item]
    t = sim.tasks[task]
    t.next = NONE
    if o.head < 0:
        o.head = task
        o.tail = task
    elif front:
        t.next = o.head
        o.head = task
    else:
        sim.tasks[o.tail].next = task
        o.tail = task


@njit
def pop(sim: Sim, item: int) -> int:
    """Take the first out of an object's queue; NONE where nobody waits."""
    o = sim.objects[item]
    task = o.head
    if task >= 0:
        o.head = sim.tasks[task].next
    return task


@njit
def queue_up(sim: Sim, cpu: int, task: int, item: int, reason: int) -> None:
    """The running task begins to wait at an object, but for who sends into a channel."""
    t = sim.tasks[task]
    front = t.retry == 1 and t.layer == HOSTED  # Go queues a woken loser in front, a futex at the end
    push(sim, item, task, front)
    t.waits_on = item
    costs = sim.costs[t.layer]
    block(sim, cpu, task, reason, O_SYNC, costs.channel_block if reason == R_RECV else costs.block)


@njit
def operate(sim: Sim, cpu: int, task: int, item: int, cost_ns: int) -> None:
    """An operation on an object; when another CPU had it last, its cache line has to come over."""
    o = sim.objects[item]
    if o.cpu != cpu and o.cpu != NONE:
        cost_ns += sim.costs[NATIVE].line
    o.cpu = cpu
    charge(sim, cpu, task, O_SYNC, cost_ns)


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


@njit
def wait(sim: Sim, cpu: int, task: int, item: int) -> None:
    """Take one from an event or semaphore."""
    o = sim.objects[item]
    operate(sim, cpu, task, item, sim.costs[sim.tasks[task].layer].lock)
    if o.count > 0:
        o.count -= 1
        sim.tasks[task].pc += 1
    else:
        queue_up(sim, cpu, task, item, R_EVENT)


@njit
def signal(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """Add one to an event or semaphore; a waiter gets it at once."""
    sim.tasks[task].pc += 1
    operate(sim, cpu, task, item, sim.costs[sim.tasks[task].layer].lock)
    waiter = pop(sim, item)
    if waiter >= 0:
        unblock(runtime, kernel, sim, waiter, cpu, task)
    else:
        sim.objects[item].count += 1


@njit
def wait_group_add(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int, count: int) -> None:
    """Add count (done: -1) to a wait group; at zero all waiters go on."""
    o = sim.objects[item]
    o.count += count
    sim.tasks[task].pc += 1
    if o.count < 0:
        fail(sim, NEGATIVE, task, item)
        return
    operate(sim, cpu, task, item, sim.costs[sim.tasks[task].layer].lock)
    if o.count == 0:
        waiter = pop(sim, item)
        while waiter >= 0:
            unblock(runtime, kernel, sim, waiter, cpu, task)
            waiter = pop(sim, item)


@njit
def wait_group_wait(sim: Sim, cpu: int, task: int, item: int) -> None:
    """Wait until a wait group is at zero."""
    if sim.objects[item].count == 0:
        sim.tasks[task].pc += 1
    else:
        queue_up(sim, cpu, task, item, R_WAIT_GROUP)


@njit
def join(sim: Sim, cpu: int, task: int, target: int) -> None:
    """Wait until the target has ended."""
    t = sim.tasks[task]
    if sim.tasks[target].state == EXITED:
        t.pc += 1
        return
    t.next = sim.tasks[target].joiners
    sim.tasks[target].joiners = task
    t.waits_on = target
    block(sim, cpu, task, R_JOIN, O_SYNC, sim.costs[t.layer].block)
