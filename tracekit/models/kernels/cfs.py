"""Linux's fair class up to 6.5: the completely fair scheduler.

Rules (kernel/sched/fair.c of 6.5, with the place each is found):
* The thread with the smallest virtual run time v runs (pick_next_entity); running adds dt * 1024 / weight to v
  (update_curr); the weight comes from the nice value (sched_prio_to_weight in core.c).
* Its slice is its weight's share of the period: latency_ns, or min_granularity_ns for each thread there if that is
  more (sched_slice). At a tick a thread leaves that ran longer, or is further ahead of the first one in the queue
  (check_preempt_tick).
* A thread that wakes is placed no further back than half a period behind the smallest v, so that sleepers get the
  CPU soon, but save up no more (place_entity, GENTLE_FAIR_SLEEPERS). A new thread starts one slice ahead of it
  (START_DEBIT).
* It takes the CPU at once when it is more than wakeup_granularity_ns behind the running thread
  (wakeup_preempt_entity).
* All three times are scaled by 1 + log2 of the CPUs (sched_update_scaling), at most 4.

Of equal v the one that joined the queue first runs. All CPUs share one last-level cache; the first in a queue is
pulled.

Left out:
* Groups and buddies (NEXT_BUDDY, LAST_BUDDY): a yield only lets the smallest v run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import MIGRATED, SPAWN, WAKEUP, implements
from tracekit.engine.state import NONE, Records, Sim, records
from tracekit.jit import njit
from tracekit.models.kernels import pairing
from tracekit.models.kernels.balancing import DOMAIN, busiest, insists, puller, settle
from tracekit.models.kernels.common import BANDWIDTH, FAIR_PARTS, SCALING, TICKS, time_scale
from tracekit.models.kernels.placement import new_wakees, wake_placement
from tracekit.models.model import KernelPolicy, Parameter, Sizes

ENTITY = np.dtype([("v", "i8"), ("weight", "i8"), ("ran_at", "i8")], align=True)
QUEUE = np.dtype([("root", "i4"), ("count", "i4"), ("weight", "i8"), ("min_v", "i8"), ("joins", "i8")], align=True)


class State(Handle):
    """Virtual run times by thread, a heap and the smallest v by CPU."""

    entities: Records
    queues: Records
    nodes: Records
    wakees: Records
    domains: Records
    latency_ns: int
    min_granularity_ns: int
    wakeup_granularity_ns: int
    migration_cost_ns: int
    tick_ns: int
    spread: int
    newidle: int


@njit
def _virtual(entity: Any, ran_ns: int) -> int:
    return ran_ns if entity.weight == 1024 else ran_ns * 1024 // entity.weight


@njit
def _slice(kernel: State, sim: Sim, cpu: int, entity: Any, queued: bool) -> int:
    """The entity's share of the period; it counts among those there, whether it is queued already or not."""
    q = kernel.queues[cpu]
    threads, weight = q.count, q.weight
    current = sim.cpus[cpu].thread
    if current >= 0:
        threads += 1
        weight += kernel.entities[current].weight
    if not queued:
        threads += 1
        weight += entity.weight
    period = max(kernel.latency_ns, threads * kernel.min_granularity_ns)
    return max(period * entity.weight // weight, kernel.min_granularity_ns)


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
    return wake_placement(sim, kernel.wakees, kernel.spread, thread, waker_cpu)


@implements(hooks.enqueue, State)
def _enqueue(kernel: State, sim: Sim, cpu: int, thread: int, why: int) -> None:
    q = kernel.queues[cpu]
    e = kernel.entities[thread]
    _advance(kernel, sim, cpu)
    if why == SPAWN:
        e.weight = sim.threads[thread].weight
        e.v = q.min_v + _virtual(e, _slice(kernel, sim, cpu, e, False))
    elif why == WAKEUP:
        e.v = max(e.v, q.min_v - kernel.latency_ns // 2)
    elif why == MIGRATED:
        e.v += q.min_v
    q.count += 1
    q.weight += e.weight
    q.joins += 1
    q.root = pairing.push(kernel.nodes, q.root, thread, e.v, q.joins)


@implements(hooks.pick_next, State)
def _pick_next(kernel: State, sim: Sim, cpu: int) -> int:
    q = kernel.queues[cpu]
    thread = q.root
    if thread >= 0:
        q.root = pairing.pop(kernel.nodes, thread)
        q.count -= 1
        q.weight -= kernel.entities[thread].weight
    return thread


@njit
def _detach(kernel: State, sim: Sim, source: int, hot_too: bool) -> int:
    """The first of source's queue, with v relative to its min_v; -1 if it is cache hot and alone in the queue."""
    e = kernel.entities[kernel.queues[source].root]
    hot = sim.world[0].now - e.ran_at < kernel.migration_cost_ns
    if hot and not hot_too and kernel.queues[source].count < 2:
        return NONE
    thread = hooks.pick_next(kernel, sim, source)
    kernel.entities[thread].v -= kernel.queues[source].min_v
    return thread


@implements(hooks.balance, State)
def _balance(kernel: State, sim: Sim, cpu: int) -> int:
    source = busiest(sim, cpu) if kernel.newidle else NONE
    if source < 0:
        return NONE
    thread = _detach(kernel, sim, source, False)
    if thread >= 0:
        kernel.entities[thread].v += kernel.queues[cpu].min_v
    return thread


@implements(hooks.rebalance, State)
def _rebalance(kernel: State, sim: Sim, cpu: int) -> tuple[int, int]:
    to = puller(kernel.domains, sim, cpu, kernel.tick_ns)
    if to < 0:
        return NONE, NONE
    thread = _detach(kernel, sim, cpu, insists(kernel.domains, to))
    settle(kernel.domains, to, thread)
    return thread, to


@implements(hooks.stopping, State)
def _stopping(kernel: State, sim: Sim, cpu: int, thread: int, ran_ns: int) -> None:
    e = kernel.entities[thread]
    e.v += _virtual(e, ran_ns)
    e.ran_at = sim.world[0].now
    _advance(kernel, sim, cpu)


@implements(hooks.preempts, State)
def _preempts(kernel: State, sim: Sim, cpu: int, thread: int) -> bool:
    wakee = kernel.entities[thread]
    behind = kernel.entities[sim.cpus[cpu].thread].v - wakee.v
    return behind > _virtual(wakee, kernel.wakeup_granularity_ns)


@implements(hooks.tick, State)
def _tick(kernel: State, sim: Sim, cpu: int) -> bool:
    c = sim.cpus[cpu]
    e = kernel.entities[c.thread]
    ran = sim.world[0].now - c.slice_start
    ideal = min(_slice(kernel, sim, cpu, e, True), kernel.latency_ns)
    if ran > ideal:
        return True
    if ran < kernel.min_granularity_ns or kernel.queues[cpu].root < 0:
        return False
    return e.v - kernel.entities[kernel.queues[cpu].root].v > ideal


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    queues = records(sizes.cpus, QUEUE)
    queues.root[:] = NONE
    entities = records(sizes.threads, ENTITY)
    entities.weight[:] = 1024
    scale = time_scale(sizes, parameters)
    names = ("latency_ns", "min_granularity_ns", "wakeup_granularity_ns")
    return State(
        entities, queues, records(sizes.threads, pairing.NODE), new_wakees(sizes.threads), records(sizes.cpus, DOMAIN),
        *(parameters[name] * scale for name in names), parameters["migration_cost_ns"], parameters["tick_period_ns"],
        parameters["wakes_spread"], parameters["newidle_pulls"],
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
        Parameter("migration_cost_ns", 500_000, "ns", "a thread that ran this recently counts as cache hot"),
        *SCALING,
        *TICKS,
        *BANDWIDTH,
    ),
    parts=FAIR_PARTS,
)
