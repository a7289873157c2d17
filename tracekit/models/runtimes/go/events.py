"""What happens to goroutines from outside: readied, parked, in system calls, expired, preempted; and sysmon."""

from __future__ import annotations

from typing import Any

from tracekit.engine import hooks
from tracekit.engine.hooks import implements
from tracekit.engine.kernel import interrupt, wake_thread
from tracekit.engine.queue import arm, runtime_slot
from tracekit.engine.record import charge
from tracekit.engine.state import HOSTED, NONE, O_HANDOFF, R_NETWORK, R_SLEEP, T_RUNNING, Sim
from tracekit.jit import njit
from tracekit.models.runtimes.go.queues import add_network, add_timer, has_local, queue_global, queue_local
from tracekit.models.runtimes.go.state import P_BUSY, POLL, SYSMON, State
from tracekit.models.runtimes.go.threads import (
    hand_off,
    hold_p,
    inject_network,
    running_task,
    start_idle,
    take_idle_p,
    wake_p,
)  # fmt: skip

IDLE_ROUNDS = 50  # sysmon: then it doubles its delay each round
POLL_OVERDUE_NS = 10_000_000  # sysmon polls when nobody did for 10 ms


@implements(hooks.ready, State)
def _ready(rt: State, kernel: Any, sim: Sim, task: int, cpu: int) -> None:
    p = NONE
    if cpu >= 0 and sim.cpus[cpu].thread >= 0:
        p = rt.ms[sim.cpus[cpu].thread].p
    if p >= 0:
        queue_local(rt, sim, p, task, True)
        wake_p(rt, kernel, sim, cpu, running_task(sim, cpu))
    else:
        queue_global(rt, sim, task)
        start_idle(rt, kernel, sim, NONE, NONE, 1)


@implements(hooks.parking, State)
def _parking(rt: State, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    rt.home[task] = rt.ms[sim.cpus[cpu].thread].p
    if sim.tasks[task].waiting == R_NETWORK:
        rt.sched[0].net_waiters += 1
    elif sim.tasks[task].waiting == R_SLEEP:
        rt.sched[0].sleepers += 1


@implements(hooks.requeue, State)
def _requeue(rt: State, kernel: Any, sim: Sim, cpu: int, task: int, why: int) -> None:
    queue_global(rt, sim, task)  # goschedImpl: to the global queue's end, preempted or yielding alike
    wake_p(rt, kernel, sim, cpu, NONE)


@implements(hooks.entering, State)
def _entering(rt: State, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    p = rt.ms[sim.cpus[cpu].thread].p
    rt.ps[p].in_syscall = 1
    rt.ps[p].syscall_seen = 0


@implements(hooks.returning, State)
def _returning(rt: State, kernel: Any, sim: Sim, cpu: int, task: int) -> bool:
    thread = sim.cpus[cpu].thread
    p = rt.ms[thread].p
    if p >= 0:
        rt.ps[p].in_syscall = 0
        return True
    handoff = sim.costs[HOSTED].handoff  # its P is gone: exitsyscall's slow path
    p = take_idle_p(rt, sim)
    if p >= 0:
        hold_p(rt, thread, p)
        charge(sim, cpu, task, O_HANDOFF, handoff)
        return True
    charge(sim, cpu, NONE, O_HANDOFF, handoff)
    queue_global(rt, sim, task)
    return False


@njit
def _wake_poller(rt: State, kernel: Any, sim: Sim) -> None:
    s = rt.sched[0]
    poller = s.poller
    s.poller = NONE
    wake_thread(kernel, sim, poller, NONE, False)


@implements(hooks.expired, State)
def _expired(rt: State, kernel: Any, sim: Sim, task: int, network: bool) -> None:
    s = rt.sched[0]
    if network:
        s.net_waiters -= 1
        add_network(rt, sim, task)
        if s.poller >= 0:
            _wake_poller(rt, kernel, sim)
        return
    s.sleepers -= 1
    add_timer(rt, sim, rt.home[task], task)
    if s.poller >= 0:  # epoll's timeout is in whole milliseconds from when the poller went to sleep
        step = rt.poll_resolution_ns
        waited = sim.world[0].now - s.polling_since
        slot = runtime_slot(sim, POLL)
        if sim.slots[slot] < 0:
            arm(sim, slot, s.polling_since + (waited + step - 1) // step * step)


@njit
def _preempt(sim: Sim, thread: int) -> None:
    th = sim.threads[thread]
    th.preempt = 1
    if th.state == T_RUNNING:
        interrupt(sim, th.cpu)


@njit
def _retake(rt: State, kernel: Any, sim: Sim, p: int) -> bool:
    """One P under sysmon's eyes (retake): preempt its goroutine, or take the P from a system call."""
    pp = rt.ps[p]
    s = rt.sched[0]
    now = sim.world[0].now
    force = False
    if pp.seen_tick != pp.schedtick:
        pp.seen_tick = pp.schedtick
        pp.seen_at = now
    elif now - pp.seen_at >= rt.preempt_ns:
        force = True
        if not pp.in_syscall and sim.threads[pp.m].task >= 0:
            _preempt(sim, pp.m)
    if not pp.in_syscall:
        return False
    if not force and not pp.syscall_seen:
        pp.syscall_seen = 1
        pp.syscall_at = now
        return False
    spare = s.nmspinning + s.npidle > 0
    if not force and not has_local(rt, p) and spare and now - pp.syscall_at < rt.preempt_ns:
        return False
    hand_off(rt, kernel, sim, p)
    return True


@njit
def _timers_overdue(rt: State) -> bool:
    overdue = False
    for p in range(rt.ps.size):
        overdue = overdue or rt.ps[p].timers >= 0
    return overdue


@njit
def _sysmon(rt: State, kernel: Any, sim: Sim) -> None:
    s = rt.sched[0]
    now = sim.world[0].now
    if s.npidle == rt.ps.size and s.net < 0 and not _timers_overdue(rt):
        s.sysmon_on = 0
        return
    if s.net >= 0 and s.poller < 0 and now - s.last_poll > POLL_OVERDUE_NS:
        s.last_poll = now
        inject_network(rt, kernel, sim, NONE, NONE, NONE)
    if s.poller < 0 and s.nmspinning == 0 and _timers_overdue(rt):
        start_idle(rt, kernel, sim, NONE, NONE, 1)
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
    arm(sim, runtime_slot(sim, SYSMON), now + s.sysmon_delay)


@implements(hooks.alarm, State)
def _alarm(rt: State, kernel: Any, sim: Sim, slot: int) -> None:
    if slot == SYSMON:
        _sysmon(rt, kernel, sim)
    elif rt.sched[0].poller >= 0:
        _wake_poller(rt, kernel, sim)
