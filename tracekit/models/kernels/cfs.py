"""Linux's fair class up to 6.5: the completely fair scheduler.

Rules (kernel/sched/fair.c of 6.5, with the place each is found):
* The thread with the smallest virtual run time v runs (pick_next_entity); running adds to v (update_curr).
* Its slice is its share of the latency period: latency_ns over the threads there, at least min_granularity_ns
  (sched_slice). Expiry is seen at a tick (check_preempt_tick).
* A thread that wakes is placed no further back than half a period behind the smallest v, so that sleepers get the
  CPU soon, but save up no more (place_entity, GENTLE_FAIR_SLEEPERS). A new thread starts one slice ahead of it
  (START_DEBIT).
* It takes the CPU at once when it is more than wakeup_granularity_ns behind the running thread
  (wakeup_preempt_entity).
* All three times are scaled by 1 + log2 of the CPUs (sched_update_scaling), at most 4.

Assumptions: one last-level cache, no groups, nice 0, no buddies. Placement and newly-idle pulling as in eevdf.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import SPAWN, WAKEUP, implements
from tracekit.engine.state import NONE, Records, Sim, records
from tracekit.jit import njit
from tracekit.models.kernels import pairing
from tracekit.models.kernels.placement import busiest, wake_placement
from tracekit.models.model import KernelPolicy, Parameter, Sizes

ENTITY = np.dtype([("v", "i8")])
QUEUE = np.dtype([("root", "i4"), ("count", "i4"), ("min_v", "i8")], align=True)


class State(Handle):
    """Virtual run times by thread, a heap and the smallest v by CPU."""

    entities: Records
    queues: Records
    nodes: Records
    latency_ns: int
    min_granularity_ns: int
    wakeup_granularity_ns: int


@njit
def _slice(kernel: State, sim: Sim, cpu: int, arriving: int) -> int:
    threads = kernel.queues[cpu].count + (1 if sim.cpus[cpu].thread >= 0 else 0) + arriving
    return max(kernel.latency_ns // threads, kernel.min_granularity_ns)


@njit
def _advance(kernel: State, sim: Sim, cpu: int) -> None:
    """min_v never goes back (update_min_vruntime)."""
    q = kernel.queues[cpu]
    thread = sim.cpus[cpu].thread
    smallest = kernel.entities[thread].v if thread >= 0 else q.min_v
    if q.root >= 0:
        first = kernel.entities[q.root].v
        smallest = min(smallest, first) if thread >= 0 else first
    q.min_v = max(q.min_v, smallest)


@implements(hooks.select_cpu, State)
def _select_cpu(kernel: State, sim: Sim, thread: int, waker_cpu: int) -> int:
    return wake_placement(sim, thread, waker_cpu)


@implements(hooks.enqueue, State)
def _enqueue(kernel: State, sim: Sim, cpu: int, thread: int, why: int) -> None:
    q = kernel.queues[cpu]
    e = kernel.entities[thread]
    _advance(kernel, sim, cpu)
    if why == SPAWN:
        e.v = q.min_v + _slice(kernel, sim, cpu, 1)
    elif why == WAKEUP:
        e.v = max(e.v, q.min_v - kernel.latency_ns // 2)
    q.count += 1
    q.root = pairing.push(kernel.nodes, q.root, thread, e.v)


@implements(hooks.pick_next, State)
def _pick_next(kernel: State, sim: Sim, cpu: int) -> int:
    q = kernel.queues[cpu]
    thread = q.root
    if thread >= 0:
        q.root = pairing.pop(kernel.nodes, thread)
        q.count -= 1
    return thread


@implements(hooks.balance, State)
def _balance(kernel: State, sim: Sim, cpu: int) -> int:
    source = busiest(sim, cpu)
    if source < 0:
        return NONE
    thread = hooks.pick_next(kernel, sim, source)
    kernel.entities[thread].v += kernel.queues[cpu].min_v - kernel.queues[source].min_v
    return thread


@implements(hooks.stopping, State)
def _stopping(kernel: State, sim: Sim, cpu: int, thread: int, ran_ns: int) -> None:
    kernel.entities[thread].v += ran_ns
    _advance(kernel, sim, cpu)


@implements(hooks.preempts, State)
def _preempts(kernel: State, sim: Sim, cpu: int, thread: int) -> bool:
    behind = kernel.entities[sim.cpus[cpu].thread].v - kernel.entities[thread].v
    return behind > kernel.wakeup_granularity_ns


@implements(hooks.time_slice, State)
def _time_slice(kernel: State, sim: Sim, cpu: int, thread: int) -> int:
    return _slice(kernel, sim, cpu, 0)


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    queues = records(sizes.cpus, QUEUE)
    queues.root[:] = NONE
    scale = 1 + int(np.log2(min(sizes.cpus, 8)))
    names = ("latency_ns", "min_granularity_ns", "wakeup_granularity_ns")
    return State(
        records(sizes.threads, ENTITY), queues, records(sizes.threads, pairing.NODE),
        *(parameters[name] * scale for name in names),
    )  # fmt: skip


POLICY = KernelPolicy(
    name="cfs",
    title="Linux fair class up to 6.5 (CFS)",
    module=__name__,
    state=_state,
    parameters=(
        Parameter("latency_ns", 6_000_000, "ns", "period in which everybody runs once, on one CPU", 1000),
        Parameter("min_granularity_ns", 750_000, "ns", "shortest slice, on one CPU", 1000),
        Parameter("wakeup_granularity_ns", 1_000_000, "ns", "head start a woken thread needs, on one CPU"),
    ),
)
