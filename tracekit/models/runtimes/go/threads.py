"""Ms and Ps find and leave each other: startm, wakep, handoffp, stopm, the poller, and what it found."""

from __future__ import annotations

from typing import Any

from tracekit.engine.kernel import NO_THREADS, fail, wake_thread
from tracekit.engine.queue import arm, disarm, runtime_slot
from tracekit.engine.record import add_memory, charge
from tracekit.engine.state import HOSTED, NONE, O_RUNTIME, O_SPAWN, RUNNING, Sim
from tracekit.jit import njit
from tracekit.models.runtimes.go.queues import has_local, queue_batch, queue_global, take_found
from tracekit.models.runtimes.go.state import BACK_FROM_POLL, BLOCKED_IN_POLL, P_BUSY, P_IDLE, POLL, SYSMON, State
from tracekit.models.runtimes.go.timers import next_timer


@njit
def running_task(sim: Sim, cpu: int) -> int:
    """The task in whose time the runtime works on cpu, the `payer` below; -1 when it works in its own."""
    thread = sim.cpus[cpu].thread
    task = sim.threads[thread].task if thread >= 0 else NONE
    return task if task >= 0 and sim.tasks[task].state == RUNNING else NONE


@njit
def _pay(sim: Sim, cpu: int, payer: int, kind: int, duration_ns: int) -> None:
    if cpu >= 0:
        charge(sim, cpu, payer, kind, duration_ns)


@njit
def become_spinning(rt: State, thread: int) -> None:
    """The M looks for work from now on, on behalf of whoever wanted one to (becomeSpinning)."""
    s = rt.sched[0]
    rt.ms[thread].spinning = 1
    s.nmspinning += 1
    s.needspinning = 0


@njit
def idle_p(rt: State, p: int) -> None:
    """Nobody holds P any more (pidleput)."""
    s = rt.sched[0]
    pp = rt.ps[p]
    pp.status = P_IDLE
    pp.in_syscall = 0
    pp.m = NONE
    pp.next = s.idle_p
    s.idle_p = p
    s.npidle += 1


@njit
def take_idle_p(rt: State) -> int:
    """An idle P, last in first out, or -1 (pidleget)."""
    s = rt.sched[0]
    p = s.idle_p
    if p >= 0:
        s.idle_p = rt.ps[p].next
        s.npidle -= 1
    return p


@njit
def wake_sysmon(rt: State, kernel: Any, sim: Sim, cpu: int, fresh: bool) -> None:
    """End sysmon's deep sleep. `fresh`, by a system call: it looks often again; by a timer: as often as before."""
    s = rt.sched[0]
    if s.sysmon_on:
        return
    s.sysmon_on = 1
    s.sysmon_woken = 1
    s.sysmon_waker = sim.cpus[cpu].thread if cpu >= 0 else NONE
    if fresh:
        s.sysmon_rounds = 0
        s.sysmon_delay = rt.sysmon_min_ns
    if rt.sysmon_ns > 0:
        s.sysmon_paid = 0
        wake_thread(kernel, sim, s.sysmon, cpu, False)
    else:
        arm(sim, runtime_slot(sim, SYSMON), sim.world[0].now)


@njit
def hold_p(rt: State, thread: int, p: int) -> None:
    """The M holds P from now on (acquirep)."""
    pp = rt.ps[p]
    pp.status = P_BUSY
    pp.m = thread
    pp.in_syscall = 0
    rt.ms[thread].p = p


@njit
def start_m(rt: State, kernel: Any, sim: Sim, cpu: int, payer: int, p: int, spinning: bool) -> None:
    """Let some M run P: wake a parked one, or make a new kernel thread (startm, newm)."""
    s = rt.sched[0]
    costs = sim.costs[HOSTED]
    thread = s.idle_m
    new = thread < 0
    if new:
        thread = s.first_m + s.made_ms
        if thread >= s.sysmon:
            fail(sim, NO_THREADS, NONE, s.made_ms)
            return
        s.made_ms += 1
        _pay(sim, cpu, payer, O_SPAWN, costs.thread_spawn)
        add_memory(sim, costs.thread_resident, costs.thread_virtual)
    else:
        s.idle_m = rt.ms[thread].next
        _pay(sim, cpu, payer, O_RUNTIME, costs.thread_wake)
    rt.ms[thread].spinning = 1 if spinning else 0
    hold_p(rt, thread, p)
    wake_thread(kernel, sim, thread, cpu, new)


@njit
def wake_p(rt: State, kernel: Any, sim: Sim, cpu: int, payer: int) -> None:
    """Work was added: let one more M look for it, unless one does already (wakep)."""
    s = rt.sched[0]
    if s.nmspinning > 0:
        return
    p = take_idle_p(rt)
    if p < 0:
        s.needspinning = 1
        return
    s.nmspinning += 1
    start_m(rt, kernel, sim, cpu, payer, p, True)


@njit
def start_idle(rt: State, kernel: Any, sim: Sim, cpu: int, payer: int, count: int) -> None:
    """Work went to the global queue: start up to count idle Ps (injectglist)."""
    while count > 0:
        p = take_idle_p(rt)
        if p < 0:
            rt.sched[0].needspinning = 1
            return
        start_m(rt, kernel, sim, cpu, payer, p, False)
        count -= 1


@njit
def inject_found(rt: State, kernel: Any, sim: Sim, cpu: int, payer: int, p: int) -> None:
    """Queue what the poller found: globally for as many as there are idle Ps, the rest locally (injectglist)."""
    if rt.sched[0].found < 0:
        return
    idle = rt.sched[0].npidle
    globally = 0
    while True:
        task = take_found(rt, sim)
        if task < 0:
            break
        if p < 0 or globally < idle:
            queue_global(rt, sim, task)
            globally += 1
        else:
            queue_batch(rt, sim, p, task)
    start_idle(rt, kernel, sim, cpu, payer, globally)
    if p >= 0:
        wake_p(rt, kernel, sim, cpu, payer)


@njit
def wake_poller(rt: State, kernel: Any, sim: Sim) -> None:
    """The M in netpoll comes back: something is ready, its time is over, or it has to sleep anew (netpollBreak)."""
    poller = rt.sched[0].poller
    if rt.ms[poller].polling == BLOCKED_IN_POLL:
        rt.ms[poller].polling = BACK_FROM_POLL
        disarm(sim, runtime_slot(sim, POLL))
        wake_thread(kernel, sim, poller, NONE, False)


@njit
def wake_net_poller(rt: State, kernel: Any, sim: Sim, cpu: int, due: int) -> None:
    """A timer is due earlier than all others of its P: somebody has to wait for it (wakeNetPoller)."""
    s = rt.sched[0]
    if s.poller < 0:
        wake_p(rt, kernel, sim, cpu, NONE)
    elif s.poll_until == 0 or s.poll_until > due:
        wake_poller(rt, kernel, sim)


@njit
def hand_off(rt: State, kernel: Any, sim: Sim, p: int) -> None:
    """P's M is stuck in the kernel: sysmon gives the P to another, or to nobody (handoffp)."""
    s = rt.sched[0]
    if has_local(rt, p) or s.queue_size > 0:
        start_m(rt, kernel, sim, NONE, NONE, p, False)
    elif s.nmspinning + s.npidle == 0:
        s.nmspinning += 1
        s.needspinning = 0
        start_m(rt, kernel, sim, NONE, NONE, p, True)
    elif s.npidle == rt.ps.size - 1 and s.poller < 0:  # the last one: somebody has to poll
        start_m(rt, kernel, sim, NONE, NONE, p, False)
    else:
        due = next_timer(rt, p)
        idle_p(rt, p)
        if due > 0:
            wake_net_poller(rt, kernel, sim, NONE, due)


@njit
def take_p(rt: State, p: int) -> None:
    """Take P from an M that is in a system call (syscallingThread.takeP)."""
    pp = rt.ps[p]
    rt.ms[pp.m].p = NONE
    pp.in_syscall = 0
    pp.syscalltick += 1


@njit
def park_m(rt: State, thread: int) -> None:
    """The M goes to the list of idle Ms (stopm, mput)."""
    s = rt.sched[0]
    rt.ms[thread].next = s.idle_m
    s.idle_m = thread
