"""How tasks wait at objects, and counts and joins: what they mean, once for all forms. Mutexes are in engine/locks.py,
channels in engine/channels.py. Costs and who pays come with the layer.

Waiters stand in FIFO order, linked through `tasks.next`; a task is in at most one queue.
"""

from __future__ import annotations

from typing import Any

from tracekit.engine.kernel import NEGATIVE, fail
from tracekit.engine.record import charge
from tracekit.engine.state import EXITED, HOSTED, NATIVE, NONE, O_SYNC, R_EVENT, R_JOIN, R_RECV, R_WAIT_GROUP, Sim
from tracekit.engine.waiting import block, unblock
from tracekit.jit import njit


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
