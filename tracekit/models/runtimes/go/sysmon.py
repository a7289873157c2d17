"""sysmon: the thread without a P that takes Ps from system calls, preempts, and polls when nobody does (proc.go)."""

from __future__ import annotations

from typing import Any

from tracekit.engine.hooks import AGAIN, PARK, YIELD_THREAD
from tracekit.engine.kernel import interrupt, wake_thread
from tracekit.engine.queue import arm, disarm, runtime_slot, thread_slot
from tracekit.engine.record import charge
from tracekit.engine.state import NATIVE, NONE, O_RUNTIME, T_BLOCKED, T_RUNNABLE, T_RUNNING, Sim
from tracekit.jit import njit
from tracekit.models.runtimes.go.queues import has_local, poll
from tracekit.models.runtimes.go.state import P_BUSY, SYSMON, State
from tracekit.models.runtimes.go.threads import hand_off, inject_found, take_p
from tracekit.models.runtimes.go.timers import next_timer_of_all

IDLE_ROUNDS = 50  # then it doubles its delay each round
POLL_OVERDUE_NS = 10_000_000  # it polls when nobody did for 10 ms


@njit
def start_sysmon(rt: State, sim: Sim) -> None:
    """Sysmon sleeps first, then looks."""
    s = rt.sched[0]
    s.sysmon_on = 1
    s.sysmon_delay = max(rt.sysmon_start_ns, rt.sysmon_min_ns)
    if rt.sysmon_start_ns > 0:
        s.sysmon_rounds = IDLE_ROUNDS
    if rt.sysmon_ns > 0:
        sim.world[0].threads += 1
    # a program that runs already meets sysmon in the middle of a sleep
    _sleep(rt, sim, s.sysmon_delay // 2 if rt.sysmon_start_ns > 0 else s.sysmon_delay)


@njit
def _sleep(rt: State, sim: Sim, delay_ns: int) -> None:
    s = rt.sched[0]
    s.sysmon_until = sim.world[0].now + delay_ns
    arm(sim, thread_slot(sim, s.sysmon) if rt.sysmon_ns > 0 else runtime_slot(sim, SYSMON), s.sysmon_until)


@njit
def timer_interrupt(rt: State, kernel: Any, sim: Sim, cpu: int) -> None:
    """A timer fires on cpu: sysmon's sleep there is over with it, if all that is left of it is slack
    (__hrtimer_run_queues in kernel/time/hrtimer.c)."""
    s = rt.sched[0]
    sleeps = rt.sysmon_ns > 0 and s.sysmon_on and sim.threads[s.sysmon].state == T_BLOCKED
    now = sim.world[0].now
    if sleeps and now < s.sysmon_until <= now + sim.costs[NATIVE].timer_slack and sim.threads[s.sysmon].cpu == cpu:
        disarm(sim, thread_slot(sim, s.sysmon))
        wake_thread(kernel, sim, s.sysmon, NONE, False)


@njit
def _preempt(sim: Sim, thread: int) -> None:
    th = sim.threads[thread]
    if th.task >= 0:
        th.preempt = 1
        if th.state == T_RUNNING:
            interrupt(sim, th.cpu)


@njit
def _retake(rt: State, kernel: Any, sim: Sim, p: int) -> bool:
    """One P under sysmon's eyes (retake): preempt its goroutine, or take the P from a system call."""
    pp = rt.ps[p]
    s = rt.sched[0]
    now = sim.world[0].now
    too_long = False
    if pp.seen_tick != pp.schedtick:
        pp.seen_tick = pp.schedtick
        pp.seen_at = now
    elif now - pp.seen_at >= rt.preempt_ns:
        too_long = True
        if not pp.in_syscall:
            _preempt(sim, pp.m)
    if not pp.in_syscall:
        return False
    if not too_long and pp.syscall_seen != pp.syscalltick:
        pp.syscall_seen = pp.syscalltick
        pp.syscall_at = now
        return False
    if not has_local(rt, p) and s.nmspinning + s.npidle > 0 and pp.syscall_at + POLL_OVERDUE_NS > now:
        return False
    take_p(rt, p)
    sim.world[0].handoffs += 1
    hand_off(rt, kernel, sim, p)
    return True


@njit
def look(rt: State, kernel: Any, sim: Sim) -> None:
    """One round, at the end of a sleep; then the next sleep. A deep one comes before the round, and only after another
    sleep: who is woken from it first has a round, though all Ps may be idle again."""
    s = rt.sched[0]
    now = sim.world[0].now
    woken = s.sysmon_woken
    s.sysmon_woken = 0
    if s.npidle == rt.ps.size and not woken:
        until = next_timer_of_all(rt)
        if until == 0 or until > now:
            s.sysmon_on = 0
            return
    if s.poller < 0 and now - s.last_poll > POLL_OVERDUE_NS:
        s.last_poll = now
        poll(rt, sim, NONE)
        inject_found(rt, kernel, sim, NONE, NONE, NONE)
    retaken = False
    for p in range(rt.ps.size):
        if rt.ps[p].status == P_BUSY and _retake(rt, kernel, sim, p):
            retaken = True
    if retaken:
        s.sysmon_rounds = 0
        s.sysmon_delay = rt.sysmon_min_ns
    else:
        s.sysmon_rounds += 1
        if s.sysmon_rounds > IDLE_ROUNDS:
            s.sysmon_delay = min(2 * s.sysmon_delay, rt.sysmon_max_ns)
    _sleep(rt, sim, s.sysmon_delay)


@njit
def sysmon_runs(rt: State, kernel: Any, sim: Sim, cpu: int) -> int:
    """Sysmon's kernel thread is on a CPU: its round takes time, then it has its effect."""
    s = rt.sched[0]
    waker = s.sysmon_waker
    s.sysmon_waker = NONE
    if s.sysmon_woken and waker >= 0 and sim.threads[waker].state == T_RUNNABLE:
        return YIELD_THREAD  # preempted on the spot it holds sched.lock (entersyscallWakeSysmon; lock2 calls osyield)
    if not s.sysmon_paid:
        s.sysmon_paid = 1
        charge(sim, cpu, NONE, O_RUNTIME, rt.sysmon_ns)
        return AGAIN
    s.sysmon_paid = 0
    look(rt, kernel, sim)
    return PARK
