"""How a task stops and goes on, in both layers: blocking, waking, starting, ending."""

from __future__ import annotations

from typing import Any

from tracekit.engine.hooks import ended, expired, ready
from tracekit.engine.kernel import wake_thread
from tracekit.engine.queue import arm, cpu_slot, task_slot
from tracekit.engine.record import add_memory, charge, free_later, set_state, write_overhead, write_wakeup
from tracekit.engine.state import (
    BLOCKS,
    EXITED,
    HOSTED,
    IDLE,
    NATIVE,
    NEW,
    NONE,
    O_SYNC,
    O_TICK,
    R_IO,
    R_NETWORK,
    R_SPAWN,
    R_SYSCALL,
    R_WAKEUP,
    RUNNABLE,
    RUNNING,
    STAYS,
    Sim,
)  # fmt: skip
from tracekit.jit import njit


@njit
def block(sim: Sim, cpu: int, task: int, reason: int, cost_kind: int, cost_ns: int) -> None:
    """The running task begins to wait. It leaves the CPU when the way into the wait is paid for; if its wait is
    over by then, it stays."""
    t = sim.tasks[task]
    t.waiting = reason
    if not t.retry:
        t.blocked_at = sim.world[0].now
    sim.threads[t.thread].leaving = BLOCKS
    sim.cpus[cpu].entered = 1
    if t.far:  # what the kernel knows of it was last written by another CPU, and is in that one's cache
        t.far = 0
        cost_ns += sim.costs[NATIVE].far_wake
    t.asleep_at = sim.world[0].now + sim.cpus[cpu].pending + cost_ns - sim.costs[t.layer].dequeue
    charge(sim, cpu, task, cost_kind, cost_ns)


@njit
def _still_leaving(sim: Sim, task: int) -> bool:
    thread = sim.tasks[task].thread
    return thread >= 0 and sim.threads[thread].task == task and sim.threads[thread].leaving == BLOCKS


@njit
def unblock(runtime: Any, kernel: Any, sim: Sim, task: int, cpu: int, waker: int) -> None:
    """The task's wait is over, ended by `waker` on `cpu` (both -1: by a timer or an interrupt)."""
    t = sim.tasks[task]
    if _still_leaving(sim, task) and sim.costs[t.layer].dequeue > 0 and sim.world[0].now >= t.asleep_at:
        t.due = 1
        t.due_waker = waker
        t.due_cpu = cpu
        return
    if not t.retry:
        t.pc += 1
    if _still_leaving(sim, task):
        sim.threads[t.thread].leaving = STAYS
        return
    reason = t.reason
    if waker >= 0 and sim.tasks[waker].state == RUNNING:  # an exit has paid for its joiners
        charge(sim, cpu, waker, O_SYNC, sim.costs[t.layer].wake)
    set_state(sim, task, RUNNABLE, R_WAKEUP, NONE)
    target = NONE
    if t.layer == NATIVE:
        target = wake_thread(kernel, sim, t.thread, cpu, False)
        t.cpu = target
        t.far = 1 if cpu >= 0 and cpu != target else 0
    else:
        ready(runtime, kernel, sim, task, cpu)
    write_wakeup(sim, waker, task, cpu, target, reason)


@njit
def start(runtime: Any, kernel: Any, sim: Sim, task: int, cpu: int, parent: int) -> None:
    """A new task becomes runnable, created by `parent` on `cpu` (both -1: it starts by itself)."""
    t = sim.tasks[task]
    costs = sim.costs[t.layer]
    world = sim.world[0]
    t.start = world.now
    t.parent = parent
    t.stack = costs.stack
    t.resident = costs.resident - (costs.touched if t.layer == NATIVE else 0)
    add_memory(sim, t.resident, costs.virtual)
    t.since = world.now
    set_state(sim, task, RUNNABLE, R_SPAWN, NONE)
    target = NONE
    if t.layer == NATIVE:
        target = wake_thread(kernel, sim, t.thread, cpu, True)
        t.cpu = target
    else:
        ready(runtime, kernel, sim, task, cpu)
    write_wakeup(sim, parent, task, cpu, target, R_SPAWN)


@njit
def shares_space(sim: Sim, task: int) -> bool:
    """Whether the task is a thread in an address space in which others are created and end (engine/address_space.py)."""
    t = sim.tasks[task]
    return t.layer == NATIVE and t.converted and not sim.world[0].own_space and sim.costs[NATIVE].map > 0


@njit
def finish(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """The task has ended; who joins it goes on (paid for with the exit)."""
    t = sim.tasks[task]
    world = sim.world[0]
    set_state(sim, task, EXITED, NONE, NONE)
    t.ended = world.now
    world.live -= 1
    if t.converted:
        world.live_converted -= 1
        world.end_ns = world.now
    kept = 0 if t.layer == HOSTED or sim.costs[NATIVE].reclaim == 0 else min(sim.costs[NATIVE].kept, t.resident)
    add_memory(sim, kept - t.resident, -sim.costs[t.layer].virtual)
    t.resident = kept
    if kept > 0:
        free_later(sim, task)
    if t.layer == HOSTED:
        ended(runtime, sim, cpu)
    joiner = t.joiners
    t.joiners = NONE
    while joiner >= 0:
        following = sim.tasks[joiner].next
        if shares_space(sim, joiner):  # it frees the stack before it goes on
            sim.tasks[joiner].retry = 1
        unblock(runtime, kernel, sim, joiner, cpu, task)
        joiner = following


@njit
def mark_ready(sim: Sim, task: int, waker: int, cpu: int) -> None:
    """A hosted task whose timer or socket is due becomes RUNNABLE, at the time its runtime notices."""
    reason = sim.tasks[task].reason
    set_state(sim, task, RUNNABLE, R_WAKEUP, NONE)
    write_wakeup(sim, waker, task, cpu, NONE, reason)


@njit
def disturb(sim: Sim, cpu: int) -> None:
    """A timer or a device interrupts cpu: whoever runs there goes on later (hrtimer_interrupt). What comes before the
    wakeup has taken of its time already, so that what it does now ends as much later."""
    if cpu < 0 or sim.cpus[cpu].thread < 0:
        return
    c = sim.cpus[cpu]
    task, costs = sim.threads[c.thread].task, sim.costs[NATIVE]
    before = _before_wakeup(costs)
    if c.active and before > 0:
        c.act_end += before
        arm(sim, cpu_slot(sim, cpu), c.act_end)
        write_overhead(sim, task, cpu, O_TICK, before)
        charge(sim, cpu, task, O_TICK, costs.timer_return)
    else:
        charge(sim, cpu, task, O_TICK, costs.timer_interrupt)


@njit
def _before_wakeup(costs: Any) -> Any:
    """Of a timer's interrupt on a busy CPU what comes before the wakeup that it makes; 0 where the two are not told
    apart."""
    return max(costs.timer_interrupt - costs.timer_return, 0) if costs.timer_return > 0 else 0


@njit
def _comes_late(sim: Sim, task: int) -> bool:
    """A CPU that idles has to leave its halt before it sees the interrupt, and then wakes whom it is for; one that is
    busy is on its way through the interrupt for as long."""
    t = sim.tasks[task]
    costs = sim.costs[NATIVE]
    c = sim.cpus[t.timer_cpu]
    late_ns = costs.timer_late if c.idle == IDLE else _before_wakeup(costs) if c.thread >= 0 else 0
    if t.late or late_ns == 0:
        t.late = 0
        return False
    t.late = 1
    arm(sim, task_slot(sim, task), sim.world[0].now + late_ns)
    return True


@njit
def on_timer(runtime: Any, kernel: Any, sim: Sim, task: int) -> None:
    """The task's own timer is due: it starts, or its sleep, I/O, network wait or system call is over."""
    t = sim.tasks[task]
    if t.timer_cpu >= 0 and _comes_late(sim, task):
        return
    disturb(sim, t.timer_cpu)
    if t.state == NEW:
        start(runtime, kernel, sim, task, NONE, NONE)
    elif t.layer == NATIVE:
        unblock(runtime, kernel, sim, task, NONE, NONE)
    elif _still_leaving(sim, task):
        t.pc += 1
        sim.threads[t.thread].leaving = STAYS
    elif t.waiting == R_IO or t.waiting == R_SYSCALL:  # its thread blocks with it (hooks.blocks_thread)
        t.pc += 1
        mark_ready(sim, task, NONE, NONE)
        sim.threads[t.thread].returning = 1
        wake_thread(kernel, sim, t.thread, NONE, False)
    elif t.layer == HOSTED:
        t.pc += 1
        expired(runtime, kernel, sim, task, t.waiting == R_NETWORK)
    t.timer_cpu = NONE
