"""Which CPU a waking thread joins: shared by all policies with one queue per CPU.

Linux 6.18, kernel/sched/fair.c, for CPUs that share their last-level cache (select_task_rq_fair):
* A new thread goes to an idle CPU. If none idles it stays on its creator's, unless that is overloaded: it has several
  threads, and had for so long that their average over 32 ms shows it; then it goes to a CPU that is not, or whose
  average is less by 17 % (sched_balance_find_dst_group, group_is_overloaded).
* wake_affine chooses between the waker's and the previous CPU: the waker's if the wakeup is sync and the waker runs
  there alone, the previous one otherwise. Threads that wake many others in turn are left where they were (wake_wide).
* select_idle_sibling then takes the chosen CPU if it idles, else the previous one if it does, else the one before
  that (recent_used_cpu), else the first idle one after it, else the chosen one.

A wakeup is sync when a pipe, a socket or the end of a child makes it (wake_up_interruptible_sync_poll,
__wake_up_parent): between processes, that is. Futexes, which threads use, do not (kernel/futex/waitwake.c).

With `spread` 0 (the profile's wakes_spread) a waking thread joins its previous CPU and looks for no other. So does a
guest whose idle CPUs halt out to the hypervisor and then look preempted (available_idle_cpu, vcpu_is_preempted). In
the recordings of the reference machine, of the wakeups of threads whose previous CPU was busy while the other one
idled, 94 to 98 % stay among messaging threads, 1,289 of 1,293 in redis, and about 86 % among Python threads, where
others wait on that CPU as well.

Left out:
* wake_affine_weight, which compares loads averaged over 32 ms.
* A limit to the search (SIS_UTIL), and cores of several hardware threads (SMT): CPUs share only their last cache.
* The list of remote wakeups (TTWU_QUEUE): it is part of idle_exit_ns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine.state import IDLE, NONE, R_EVENT, R_JOIN, R_RECV, R_SEND, Records, Sim, records
from tracekit.jit import njit

WAKEE = np.dtype([("last", "i4"), ("flips", "i4"), ("recent", "i4"), ("decayed_at", "i8")], align=True)
DECAY_NS = 1_000_000_000  # record_wakee halves the count of flips once a second
HALF_LIFE_NS = 32_000_000  # of PELT's averages (kernel/sched/pelt.c)
CROWDED = 1 / 1.17  # a CPU's average of threads from which on it counts as overloaded (imbalance_pct 117)


def new_wakees(threads: int) -> Any:
    """Whom each thread woke last, how often that changed, and where it ran before its previous CPU."""
    out = records(threads, WAKEE)
    out.last[:] = NONE
    out.recent[:] = NONE
    return out


@njit
def load(sim: Sim, cpu: int) -> int:
    """Threads on cpu: queued, running, or on their way to it."""
    c = sim.cpus[cpu]
    return c.queued + (1 if c.thread >= 0 else 0)


@njit
def _crowding(sim: Sim, cpu: int) -> float:
    """Threads on cpu averaged with a half-life of 32 ms, as of now (runnable_avg); the sum is brought up to date only
    here, as if the threads that are there now had been there since the last new one was placed."""
    c = sim.cpus[cpu]
    now = sim.world[0].now
    left = 0.5 ** ((now - c.averaged_at) / HALF_LIFE_NS)
    c.average = left * c.average + (1 - left) * load(sim, cpu)
    c.averaged_at = now
    return c.average


@njit
def _least_loaded(sim: Sim) -> int:
    """The CPU for a thread that starts by itself: from where is not known, so with the fewest threads."""
    best = 0
    for cpu in range(1, sim.cpus.size):
        if load(sim, cpu) < load(sim, best):
            best = cpu
    return best


@njit
def _idlest(sim: Sim, start: int) -> int:
    """The CPU for a new thread: an idle one; else, of the crowded ones, the least crowded; else start."""
    cpus = sim.cpus.size
    best = start
    least = _crowding(sim, start)
    crowded = load(sim, start) > 1 and least > CROWDED
    if load(sim, start) == 0:
        return start
    for i in range(1, cpus):
        cpu = start + i
        if cpu >= cpus:
            cpu -= cpus
        if sim.cpus[cpu].idle == IDLE and load(sim, cpu) == 0:
            return cpu
        here = _crowding(sim, cpu)
        if crowded and (here <= CROWDED or 1.17 * here < least):
            best = cpu
            least = here / 1.17
    return best


@njit
def _wide(sim: Sim, wakees: Records, waker: int, thread: int) -> bool:
    """Count the waker's change of wakee; whether waker and wakee have too many partners to be pulled together."""
    now = sim.world[0].now
    w = wakees[waker]
    if now >= w.decayed_at + DECAY_NS:
        w.flips >>= 1
        w.decayed_at = now
    if w.last != thread:
        w.last = thread
        w.flips += 1
    more = max(w.flips, wakees[thread].flips)
    less = min(w.flips, wakees[thread].flips)
    return less >= sim.cpus.size and more >= less * sim.cpus.size


@njit
def _sync(sim: Sim, thread: int) -> bool:
    task = sim.threads[thread].task
    if task < 0 or sim.threads[thread].space <= 0:
        return False
    why = sim.tasks[task].waiting
    return why in (R_RECV, R_SEND, R_EVENT, R_JOIN)


@njit
def _idle_sibling(sim: Sim, wakees: Records, thread: int, previous: int, target: int) -> int:
    recent = wakees[thread].recent
    wakees[thread].recent = previous
    if sim.world[0].idle_cpus == 0 or sim.cpus[target].idle == IDLE:
        return target
    if sim.cpus[previous].idle == IDLE:
        return previous
    if recent >= 0 and sim.cpus[recent].idle == IDLE:
        return recent
    cpus = sim.cpus.size
    for i in range(1, cpus):
        cpu = target + i
        if cpu >= cpus:
            cpu -= cpus
        if sim.cpus[cpu].idle == IDLE:
            return cpu
    return target


@njit
def wake_placement(sim: Sim, wakees: Records, spread: int, thread: int, waker_cpu: int) -> int:
    """The CPU for a waking thread."""
    previous = sim.threads[thread].cpu
    if previous == NONE:
        return _idlest(sim, waker_cpu) if waker_cpu >= 0 else _least_loaded(sim)
    if spread == 0:
        return previous
    target = previous
    waker = sim.cpus[waker_cpu].thread if waker_cpu >= 0 else NONE
    if waker >= 0 and not _wide(sim, wakees, waker, thread) and load(sim, waker_cpu) == 1 and _sync(sim, thread):
        target = waker_cpu
    return _idle_sibling(sim, wakees, thread, previous, target)
