"""What the kernel does at a timer tick: the running thread's time, balancing, and the watch over who waits."""

from __future__ import annotations

from typing import Any

from tracekit.engine.bandwidth import has_runtime
from tracekit.engine.clock import arm_tick
from tracekit.engine.hooks import MIGRATED, rebalance, tick
from tracekit.engine.kernel import (
    BAD_PUSH,
    BAD_PUSH_CPU,
    FORGOTTEN,
    account,
    can_run,
    fail,
    interrupt,
    join_queue,
    needs_tick,
)  # fmt: skip
from tracekit.engine.state import T_RUNNABLE, Sim
from tracekit.jit import njit

# A thread that waited this long while a CPU idles is starved: no rule of the policies here leaves one for more than
# a fraction of it (sched_ext's watchdog ends a scheduler after 30 s, whatever the other CPUs do)
STARVED_NS = 1_000_000_000
MOVED_AT_ONCE = 32  # threads that one balancing takes at most (sched_nr_migrate)


@njit
def _push(kernel: Any, sim: Sim, cpu: int) -> bool:
    """At cpu's tick a waiting thread may move to another CPU; whether one did."""
    thread, to = rebalance(kernel, sim, cpu)
    if thread < 0 or not can_run(sim, thread, BAD_PUSH):
        return False
    if to < 0 or to >= sim.cpus.size:
        fail(sim, BAD_PUSH_CPU, sim.threads[thread].task, to)
        return False
    sim.cpus[cpu].queued -= 1
    join_queue(kernel, sim, to, thread, MIGRATED, cpu)
    return True


@njit
def _watch(sim: Sim) -> None:
    """Look at one thread, the next one at each tick: one that waits and waits while a CPU idles is starved."""
    world = sim.world[0]
    world.watched += 1
    if world.watched >= sim.threads.size:
        world.watched = 0
    th = sim.threads[world.watched]
    if world.idle_cpus > 0 and th.state == T_RUNNABLE and world.now - th.queued_at > STARVED_NS:
        fail(sim, FORGOTTEN, th.task, th.queue)


@njit
def on_tick(kernel: Any, sim: Sim, cpu: int) -> None:
    """A timer tick on a CPU where it can change something; there is no tick event elsewhere."""
    c = sim.cpus[cpu]
    if c.thread < 0 or not needs_tick(kernel, sim, cpu):
        return
    account(kernel, sim, cpu)
    out = not has_runtime(sim, cpu)
    if tick(kernel, sim, cpu) or out:
        c.resched = 1
        c.resched_at = sim.world[0].now
        c.unaccounted = 0
        interrupt(sim, cpu)
    if c.queued > 0:
        for _ in range(MOVED_AT_ONCE):
            if c.queued == 0 or not _push(kernel, sim, cpu):
                break
        _watch(sim)
    arm_tick(sim, cpu)
