"""Which CPU a waking thread joins, and what an idle CPU pulls: shared by all policies with one queue per CPU.

Linux 6.18, kernel/sched/fair.c, for CPUs that share their last-level cache: select_idle_sibling prefers the
previous CPU if idle, then any idle one; wake_affine lets the waker's CPU in when it is the idle one. A new
thread goes to the idlest CPU (sched_balance_find_dst_group_cpu).
"""

from __future__ import annotations

from tracekit.engine.state import IDLE, NONE, Sim
from tracekit.jit import njit


@njit
def load(sim: Sim, cpu: int) -> int:
    """Threads on cpu: queued, running, or on their way to it."""
    c = sim.cpus[cpu]
    return c.queued + (1 if c.thread >= 0 else 0)


@njit
def _idlest(sim: Sim, start: int) -> int:
    cpus = sim.cpus.size
    best = start
    best_load = 1 << 30
    for i in range(cpus):
        cpu = start + i
        if cpu >= cpus:
            cpu -= cpus
        here = load(sim, cpu)
        if here < best_load:
            best = cpu
            best_load = here
            if here == 0:
                break
    return best


@njit
def wake_placement(sim: Sim, thread: int, waker_cpu: int) -> int:
    """The CPU for a waking thread."""
    previous = sim.threads[thread].cpu
    if previous == NONE:
        return _idlest(sim, max(waker_cpu, 0))
    if sim.world[0].idle_cpus == 0 or sim.cpus[previous].idle == IDLE:
        return previous
    if waker_cpu >= 0 and sim.cpus[waker_cpu].idle == IDLE:
        return waker_cpu
    cpus = sim.cpus.size
    for i in range(1, cpus):
        cpu = previous + i
        if cpu >= cpus:
            cpu -= cpus
        if sim.cpus[cpu].idle == IDLE:
            return cpu
    return previous


@njit
def busiest(sim: Sim, cpu: int) -> int:
    """The CPU with the longest queue of waiting threads, other than cpu; -1 when nothing waits anywhere."""
    best = NONE
    longest = 0
    for other in range(sim.cpus.size):
        c = sim.cpus[other]
        if other != cpu and c.queued > longest and c.thread >= 0:
            best = other
            longest = c.queued
    return best
