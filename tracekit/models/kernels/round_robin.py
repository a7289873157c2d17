"""First in, first out with a time slice: SCHED_RR with one priority (kernel/sched/rt.c, Linux 6.18).

Rules:
* A thread's slice is counted in ticks at which it runs, RR_TIMESLICE of them (task_tick_rt; include/linux/sched/rt.h:
  100 ms). When it is used up, the thread gets a new one and goes to the end of the queue, if others wait there.
* What is left of it stays with a thread that blocks, yields or moves (only task_tick_rt changes time_slice).
* All else is as in fifo.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.clock import ticks_between
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import implements
from tracekit.engine.state import NONE, Records, Sim
from tracekit.models.kernels import fifo
from tracekit.models.kernels.common import RT_PARTS, TICKS
from tracekit.models.kernels.placement import new_wakees
from tracekit.models.model import KernelPolicy, Parameter, Sizes


class State(Handle):
    """As fifo's, and by thread the ticks used of the slice, and when the last slice was used up."""

    queues: Records
    following: Any
    wakees: Records
    used: Any
    expired_at: Any
    slice_ticks: int
    spread: int


for _hook in (hooks.select_cpu, hooks.enqueue, hooks.pick_next, hooks.balance):
    implements(_hook, State)(getattr(fifo, _hook.__name__))


@implements(hooks.stopping, State)
def stopping(kernel: State, sim: Sim, cpu: int, thread: int, ran_ns: int) -> None:
    """Count the ticks; those of a thread that is alone renew its slice over and over."""
    now = sim.world[0].now
    used = kernel.used[thread] + ticks_between(sim, cpu, now - ran_ns, now)
    kernel.used[thread] = used % kernel.slice_ticks
    if used >= kernel.slice_ticks and used % kernel.slice_ticks == 0:
        kernel.expired_at[thread] = now


@implements(hooks.tick, State)
def tick(kernel: State, sim: Sim, cpu: int) -> bool:
    """Whether this tick used the slice up."""
    return kernel.expired_at[sim.cpus[cpu].thread] == sim.world[0].now


def state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    """Empty queues and whole slices."""
    queues, following = fifo.empty_queues(sizes)
    ticks = max(parameters["slice_ns"] // parameters["tick_period_ns"], 1)
    used, expired_at = np.zeros(sizes.threads, np.int64), np.full(sizes.threads, NONE, np.int64)
    return State(queues, following, new_wakees(sizes.threads), used, expired_at, ticks, parameters["wakes_spread"])


POLICY = KernelPolicy(
    name="round_robin",
    title="first in, first out with a time slice (SCHED_RR, one priority)",
    module=__name__,
    state=state,
    parameters=(
        Parameter("slice_ns", 100_000_000, "ns", "RR_TIMESLICE, in whole ticks (include/linux/sched/rt.h)", 1000),
        *TICKS,
    ),
    parts=(fifo.__name__, *RT_PARTS),
)
