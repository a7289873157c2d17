"""CPU bandwidth of the cgroup that all threads are in: a quota of CPU time in each period (cpu.max).

Rules (Linux 6.18, kernel/sched/fair.c):
* The quota is a pool that is full again at each period's start (__refill_cfs_bandwidth_runtime). A CPU takes it in
  slices of 5 ms (sched_cfs_bandwidth_slice) and accounts to them what its threads run (account_cfs_rq_runtime).
* A CPU that finds its share used up where time is accounted, and the pool empty, is throttled: it runs nobody until
  the period timer gives it as much as it ran over, in the order of throttling (distribute_cfs_runtime).
* A CPU that goes idle gives all but 1 ms back (__return_cfs_rq_runtime).
* The timer stops after a period in which nobody was throttled or took anything (do_sched_cfs_period_timer).

Left out:
* Burst; the slack timer, which hands returned time on within a period.
* Throttling of each thread on its way to user space (6.18): the CPU is throttled where time is accounted.
"""

from __future__ import annotations

from tracekit.engine.queue import arm, cpu_slot, kernel_slot
from tracekit.engine.state import NONE, THROTTLED, WAKING, Sim
from tracekit.jit import njit

KEPT_NS = 1_000_000  # min_cfs_rq_runtime


@njit
def has_runtime(sim: Sim, cpu: int) -> bool:
    """Whether cpu may run threads now; takes a slice of the pool if its own share is used up."""
    world = sim.world[0]
    c = sim.cpus[cpu]
    if world.quota == 0 or c.runtime > 0:
        return True
    slot = kernel_slot(sim)
    if sim.slots[slot] < 0:  # the period begins with the first use
        world.pool = world.quota
        arm(sim, slot, world.now + world.period)
    taken = min(world.bandwidth_slice - c.runtime, world.pool)
    world.pool -= taken
    c.runtime += taken
    return c.runtime > 0


@njit
def throttle(sim: Sim, cpu: int) -> None:
    """Cpu runs nobody until the next period."""
    c = sim.cpus[cpu]
    world = sim.world[0]
    c.idle = THROTTLED
    world.throttled += 1
    c.throttled_at = world.sequence


@njit
def give_back(sim: Sim, cpu: int) -> None:
    """Cpu goes idle."""
    c = sim.cpus[cpu]
    world = sim.world[0]
    if world.quota > 0 and c.runtime > KEPT_NS:
        world.pool += c.runtime - KEPT_NS
        c.runtime = KEPT_NS


@njit
def _first_throttled(sim: Sim) -> int:
    first = NONE
    for cpu in range(sim.cpus.size):
        c = sim.cpus[cpu]
        if c.idle == THROTTLED and (first < 0 or c.throttled_at < sim.cpus[first].throttled_at):
            first = cpu
    return first


@njit
def new_period(sim: Sim) -> None:
    """The period timer: fill the pool, and let throttled CPUs go on."""
    world = sim.world[0]
    if world.throttled == 0 and world.pool >= world.quota:
        return
    world.pool = world.quota
    arm(sim, kernel_slot(sim), world.now + world.period)
    while world.throttled > 0 and world.pool > 0:
        cpu = _first_throttled(sim)
        c = sim.cpus[cpu]
        given = min(1 - c.runtime, world.pool)
        world.pool -= given
        c.runtime += given
        if c.runtime <= 0:
            return
        world.throttled -= 1
        c.idle = WAKING
        arm(sim, cpu_slot(sim, cpu), world.now)
