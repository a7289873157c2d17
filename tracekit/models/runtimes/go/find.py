"""What an M does next: schedule, findRunnable, stealWork, in the order of Go 1.27's proc.go."""

from __future__ import annotations

from typing import Any

from tracekit.engine import hooks
from tracekit.engine.hooks import AGAIN, PARK, implements
from tracekit.engine.queue import arm, thread_slot
from tracekit.engine.record import charge
from tracekit.engine.state import HOSTED, NONE, O_STEAL, Sim
from tracekit.jit import njit
from tracekit.models.runtimes.go.queues import (
    queue_local,
    run_timers,
    take_batch,
    take_global,
    take_network,
    take_ring,
)  # fmt: skip
from tracekit.models.runtimes.go.state import P_BUSY, RING, State
from tracekit.models.runtimes.go.threads import hold_p, idle_p, inject_network, park_m, take_idle_p, wake_p

GLOBAL_EVERY = 61  # findRunnable: so that the global queue is not starved by the local ones
STEAL_PASSES = 4
NAP = -3  # a thief has to sleep before it may take what it saw


@njit
def _run(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int, task: int, inherit: bool) -> int:
    """Found: stop spinning (resetspinning) and start a new time slice unless it is inherited (execute)."""
    m = rt.ms[thread]
    m.searched = 0
    m.coveted = NONE
    if m.spinning:
        m.spinning = 0
        rt.sched[0].nmspinning -= 1
        wake_p(rt, kernel, sim, cpu, task)
    if not inherit:
        rt.ps[m.p].schedtick += 1
    return task


@njit
def _from_poller(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int) -> int:
    """The M comes back from a blocking netpoll: take a P, run the first that is ready, queue the others."""
    m = rt.ms[thread]
    s = rt.sched[0]
    m.polling = 0
    s.last_poll = sim.world[0].now
    p = take_idle_p(rt, sim)
    if p < 0:
        inject_network(rt, kernel, sim, cpu, NONE, NONE)
        return NONE
    hold_p(rt, thread, p)
    task = take_network(rt, sim, cpu)
    if task < 0:  # a timer is due somewhere: look for it
        m.spinning = 1
        s.nmspinning += 1
        return NONE
    inject_network(rt, kernel, sim, cpu, task, p)
    return task


@njit
def _next_random(sim: Sim, limit: int) -> int:
    """A reproducible stand-in for cheaprand: Knuth's MMIX generator, folded to 31 bits to stay in int64."""
    world = sim.world[0]
    state = (int(world.random) * 1103515245 + 12345) & 0x7FFFFFFF
    world.random = state
    return (state >> 8) % limit


@njit
def _coprime(a: int, b: int) -> bool:
    while b != 0:
        a, b = b, a % b
    return a == 1


@njit
def _grab(rt: State, sim: Sim, victim: int, p: int) -> int:
    """Half of the victim's ring, oldest first: the newest of them runs, the others are queued (runqsteal)."""
    v = rt.ps[victim]
    length = v.tail - v.head
    if length == 0:
        return NONE
    for _ in range(length - length // 2 - 1):
        queue_local(rt, sim, p, rt.rings[victim * RING + v.head % RING], False)
        v.head += 1
    task = rt.rings[victim * RING + v.head % RING]
    v.head += 1
    return task


@njit
def _steal(rt: State, sim: Sim, thread: int, p: int) -> int:
    """Four passes over all Ps in a random order. In the last, runnext goes too: at once when the P's M sits in a
    system call, else after a nap that outlasts most hand-overs (runqgrab). NAP when one is due."""
    nap = NONE
    m = rt.ms[thread]
    count = rt.ps.size
    for attempt in range(STEAL_PASSES):
        victim = _next_random(sim, count)
        stride = 1 + _next_random(sim, count)
        while not _coprime(stride, count):
            stride = stride % count + 1
        for _ in range(count):
            if victim != p and rt.ps[victim].status == P_BUSY:
                task = _grab(rt, sim, victim, p)
                if task < 0 and attempt == STEAL_PASSES - 1 and rt.ps[victim].runnext >= 0:
                    if rt.ps[victim].in_syscall or rt.ps[victim].runnext == m.coveted:
                        task = rt.ps[victim].runnext
                        rt.ps[victim].runnext = NONE
                    elif m.coveted == NONE:
                        nap = rt.ps[victim].runnext
                if task >= 0:
                    sim.world[0].steals += 1
                    return task
            victim = (victim + stride) % count
    m.coveted = nap
    return NAP if nap >= 0 else NONE


@njit
def _local(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int, p: int) -> int:
    """Steps before stealing: timers, global every 61st tick, local, global batch, network."""
    pp = rt.ps[p]
    run_timers(rt, sim, p, p, cpu)
    if pp.schedtick % GLOBAL_EVERY == 0 and rt.sched[0].queue_size > 0:
        return _run(rt, kernel, sim, cpu, thread, take_global(rt, sim), False)
    if pp.runnext >= 0:
        task = pp.runnext
        pp.runnext = NONE
        return _run(rt, kernel, sim, cpu, thread, task, True)
    task = take_ring(rt, p)
    if task < 0:
        task = take_batch(rt, sim, p)
    if task < 0 and rt.sched[0].poller < 0:
        task = take_network(rt, sim, cpu)
        if task >= 0:
            rt.sched[0].last_poll = sim.world[0].now
            inject_network(rt, kernel, sim, cpu, task, p)
    return task if task < 0 else _run(rt, kernel, sim, cpu, thread, task, False)


@njit
def _search(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int, p: int) -> int:
    """Look at the other Ps; the looking takes its time before it finds anything."""
    m = rt.ms[thread]
    s = rt.sched[0]
    others = rt.ps.size - 1
    if others == 0:
        return PARK
    if not m.spinning:
        if 2 * s.nmspinning >= rt.ps.size - s.npidle:
            return PARK
        m.spinning = 1
        s.nmspinning += 1
    if m.searched == 0 and sim.costs[HOSTED].steal > 0:
        m.searched = 1
        charge(sim, cpu, NONE, O_STEAL, STEAL_PASSES * others * sim.costs[HOSTED].steal)
        return AGAIN
    m.searched = 0
    task = _steal(rt, sim, thread, p) if rt.steal else NONE
    if task == NAP:
        arm(sim, thread_slot(sim, thread), sim.world[0].now + rt.nap_ns)
        return NAP
    m.coveted = NONE
    if task < 0:
        for other in range(rt.ps.size):
            run_timers(rt, sim, other, p, cpu)
        task = rt.ps[p].runnext
        rt.ps[p].runnext = NONE
    return task if task >= 0 else PARK


@njit
def _stop(rt: State, thread: int, now: int) -> int:
    """Nothing to run: park the M, as the poller if somebody has to wait for sockets and timers and nobody does."""
    s = rt.sched[0]
    if s.net_waiters + s.sleepers > 0 and s.poller < 0:
        rt.ms[thread].polling = 1
        s.poller = thread
        s.polling_since = now
    else:
        park_m(rt, thread)
    return PARK


@implements(hooks.next_task, State)
def _next_task(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int) -> int:
    m = rt.ms[thread]
    s = rt.sched[0]
    if m.polling:
        task = _from_poller(rt, kernel, sim, cpu, thread)
        if task >= 0:
            return _run(rt, kernel, sim, cpu, thread, task, False)
    if m.p < 0:
        return _stop(rt, thread, sim.world[0].now)
    p = m.p
    task = _local(rt, kernel, sim, cpu, thread, p)
    if task >= 0:
        return task
    task = _search(rt, kernel, sim, cpu, thread, p)
    if task >= 0:
        return _run(rt, kernel, sim, cpu, thread, task, False)
    if task == AGAIN:
        return AGAIN
    if task == NAP:  # it sleeps in the kernel, with its P
        return PARK
    if m.spinning == 0 and s.needspinning == 1 and rt.ps.size > 1:
        s.needspinning = 0
        m.spinning = 1
        s.nmspinning += 1
        return AGAIN
    if m.spinning:
        m.spinning = 0
        s.nmspinning -= 1
    m.p = NONE
    idle_p(rt, p)
    return _stop(rt, thread, sim.world[0].now)
