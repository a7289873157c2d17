"""The loop: one event at a time, until the program has ended or a buffer is full.

An event is: a CPU's activity is over, a tick, a task's timer, or an alarm of the runtime. `proceed` then moves
the CPU on until it is busy again or idle; all the rest follows from there.
"""

from __future__ import annotations

from typing import Any

from tracekit.engine import failure
from tracekit.engine.bandwidth import new_period
from tracekit.engine.caches import refill
from tracekit.engine.hooks import (
    AGAIN,
    GIVE_WAY,
    PREEMPTED,
    YIELD,
    YIELD_THREAD,
    alarm,
    begin,
    blocks_thread,
    entering,
    next_task,
    parking,
    requeue,
    returning,
)  # fmt: skip
from tracekit.engine.kernel import (
    BAD_TASK,
    LEFT_BEHIND,
    OVERFLOW,
    fail,
    leave,
    reschedule,
    run_for,
    switch,
    wake_thread,
)  # fmt: skip
from tracekit.engine.queue import arm, crash_slot, pop, task_slot
from tracekit.engine.record import MARGIN, charge, set_state
from tracekit.engine.state import (
    BLOCKED,
    BUSY,
    ENDS,
    GIVES_WAY,
    HOSTED,
    NATIVE,
    NONE,
    O_SWITCH,
    R_PREEMPTED,
    R_YIELD,
    RUNNABLE,
    RUNNING,
    RUNTIME_SLOTS,
    STAYS,
    T_BLOCKED,
    T_ENDED,
    T_RUNNABLE,
    TIME_LIMIT_NS,
    WAKING,
    YIELDS,
    Sim,
)  # fmt: skip
from tracekit.engine.steps import step
from tracekit.engine.ticks import on_tick
from tracekit.engine.waiting import disturb, finish, on_timer, unblock
from tracekit.jit import njit

FINISHED, FLUSH, FAILED, STUCK = 0, 1, 2, 3
ROUNDS = 12  # steps one event may take; each writes at most 5 rows


@njit
def _detach(sim: Sim, thread: int) -> None:
    th = sim.threads[thread]
    sim.tasks[th.task].thread = NONE
    th.task = NONE
    th.leaving = STAYS


@njit
def _leave_task(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """The way out is paid for: the task, or its whole thread, leaves the CPU."""
    c = sim.cpus[cpu]
    thread = c.thread
    th = sim.threads[thread]
    leaving = th.leaving
    th.leaving = STAYS
    native = sim.tasks[task].layer == NATIVE
    if leaving == ENDS:
        finish(runtime, kernel, sim, cpu, task)
        failure.ended(runtime, kernel, sim, cpu, task)
        if native:
            leave(kernel, sim, cpu, T_ENDED)
        else:
            _detach(sim, thread)
    elif leaving in (YIELDS, GIVES_WAY):
        if native:
            if c.queued > 0:
                reschedule(kernel, sim, cpu, True)
        else:
            set_state(sim, task, RUNNABLE, R_YIELD, NONE)
            _detach(sim, thread)
            requeue(runtime, kernel, sim, cpu, task, YIELD if leaving == YIELDS else GIVE_WAY)
    else:
        set_state(sim, task, BLOCKED, sim.tasks[task].waiting, NONE)
        if native or blocks_thread(runtime, sim, task):
            if not native:
                entering(runtime, kernel, sim, cpu, task)
            leave(kernel, sim, cpu, T_BLOCKED)
            if sim.tasks[task].due:  # the waker waits until it has left (try_to_wake_up: on_cpu)
                sim.tasks[task].due = 0
                switch(kernel, sim, cpu)
                unblock(runtime, kernel, sim, task, sim.tasks[task].due_cpu, sim.tasks[task].due_waker)
        else:
            parking(runtime, kernel, sim, cpu, task)
            _detach(sim, thread)


@njit
def _put_back(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """The runtime wants the task off its thread (preemption): it keeps what it has left to do."""
    thread = sim.cpus[cpu].thread
    th = sim.threads[thread]
    th.preempt = 0
    sim.tasks[task].remaining += th.carry
    th.carry = 0
    set_state(sim, task, RUNNABLE, R_PREEMPTED, NONE)
    _detach(sim, thread)
    requeue(runtime, kernel, sim, cpu, task, PREEMPTED)


@njit
def _find_task(runtime: Any, kernel: Any, sim: Sim, cpu: int) -> None:
    """A thread of the runtime without a task asks for one, and blocks when there is none."""
    thread = sim.cpus[cpu].thread
    task = next_task(runtime, kernel, sim, cpu, thread)
    if task == AGAIN:
        return
    if task == YIELD_THREAD:
        if sim.cpus[cpu].queued > 0:
            reschedule(kernel, sim, cpu, True)
        return
    if task < 0:
        leave(kernel, sim, cpu, T_BLOCKED)
        return
    if task >= sim.tasks.size or sim.tasks[task].state != RUNNABLE or sim.tasks[task].layer != HOSTED:
        fail(sim, BAD_TASK, task, thread)
        return
    set_state(sim, task, RUNNING, NONE, cpu)
    sim.threads[thread].task = task
    sim.tasks[task].thread = thread
    sim.world[0].task_switches += 1
    charge(sim, cpu, task, O_SWITCH, sim.costs[HOSTED].switch)
    refill(sim, cpu, task)


@njit
def _resume(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    th = sim.threads[sim.cpus[cpu].thread]
    th.returning = 0
    if not returning(runtime, kernel, sim, cpu, task):
        set_state(sim, task, RUNNABLE, R_PREEMPTED, NONE)
        sim.tasks[task].thread = NONE
        th.task = NONE


@njit
def proceed(runtime: Any, kernel: Any, sim: Sim, cpu: int) -> None:
    """Cpu has to decide what to do from now on."""
    world = sim.world[0]
    world.current_cpu = cpu
    c = sim.cpus[cpu]
    c.active = 0
    if c.idle == WAKING:
        c.idle = BUSY
    rounds = 0
    wakeups = world.wakeups
    while world.error == 0:
        rounds += 1
        if rounds > ROUNDS or world.wakeups > wakeups + ROUNDS:  # free steps; let the record buffers be emptied
            run_for(sim, cpu, 0)
            break
        if c.thread < 0:
            if not switch(kernel, sim, cpu):
                break
            continue
        th = sim.threads[c.thread]
        task = th.task
        if c.resched and (c.entered or world.now >= c.resched_at):
            if c.pending > 0:  # the kernel reschedules on its way back to user space, with its work done
                _spend(sim, cpu, c.pending)
                break
            reschedule(kernel, sim, cpu, False)
            continue
        if th.preempt and task >= 0 and th.leaving == STAYS and c.pending == 0:
            _put_back(runtime, kernel, sim, cpu, task)
            continue
        total = c.pending + th.carry
        if task >= 0:
            total += sim.tasks[task].remaining
            if total > 0:
                sim.tasks[task].remaining = 0
        if total > 0:
            th.carry = 0
            if c.resched and world.now + total > c.resched_at:  # the interrupt is on its way
                th.carry = world.now + total - c.resched_at
                total = c.resched_at - world.now
            _spend(sim, cpu, total)
            break
        c.entered = 0
        if task < 0:
            _find_task(runtime, kernel, sim, cpu)
        elif th.returning:
            _resume(runtime, kernel, sim, cpu, task)
        elif th.leaving != STAYS:
            _leave_task(runtime, kernel, sim, cpu, task)
        else:
            step(runtime, kernel, sim, cpu, task)
    world.current_cpu = NONE


@njit
def _spend(sim: Sim, cpu: int, duration_ns: int) -> None:
    sim.cpus[cpu].pending = 0
    run_for(sim, cpu, duration_ns)


@njit
def _has_room(sim: Sim, fan_out: int) -> bool:
    world = sim.world[0]
    margin = MARGIN + 4 * fan_out
    return (
        world.intervals + margin <= sim.intervals.size
        and world.wakeups + margin <= sim.wakeups.size
        and world.overheads + margin <= sim.overheads.size
        and world.memory + margin <= sim.memory.size
        and world.operations + margin <= sim.operations.size
    )


@njit
def dispatch(runtime: Any, kernel: Any, sim: Sim, slot: int) -> None:
    """Handle the event of one slot."""
    cpus = sim.cpus.size
    if slot < cpus:
        proceed(runtime, kernel, sim, slot)
    elif slot > 2 * cpus + RUNTIME_SLOTS:
        timer = slot - 2 * cpus - RUNTIME_SLOTS - 1
        if timer < sim.tasks.size:
            on_timer(runtime, kernel, sim, timer)
        elif slot < crash_slot(sim):
            disturb(sim, sim.threads[timer - sim.tasks.size].cpu)
            wake_thread(kernel, sim, timer - sim.tasks.size, NONE, False)
        else:
            failure.strike(runtime, kernel, sim, sim.world[0].crash_task)
    elif slot < 2 * cpus:
        on_tick(kernel, sim, slot - cpus)
    elif slot == 2 * cpus + RUNTIME_SLOTS:
        new_period(sim)
    else:
        alarm(runtime, kernel, sim, slot - 2 * cpus)


@njit
def _arm_starts(sim: Sim) -> None:
    if sim.world[0].crash_task >= 0:
        arm(sim, crash_slot(sim), sim.world[0].crash_at)
    for task in range(sim.tasks.size):
        if sim.tasks[task].start >= 0:
            arm(sim, task_slot(sim, task), sim.tasks[task].start)
            sim.tasks[task].start = NONE


@njit
def _left_behind(sim: Sim) -> bool:
    """Nothing can happen any more: a thread that is runnable then was forgotten by its policy."""
    for thread in range(sim.threads.size):
        if sim.threads[thread].state == T_RUNNABLE:
            fail(sim, LEFT_BEHIND, sim.threads[thread].task, sim.threads[thread].queue)
            return True
    return False


def run(runtime: Any, kernel: Any, sim: Sim, fan_out: int) -> int:
    """Run until FINISHED, or a record buffer is full (FLUSH: empty it and call again), or the run FAILED, or
    nothing can happen any more (STUCK). `fan_out` bounds how many tasks one event can wake."""
    world = sim.world[0]
    if world.events == 0 and world.heap_size == 0:
        _arm_starts(sim)
        begin(runtime, kernel, sim)
    while world.error == 0:
        if world.live_converted == 0:
            return FINISHED
        if not _has_room(sim, fan_out):
            return FLUSH
        slot = pop(sim)
        if slot < 0:
            return FAILED if _left_behind(sim) else STUCK
        world.events += 1
        if world.now > TIME_LIMIT_NS:
            fail(sim, OVERFLOW, NONE, world.now)
            break
        dispatch(runtime, kernel, sim, slot)
    return FAILED
