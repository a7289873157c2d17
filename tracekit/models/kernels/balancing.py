"""When CPUs take threads from each other: Linux's load balancing for CPUs that share their last-level cache.

A CPU that goes idle pulls one thread from the CPU with the longest queue (sched_balance_newidle), unless the profile
says that it does not (newidle_pulls: the kernel skips a search that takes longer than the CPU idles on average, and
since 6.19, and 6.18 with its backports, one that was seldom successful). At a tick, a CPU
where threads wait lets an idle CPU have half of what it has more (nohz_balancer_kick, detach_tasks), and a busy CPU with fewer threads, once in
16 ms for each CPU of the domain, less a tick (get_sd_balance_interval, busy_factor; imbalance_pct is 117). If the
difference is one thread, moving it would only turn the difference around; that is done every second time only
(detach_tasks shifts what it must not exceed by nr_balance_failed). A thread that ran less than migration_cost_ns ago
is cache hot and stays, until two tries in a row failed (task_hot, cache_nice_tries).

Ticks of idle CPUs and of CPUs where nobody waits are not simulated; the loaded CPU's tick stands for them.

Left out:
* Loads averaged over 32 ms (PELT); a load is the number of threads.
* Learning when a search pays (avg_idle, max_newidle_lb_cost, newidle_ratio): the profile says once for all.
* Active balancing of a running thread, and keeping back threads that are not eligible at the destination.
"""

from __future__ import annotations

import numpy as np

from tracekit.engine.state import NONE, THROTTLED, Records, Sim
from tracekit.jit import njit
from tracekit.models.kernels.placement import load

DOMAIN = np.dtype([("next_at", "i8"), ("failed", "i8"), ("pulled_at", "i8")])
BUSY_FACTOR_NS = 16_000_000  # for each CPU of the domain
IMBALANCE_PCT = 117
NICE_TRIES = 1


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


@njit
def _least_loaded(sim: Sim, cpu: int) -> int:
    least = load(sim, cpu)
    best = NONE
    for other in range(sim.cpus.size):
        here = load(sim, other)
        if here < least and sim.cpus[other].idle != THROTTLED:
            best = other
            least = here
    return best


@njit
def puller(domains: Records, sim: Sim, cpu: int, tick_ns: int) -> int:
    """The CPU that takes a thread from cpu at this tick of cpu, or -1."""
    to = _least_loaded(sim, cpu)
    if to < 0:
        return NONE
    theirs = load(sim, to)
    d = domains[to]
    now = sim.world[0].now
    if theirs == 0 or (d.pulled_at == now and load(sim, cpu) - theirs > 1):
        d.pulled_at = now
        return to
    if now < d.next_at:
        return NONE
    d.next_at = now + BUSY_FACTOR_NS * sim.cpus.size - tick_ns
    ours = load(sim, cpu)
    if 100 * ours <= IMBALANCE_PCT * theirs:
        d.failed = 0
        return NONE
    if ours - theirs == 1 and d.failed == 0:
        d.failed = 1
        return NONE
    return to


@njit
def insists(domains: Records, to: int) -> bool:
    """Whether a cache-hot thread moves too, because CPU `to` failed to find another."""
    return domains[to].failed > NICE_TRIES


@njit
def settle(domains: Records, to: int, thread: int) -> None:
    """What came of a try: success starts the count anew."""
    domains[to].failed = 0 if thread >= 0 else domains[to].failed + 1
