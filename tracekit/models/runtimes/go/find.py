"""What an M does next: schedule, findRunnable, stealWork, in the order of Go 1.27's proc.go."""

from __future__ import annotations

from typing import Any

from tracekit.engine import hooks
from tracekit.engine.hooks import AGAIN, PARK, implements
from tracekit.engine.queue import arm, runtime_slot, thread_slot
from tracekit.engine.record import charge
from tracekit.engine.state import HOSTED, NONE, O_STEAL, Sim
from tracekit.jit import njit
from tracekit.models.runtimes.go.queues import (
    TIMERS_AT_ONCE,
    has_local,
    poll,
    queue_batch,
    run_timers,
    take_batch,
    take_found,
    take_global,
    take_local,
)  # fmt: skip
from tracekit.models.runtimes.go.state import BACK_FROM_POLL, BLOCKED_IN_POLL, P_BUSY, POLL, RING, State
from tracekit.models.runtimes.go.sysmon import sysmon_runs
from tracekit.models.runtimes.go.threads import (
    become_spinning,
    hold_p,
    idle_p,
    inject_found,
    park_m,
    take_idle_p,
    wake_p,
    wake_poller,
    wake_sysmon,
)  # fmt: skip
from tracekit.models.runtimes.go.timers import next_timer, next_timer_of_all

GLOBAL_EVERY = 61  # findRunnable: so that the global queue is not starved by the local ones
STEAL_PASSES = 4
NAP = -3  # a thief has to sleep before it may take what it saw


@njit
def _run(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int, task: int) -> int:
    """Found: stop spinning (resetspinning) and start a new time slice unless it is inherited (execute)."""
    m = rt.ms[thread]
    if m.spinning:
        m.spinning = 0
        rt.sched[0].nmspinning -= 1
        wake_p(rt, kernel, sim, cpu, task)
    if not m.inherits:
        rt.ps[m.p].schedtick += 1
    return task


@njit
def _next_random(sim: Sim) -> int:
    """A reproducible stand-in for cheaprand: the C standard's example generator, its upper 23 of 31 bits."""
    world = sim.world[0]
    state = (int(world.random) * 1103515245 + 12345) & 0x7FFFFFFF
    world.random = state
    return state >> 8


@njit
def _start_pass(rt: State, sim: Sim, thread: int) -> None:
    """A random order: from a random P on, with a stride that visits all (stealOrder.start)."""
    m = rt.ms[thread]
    count = rt.ps.size
    draw = _next_random(sim)
    m.victim = draw % count
    m.stride = rt.coprimes[draw // count % rt.coprimes.size]
    m.left = count


@njit
def _next_victim(rt: State, thread: int) -> None:
    m = rt.ms[thread]
    m.victim = (m.victim + m.stride) % rt.ps.size
    m.left -= 1


@njit
def _grab(rt: State, sim: Sim, victim: int, p: int) -> int:
    """Half of the victim's ring, oldest first: the newest of them runs, the others are queued (runqsteal)."""
    v = rt.ps[victim]
    length = v.tail - v.head
    if length == 0 or v.status != P_BUSY or rt.steal == 0:
        return NONE
    for _ in range(length - length // 2 - 1):
        queue_batch(rt, sim, p, rt.rings[victim * RING + v.head % RING])
        v.head += 1
    task = rt.rings[victim * RING + v.head % RING]
    v.head += 1
    return task


@njit
def _last_visit(rt: State, sim: Sim, cpu: int, thread: int, p: int) -> int:
    """The last pass, at one P: its timers, its ring, and its runnext: at once when its M sits in a system call, else
    after a nap that outlasts most hand-overs, if it is still there (runqgrab). NAP when one is due."""
    m = rt.ms[thread]
    v = rt.ps[m.victim]
    if m.coveted == NONE and run_timers(rt, sim, m.victim, p, cpu) > 0:
        task = take_local(rt, thread, p)
        if task >= 0:
            return task
        m.ran = 1
    if v.status != P_BUSY or rt.steal == 0:
        m.coveted = NONE
        return NONE
    task = v.runnext
    taken = task >= 0 and task == m.coveted
    m.coveted = NONE
    if not taken:
        grabbed = _grab(rt, sim, m.victim, p)
        if grabbed >= 0 or task < 0:
            return grabbed
        if not v.in_syscall and rt.nap_ns > 0:
            m.coveted = task
            return NAP
    v.runnext = NONE
    return task


@njit
def _steal(rt: State, sim: Sim, cpu: int, thread: int, p: int) -> int:
    """Four passes over all Ps in a random order, timers and runnext in the last (stealWork)."""
    m = rt.ms[thread]
    task = NONE
    if m.coveted == NONE:  # else it is back from its nap in the last pass
        for _ in range(STEAL_PASSES - 1):
            _start_pass(rt, sim, thread)
            while m.left > 0:
                if m.victim != p:
                    task = _grab(rt, sim, m.victim, p)
                    if task >= 0:
                        sim.world[0].steals += 1
                        return task
                _next_victim(rt, thread)
        _start_pass(rt, sim, thread)
        m.ran = 0
    while m.left > 0:
        if m.victim != p:
            task = _last_visit(rt, sim, cpu, thread, p)
            if task != NONE:
                if task != NAP:
                    sim.world[0].steals += 1
                return task
        _next_victim(rt, thread)
    return AGAIN if m.ran else NONE


@njit
def _local(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int, p: int) -> int:
    """Steps before stealing: timers, global every 61st tick, local, global batch, network."""
    s = rt.sched[0]
    if run_timers(rt, sim, p, p, cpu) == TIMERS_AT_ONCE:
        return AGAIN
    if rt.ps[p].schedtick % GLOBAL_EVERY == 0 and s.queue_size > 0:
        return take_global(rt, sim)
    task = take_local(rt, thread, p)
    if task < 0:
        task = take_batch(rt, sim, p)
    if task < 0 and s.net_waiters > 0 and s.poller < 0:
        poll(rt, sim, cpu)
        task = take_found(rt, sim)
        if task >= 0:
            wake_sysmon(rt, kernel, sim, cpu, True)
            inject_found(rt, kernel, sim, cpu, task, p)
    return task


@njit
def _search(rt: State, sim: Sim, cpu: int, thread: int, p: int) -> int:
    """Look at the other Ps, unless enough others do; the looking takes its time before it finds anything."""
    m = rt.ms[thread]
    s = rt.sched[0]
    if m.coveted == NONE and m.searched == 0:
        if not m.spinning:
            if 2 * s.nmspinning >= rt.ps.size - s.npidle:
                return NONE
            become_spinning(rt, thread)
        cost = STEAL_PASSES * (rt.ps.size - 1) * sim.costs[HOSTED].steal
        if cost > 0:
            m.searched = 1
            charge(sim, cpu, NONE, O_STEAL, cost)
            return AGAIN
    m.searched = 0
    return _steal(rt, sim, cpu, thread, p)


@njit
def _work_elsewhere(rt: State) -> bool:
    found = False
    for p in range(rt.ps.size):
        found = found or (rt.ps[p].status == P_BUSY and has_local(rt, p))
    return found


@njit
def _wait(rt: State, kernel: Any, sim: Sim, thread: int, until: int, was_spinning: bool) -> int:
    """Without P and work: wait for sockets and timers if somebody has to and nobody does, or park."""
    s = rt.sched[0]
    m = rt.ms[thread]
    now = sim.world[0].now
    if (s.net_waiters > 0 or until > 0) and s.poller < 0:
        s.poller = thread
        s.poll_until = until
        m.was_spinning = 1 if was_spinning else 0
        m.polling = BLOCKED_IN_POLL
        if s.net >= 0 or 0 < until <= now:
            m.polling = BACK_FROM_POLL
            return AGAIN
        if until > 0:  # in whole milliseconds, and one at least (netpoll_epoll.go)
            step = rt.poll_resolution_ns
            arm(sim, runtime_slot(sim, POLL), now + max((until - now) // step, 1) * step)
        return PARK
    if until > 0 and (s.poll_until == 0 or s.poll_until > until):
        wake_poller(rt, kernel, sim)
    park_m(rt, thread)
    return PARK


@njit
def _stop(rt: State, kernel: Any, sim: Sim, thread: int, p: int) -> int:
    """Nothing to run: the P goes idle; an M that spun looks once more for what came meanwhile."""
    m = rt.ms[thread]
    s = rt.sched[0]
    if not m.spinning and s.needspinning:
        become_spinning(rt, thread)
        return AGAIN
    was_spinning = m.spinning == 1
    until = next_timer_of_all(rt) if was_spinning else next_timer(rt, p)
    m.p = NONE
    idle_p(rt, p)
    if was_spinning:
        m.spinning = 0
        s.nmspinning -= 1
        if rt.steal and _work_elsewhere(rt):
            hold_p(rt, thread, take_idle_p(rt))
            become_spinning(rt, thread)
            return AGAIN
    return _wait(rt, kernel, sim, thread, until, was_spinning)


@njit
def _back_from_poll(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int) -> int:
    """The M comes back from a blocking netpoll: take a P, run the first that is ready, queue the others. AGAIN
    without a task, PARK without a P."""
    m = rt.ms[thread]
    s = rt.sched[0]
    m.polling = 0
    s.poller = NONE
    s.poll_until = 0
    s.last_poll = sim.world[0].now
    poll(rt, sim, cpu)
    p = take_idle_p(rt)
    if p < 0:
        inject_found(rt, kernel, sim, cpu, NONE, NONE)
        park_m(rt, thread)
        return PARK
    hold_p(rt, thread, p)
    task = take_found(rt, sim)
    wake_sysmon(rt, kernel, sim, cpu, task >= 0)
    if task >= 0:
        inject_found(rt, kernel, sim, cpu, task, p)
        return task
    if m.was_spinning:
        become_spinning(rt, thread)
    return AGAIN


@implements(hooks.next_task, State)
def _next_task(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int) -> int:
    sim.threads[thread].preempt = 0  # a request that came too late (schedule, execute)
    m = rt.ms[thread]
    m.inherits = 0
    if thread == rt.sched[0].sysmon:
        return sysmon_runs(rt, kernel, sim, cpu)
    task = NONE
    if m.polling:
        task = _back_from_poll(rt, kernel, sim, cpu, thread)
        if m.p < 0:
            return PARK
    elif m.p < 0:
        park_m(rt, thread)
        return PARK
    elif m.coveted == NONE and m.searched == 0:
        task = _local(rt, kernel, sim, cpu, thread, m.p)
    if task == NONE:
        task = _search(rt, sim, cpu, thread, m.p)
    if task == NONE:
        task = take_batch(rt, sim, m.p)
    if task >= 0:
        return _run(rt, kernel, sim, cpu, thread, task)
    if task == NAP:  # it sleeps in the kernel, with its P
        arm(sim, thread_slot(sim, thread), sim.world[0].now + rt.nap_ns)
        return PARK
    if task == AGAIN:
        return AGAIN
    return _stop(rt, kernel, sim, thread, m.p)
