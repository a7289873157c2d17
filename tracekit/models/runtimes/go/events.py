"""What happens to goroutines from outside: readied, parked, in system calls, expired, created, ended."""

from __future__ import annotations

from typing import Any

from tracekit.engine import hooks
from tracekit.engine.hooks import GIVE_WAY, implements
from tracekit.engine.record import charge
from tracekit.engine.state import HOSTED, NONE, O_HANDOFF, R_NETWORK, R_SLEEP, Sim
from tracekit.jit import njit
from tracekit.models.runtimes.go.queues import add_network, has_local, queue_global, queue_local
from tracekit.models.runtimes.go.state import SYSMON, State
from tracekit.models.runtimes.go.sysmon import look, start_sysmon, timer_interrupt
from tracekit.models.runtimes.go.threads import (
    hold_p,
    running_task,
    start_idle,
    take_idle_p,
    take_p,
    wake_net_poller,
    wake_p,
    wake_poller,
    wake_sysmon,
)  # fmt: skip
from tracekit.models.runtimes.go.timers import add_timer, next_timer

FREE_GS_MOST, FREE_GS_LEAST = 64, 32  # gfput, gfget: a P's list of dead goroutines is kept between these


@implements(hooks.begin, State)
def _begin(rt: State, kernel: Any, sim: Sim) -> None:
    start_sysmon(rt, sim)


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
        wake_sysmon(rt, kernel, sim, cpu, True)
        start_idle(rt, kernel, sim, NONE, NONE, 1)


@implements(hooks.keeps_timer, State)
def _keeps_timer(rt: State, sim: Sim, task: int, due_ns: int) -> bool:
    rt.timers[task].due = due_ns
    return True


@implements(hooks.parking, State)
def _parking(rt: State, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    if sim.tasks[task].waiting == R_NETWORK:
        rt.sched[0].net_waiters += 1
    elif sim.tasks[task].waiting == R_SLEEP:
        p = rt.ms[sim.cpus[cpu].thread].p
        first = next_timer(rt, p)
        due = rt.timers[task].due
        add_timer(rt, p, task)
        if first == 0 or due < first:
            wake_net_poller(rt, kernel, sim, cpu, due)


@implements(hooks.requeue, State)
def _requeue(rt: State, kernel: Any, sim: Sim, cpu: int, task: int, why: int) -> None:
    if why == GIVE_WAY:  # goyield_m
        queue_local(rt, sim, rt.ms[sim.cpus[cpu].thread].p, task, False)
        return
    queue_global(rt, sim, task)  # goschedImpl: to the global queue's end, preempted or yielding alike
    wake_p(rt, kernel, sim, cpu, NONE)


@implements(hooks.entering, State)
def _entering(rt: State, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    m = rt.ms[sim.cpus[cpu].thread]
    m.old_p = m.p
    rt.ps[m.p].in_syscall = 1
    wake_sysmon(rt, kernel, sim, cpu, True)


@njit
def _get_p(rt: State, old_p: int) -> int:
    """Its old P, if that sits in a system call with whoever has it now, or an idle one (exitsyscallTryGetP)."""
    if rt.ps[old_p].in_syscall:
        take_p(rt, old_p)
        return old_p
    return take_idle_p(rt)


@implements(hooks.returning, State)
def _returning(rt: State, kernel: Any, sim: Sim, cpu: int, task: int) -> bool:
    thread = sim.cpus[cpu].thread
    m = rt.ms[thread]
    if m.p < 0:  # exitsyscall's slow path
        p = _get_p(rt, m.old_p)
        if p >= 0:
            hold_p(rt, thread, p)
            wake_sysmon(rt, kernel, sim, cpu, True)
        charge(sim, cpu, task if p >= 0 else NONE, O_HANDOFF, sim.costs[HOSTED].handoff)
        if p < 0:
            queue_global(rt, sim, task)
            return False
    rt.ps[m.p].in_syscall = 0
    rt.ps[m.p].syscalltick += 1
    return True


@implements(hooks.expired, State)
def _expired(rt: State, kernel: Any, sim: Sim, task: int, network: bool) -> None:
    add_network(rt, sim, task)
    if rt.sched[0].poller >= 0:
        wake_poller(rt, kernel, sim)
    timer_interrupt(rt, kernel, sim, sim.tasks[task].timer_cpu)


@implements(hooks.alarm, State)
def _alarm(rt: State, kernel: Any, sim: Sim, slot: int) -> None:
    if slot == SYSMON:
        look(rt, kernel, sim)
    else:
        wake_poller(rt, kernel, sim)


@implements(hooks.spins, State)
def _spins(rt: State, sim: Sim, cpu: int) -> int:
    """sync.Mutex: only with several CPUs, another P that runs, and an empty local queue (runtime_canSpin)."""
    s = rt.sched[0]
    p = rt.ms[sim.cpus[cpu].thread].p
    if sim.cpus.size == 1 or rt.ps.size <= s.npidle + s.nmspinning + 1 or has_local(rt, p):
        return 0
    return rt.spin_ns if rt.spin_ns > 0 else sim.costs[HOSTED].spin


@implements(hooks.creating, State)
def _creating(rt: State, sim: Sim, cpu: int) -> int:
    """A dead goroutine is used again, from the P's list or the scheduler's; else one is made (newproc1, gfget)."""
    pp = rt.ps[rt.ms[sim.cpus[cpu].thread].p]
    s = rt.sched[0]
    if pp.free_gs == 0:
        moved = min(FREE_GS_LEAST, s.free_gs)
        s.free_gs -= moved
        pp.free_gs = moved
    if pp.free_gs > 0:
        pp.free_gs -= 1
        return 0
    return rt.new_g_ns if rt.new_g_ns > 0 else sim.costs[HOSTED].new_g


@implements(hooks.ended, State)
def _ended(rt: State, sim: Sim, cpu: int) -> None:
    pp = rt.ps[rt.ms[sim.cpus[cpu].thread].p]
    pp.free_gs += 1
    if pp.free_gs >= FREE_GS_MOST:
        rt.sched[0].free_gs += pp.free_gs - FREE_GS_LEAST + 1
        pp.free_gs = FREE_GS_LEAST - 1
