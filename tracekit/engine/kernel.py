"""The kernel layer: kernel threads on CPUs. The policy decides; this code moves, charges, checks and records."""

from __future__ import annotations

from typing import Any

from tracekit.engine.bandwidth import give_back, has_runtime, throttle
from tracekit.engine.caches import change_space, first_run, refill
from tracekit.engine.clock import arm_tick
from tracekit.engine.hooks import (
    PREEMPTED,
    SPAWN,
    WAKEUP,
    YIELD,
    balance,
    blocking,
    enqueue,
    lingers,
    pick_next,
    preempts,
    running,
    select_cpu,
    stopping,
)  # fmt: skip
from tracekit.engine.queue import arm, cpu_slot, disarm, tick_slot
from tracekit.engine.record import charge, set_state, write_overhead
from tracekit.engine.state import (
    BUSY,
    IDLE,
    NATIVE,
    NONE,
    O_IDLE,
    O_IDLE_ENTER,
    O_SWITCH,
    O_SYNC,
    R_PREEMPTED,
    R_YIELD,
    RUNNABLE,
    RUNNING,
    T_BLOCKED,
    T_RUNNABLE,
    T_RUNNING,
    THROTTLED,
    WAKING,
    Sim,
)  # fmt: skip
from tracekit.jit import njit

# What `fail` names; replay.py has the words.
BAD_CPU, BAD_PICK, STARVED, BAD_TASK, NOT_HELD, NEGATIVE, NO_THREADS, NOT_BLOCKED = 1, 2, 3, 4, 5, 6, 7, 8
BAD_PULL, BAD_PUSH, BAD_PUSH_CPU, OVERFLOW, FORGOTTEN, LEFT_BEHIND = 9, 10, 11, 12, 13, 14


@njit
def fail(sim: Sim, error: int, task: int, value: int) -> None:
    """Stop the run: a model or a program broke a rule. The first failure is the one reported."""
    world = sim.world[0]
    if world.error == 0:
        world.error = error
        world.error_task = task
        world.error_value = value


@njit
def run_for(sim: Sim, cpu: int, duration_ns: int) -> None:
    """Cpu is busy with its thread for duration_ns."""
    c = sim.cpus[cpu]
    c.active = 1
    c.act_end = sim.world[0].now + duration_ns
    arm(sim, cpu_slot(sim, cpu), c.act_end)


@njit
def interrupt(sim: Sim, cpu: int) -> None:
    """Stop what cpu does now; its thread carries the rest. The CPU decides anew at once."""
    c = sim.cpus[cpu]
    world = sim.world[0]
    if cpu == world.current_cpu:
        return
    if c.active and c.thread >= 0:
        sim.threads[c.thread].carry += c.act_end - world.now
        c.active = 0
    arm(sim, cpu_slot(sim, cpu), world.now)


@njit
def _interrupt_from(sim: Sim, cpu: int, sender: int) -> None:
    """Another CPU's interrupt stops what cpu does: it gets there resched_ns later, unless cpu enters the kernel before,
    and sees on its way out that it is to reschedule."""
    c = sim.cpus[cpu]
    until = sim.world[0].now + sim.costs[NATIVE].resched
    if sender < 0 or sender == cpu or sim.costs[NATIVE].resched == 0:
        c.resched_at = sim.world[0].now
        interrupt(sim, cpu)
        return
    c.resched_at = until if c.resched_at < sim.world[0].now else min(until, c.resched_at)
    if c.active and c.act_end > until:
        sim.threads[c.thread].carry += c.act_end - until
        c.act_end = until
        arm(sim, cpu_slot(sim, cpu), until)


@njit
def account(kernel: Any, sim: Sim, cpu: int) -> None:
    """Tell the policy how long the running thread ran since it was last told."""
    c = sim.cpus[cpu]
    now = sim.world[0].now
    ran_ns = now - c.accounted
    stopping(kernel, sim, cpu, c.thread, ran_ns)
    c.runtime -= ran_ns
    c.accounted = now


@njit
def _charge_waker(sim: Sim, cpu: int) -> None:
    """Another CPU shall idle no more, or leave its thread: it is sent an interrupt, for which a virtual machine leaves
    the guest (resched_curr → smp_send_reschedule).

    A thread that ends has paid for those it wakes. A runtime's thread between two tasks does not pay: the time would
    fall to the task or thread that comes next.
    """
    task = sim.threads[sim.cpus[cpu].thread].task
    if task < 0 or sim.tasks[task].state != RUNNING:
        return
    charge(sim, cpu, task, O_SYNC, sim.costs[NATIVE].idle_wake)


@njit
def _wake_cpu(sim: Sim, cpu: int, thread: int, delay_ns: int) -> None:
    c = sim.cpus[cpu]
    c.idle = WAKING
    sim.world[0].idle_cpus -= 1
    if delay_ns > 0:
        write_overhead(sim, sim.threads[thread].task, cpu, O_IDLE, delay_ns)
    arm(sim, cpu_slot(sim, cpu), sim.world[0].now + delay_ns)


@njit
def join_queue(kernel: Any, sim: Sim, cpu: int, thread: int, why: int, waker_cpu: int) -> None:
    """The thread is runnable on cpu, which preempts for it, or wakes up."""
    c = sim.cpus[cpu]
    if c.thread >= 0:
        account(kernel, sim, cpu)
    if why == SPAWN:
        sim.world[0].threads += 1
    th = sim.threads[thread]
    th.state = T_RUNNABLE
    th.queue = cpu
    th.queued_at = sim.world[0].now
    enqueue(kernel, sim, cpu, thread, why)
    c.queued += 1
    if c.thread >= 0:
        arm_tick(sim, cpu)
        if preempts(kernel, sim, cpu, thread):
            c.resched = 1
            c.unaccounted = 1
            _interrupt_from(sim, cpu, waker_cpu)
            if waker_cpu >= 0 and waker_cpu != cpu and sim.cpus[waker_cpu].thread >= 0:
                _charge_waker(sim, waker_cpu)
    elif c.idle == IDLE:
        costs = sim.costs[NATIVE]
        delay_ns = costs.idle_exit
        if waker_cpu < 0 and cpu == th.cpu:  # a timer fires on the CPU that armed it
            delay_ns = costs.timer_exit
        elif costs.resched > 0 and sim.world[0].now <= c.idle_since + costs.halt:  # still on its way into the halt
            delay_ns = min(delay_ns, costs.resched)
        _wake_cpu(sim, cpu, thread, delay_ns)
        if waker_cpu >= 0 and waker_cpu != cpu and sim.cpus[waker_cpu].thread >= 0:
            _charge_waker(sim, waker_cpu)


@njit
def wake_thread(kernel: Any, sim: Sim, thread: int, waker_cpu: int, new: bool) -> int:
    """A blocked (or new) thread becomes runnable; the policy chooses its CPU, which is returned."""
    if sim.threads[thread].state == T_RUNNABLE or sim.threads[thread].state == T_RUNNING:
        fail(sim, NOT_BLOCKED, sim.threads[thread].task, thread)
        return NONE
    if waker_cpu >= 0:
        sim.cpus[waker_cpu].entered = 1
    cpu = select_cpu(kernel, sim, thread, waker_cpu)
    if cpu < 0 or cpu >= sim.cpus.size:
        fail(sim, BAD_CPU, sim.threads[thread].task, cpu)
        return NONE
    join_queue(kernel, sim, cpu, thread, SPAWN if new else WAKEUP, waker_cpu)
    return cpu


@njit
def _pick(kernel: Any, sim: Sim, cpu: int) -> int:
    c = sim.cpus[cpu]
    if c.queued == 0:
        return NONE
    thread = pick_next(kernel, sim, cpu)
    if thread < 0:
        fail(sim, STARVED, NONE, cpu)
        return NONE
    if not can_run(sim, thread, BAD_PICK):
        return NONE
    c.queued -= 1
    return thread


@njit
def can_run(sim: Sim, thread: int, error: int) -> bool:
    """Whether the thread that a policy chose is one that can run; if not, the run fails with `error`."""
    if thread < sim.threads.size and sim.threads[thread].state == T_RUNNABLE:
        return True
    fail(sim, error, sim.threads[thread].task if thread < sim.threads.size else NONE, thread)
    return False


@njit
def _pull(kernel: Any, sim: Sim, cpu: int) -> int:
    thread = balance(kernel, sim, cpu)
    if thread < 0 or not can_run(sim, thread, BAD_PULL):
        return NONE
    sim.cpus[sim.threads[thread].queue].queued -= 1
    return thread


@njit
def _enter(kernel: Any, sim: Sim, cpu: int, thread: int) -> None:
    c = sim.cpus[cpu]
    th = sim.threads[thread]
    costs = sim.costs[NATIVE]
    world = sim.world[0]
    c.thread = thread
    c.idle = BUSY
    c.entered = 1
    c.accounted = world.now
    c.slice_start = world.now
    th.state = T_RUNNING
    charge(sim, cpu, th.task, O_SWITCH, costs.switch)
    if th.space != c.last_space:
        change_space(sim, cpu, th.task, th.space)
    if th.cpu != cpu:
        if th.cpu != NONE:
            world.migrations += 1
        elif th.task >= 0:
            first_run(sim, cpu, th.task)
        th.cpu = cpu
    running(kernel, sim, cpu, thread)
    if th.task >= 0:
        refill(sim, cpu, th.task)
        set_state(sim, th.task, RUNNING, NONE, cpu)
    if needs_tick(kernel, sim, cpu):
        arm_tick(sim, cpu)


@njit
def needs_tick(kernel: Any, sim: Sim, cpu: int) -> bool:
    """Whether a tick could change anything: without others in the queue, or a quota, it can not."""
    return sim.cpus[cpu].queued > 0 or sim.world[0].quota > 0 or lingers(kernel, sim, cpu)


@njit
def switch(kernel: Any, sim: Sim, cpu: int) -> bool:
    """Cpu has no thread: take the next one, or pull one from another CPU, or go idle (False)."""
    c = sim.cpus[cpu]
    if c.idle in (IDLE, WAKING, THROTTLED):
        return False
    if c.queued > 0 and not has_runtime(sim, cpu):
        throttle(sim, cpu)
        disarm(sim, tick_slot(sim, cpu))
        return False
    thread = _pick(kernel, sim, cpu)
    if thread < 0:
        thread = _pull(kernel, sim, cpu)
    if thread >= 0:
        _enter(kernel, sim, cpu, thread)
        return True
    c.idle = IDLE
    if c.left and sim.costs[NATIVE].idle_enter > 0:
        write_overhead(sim, c.left_by, cpu, O_IDLE_ENTER, sim.costs[NATIVE].idle_enter)
    c.left = 0
    c.idle_since = sim.world[0].now
    sim.world[0].idle_cpus += 1
    give_back(sim, cpu)
    disarm(sim, tick_slot(sim, cpu))
    return False


@njit
def leave(kernel: Any, sim: Sim, cpu: int, state: int) -> None:
    """The running thread blocks (T_BLOCKED) or ends (T_ENDED)."""
    c = sim.cpus[cpu]
    thread = c.thread
    account(kernel, sim, cpu)
    if state == T_BLOCKED:
        blocking(kernel, sim, cpu, thread)
    sim.world[0].voluntary += 1  # an exit too: the kernel counts whatever leaves not runnable
    sim.threads[thread].state = state
    c.left = 1
    c.left_by = sim.threads[thread].task
    c.thread = NONE
    c.resched = 0
    c.unaccounted = 0


@njit
def reschedule(kernel: Any, sim: Sim, cpu: int, yielded: bool) -> None:
    """The running thread stays runnable; whoever the policy picks runs, perhaps the same thread again."""
    c = sim.cpus[cpu]
    previous = c.thread
    th = sim.threads[previous]
    c.resched = 0
    # after a wakeup that preempts, the clock stands still until the switch (rq_clock_skip_update)
    still = c.unaccounted == 1
    since = c.accounted
    c.unaccounted = 0
    if not still:
        account(kernel, sim, cpu)
    th.state = T_RUNNABLE
    th.queue = cpu
    th.queued_at = sim.world[0].now
    enqueue(kernel, sim, cpu, previous, YIELD if yielded else PREEMPTED)
    c.queued += 1
    c.thread = NONE
    may_run = has_runtime(sim, cpu)
    thread = _pick(kernel, sim, cpu) if may_run else NONE
    if thread == previous:
        th.state = T_RUNNING
        c.thread = previous
        c.slice_start = sim.world[0].now
        running(kernel, sim, cpu, thread)
        return
    sim.world[0].involuntary += 1
    if th.task >= 0:
        set_state(sim, th.task, RUNNABLE, R_YIELD if yielded else R_PREEMPTED, cpu)
    if thread >= 0:
        _enter(kernel, sim, cpu, thread)
        if still:
            c.accounted = since
