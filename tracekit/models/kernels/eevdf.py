"""Linux's fair class since 6.6: earliest eligible virtual deadline first.

Rules (kernel/sched/fair.c of 6.18, with the place each is found):
* Every thread has a virtual run time v, a deadline d and a lag. Running adds dt * 1024 / weight to v
  (update_curr, calc_delta_fair). V is the weighted mean of v over the queue and the running thread
  (avg_vruntime). A thread is eligible when v <= V (entity_eligible).
* The eligible thread with the earliest deadline runs (pick_eevdf). When v reaches d, the deadline moves on by
  slice / weight and the thread has to let others choose (update_deadline).
* A thread that was picked is protected until its deadline or the end of one slice (RUN_TO_PARITY,
  set_protect_slice).
* A thread that blocks keeps its lag V - v, clamped to one slice and a tick, and is placed at V - lag when it
  wakes, with the deadline one slice on (update_entity_lag, place_entity). A new thread has lag 0 and half a slice
  (PLACE_DEADLINE_INITIAL).
* A woken thread takes the CPU at once only if it would be picked, protection included
  (check_preempt_wakeup_fair). Otherwise expiry is seen at a tick (no HRTICK).
* A CPU that goes idle pulls one thread from the busiest queue, and leaves alone one that ran less than
  migration_cost_ns ago (sched_balance_newidle, task_hot) unless all are hot.

Assumptions: all CPUs share one last-level cache; no groups; equal weights unless a program says otherwise. Not
modelled here: delayed dequeue, periodic balancing.

Data structure: two heaps per CPU, eligible threads by deadline and the others by v. A thread that V has passed
moves over when the CPU picks, and one that lost eligibility moves back, so the pick is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import PREEMPTED, SPAWN, YIELD, implements
from tracekit.engine.state import NONE, Records, Sim, records
from tracekit.jit import njit
from tracekit.models.kernels import pairing
from tracekit.models.kernels.placement import busiest, wake_placement
from tracekit.models.model import KernelPolicy, Parameter, Sizes

QUEUED_NOT, ELIGIBLE, LATER = 0, 1, 2

ENTITY = np.dtype([
    ("v", "i8"), ("deadline", "i8"), ("lag", "i8"), ("protected", "i8"), ("weight", "i8"), ("ran_at", "i8"),
    ("place", "i8"),
], align=True)  # fmt: skip
QUEUE = np.dtype([
    ("zero", "i8"), ("sum_weight", "i8"), ("sum_key", "i8"), ("eligible", "i4"), ("later", "i4"),
], align=True)  # fmt: skip


class State(Handle):
    """Entities by thread, queues by CPU. Sums are kept relative to `zero`, as the kernel does, to stay small."""

    entities: Records
    queues: Records
    nodes: Records
    slice_ns: int
    migration_cost_ns: int
    tick_ns: int


@njit
def _virtual(entity: Any, ran_ns: int) -> int:
    return ran_ns if entity.weight == 1024 else ran_ns * 1024 // entity.weight


@njit
def _sums(kernel: State, sim: Sim, cpu: int) -> tuple[int, int]:
    """Sum of weighted keys and of weights, with the running thread in it."""
    q = kernel.queues[cpu]
    key, weight = q.sum_key, q.sum_weight
    thread = sim.cpus[cpu].thread
    if thread >= 0:
        e = kernel.entities[thread]
        key += (e.v - q.zero) * e.weight
        weight += e.weight
    return key, weight


@njit
def _mean(kernel: State, sim: Sim, cpu: int) -> int:
    key, weight = _sums(kernel, sim, cpu)
    return kernel.queues[cpu].zero + (key // weight if weight > 0 else 0)


@njit
def _eligible(kernel: State, sim: Sim, cpu: int, v: int) -> bool:
    key, weight = _sums(kernel, sim, cpu)
    return key >= (v - kernel.queues[cpu].zero) * weight


@njit
def _insert(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    q = kernel.queues[cpu]
    e = kernel.entities[thread]
    q.sum_key += (e.v - q.zero) * e.weight
    q.sum_weight += e.weight
    e.place = LATER
    q.later = pairing.push(kernel.nodes, q.later, thread, e.v)


@njit
def _take(kernel: State, cpu: int, thread: int) -> None:
    q = kernel.queues[cpu]
    e = kernel.entities[thread]
    if e.place == ELIGIBLE:
        q.eligible = pairing.remove(kernel.nodes, q.eligible, thread)
    else:
        q.later = pairing.remove(kernel.nodes, q.later, thread)
    e.place = QUEUED_NOT
    q.sum_key -= (e.v - q.zero) * e.weight
    q.sum_weight -= e.weight


@njit
def _move_zero(kernel: State, sim: Sim, cpu: int) -> None:
    q = kernel.queues[cpu]
    mean = _mean(kernel, sim, cpu)
    q.sum_key -= (mean - q.zero) * q.sum_weight
    q.zero = mean


@njit
def _best(kernel: State, sim: Sim, cpu: int) -> int:
    """The queued eligible thread with the earliest deadline; -1 when none is eligible."""
    q = kernel.queues[cpu]
    while q.later >= 0 and _eligible(kernel, sim, cpu, kernel.entities[q.later].v):
        thread = q.later
        q.later = pairing.pop(kernel.nodes, thread)
        kernel.entities[thread].place = ELIGIBLE
        q.eligible = pairing.push(kernel.nodes, q.eligible, thread, kernel.entities[thread].deadline)
    while q.eligible >= 0 and not _eligible(kernel, sim, cpu, kernel.entities[q.eligible].v):
        thread = q.eligible
        q.eligible = pairing.pop(kernel.nodes, thread)
        kernel.entities[thread].place = LATER
        q.later = pairing.push(kernel.nodes, q.later, thread, kernel.entities[thread].v)
    return q.eligible


@njit
def _place(kernel: State, sim: Sim, cpu: int, thread: int, new: bool) -> None:
    e = kernel.entities[thread]
    key, weight = _sums(kernel, sim, cpu)
    lag = e.lag
    # adding the thread moves V; inflate its lag so that it keeps what it had (place_entity)
    lag = lag * (weight + e.weight) // weight if weight > 0 else 0
    e.v = kernel.queues[cpu].zero + (key // weight if weight > 0 else 0) - lag
    slice_ns = _virtual(e, kernel.slice_ns)
    e.deadline = e.v + (slice_ns // 2 if new else slice_ns)


@implements(hooks.select_cpu, State)
def _select_cpu(kernel: State, sim: Sim, thread: int, waker_cpu: int) -> int:
    return wake_placement(sim, thread, waker_cpu)


@implements(hooks.enqueue, State)
def _enqueue(kernel: State, sim: Sim, cpu: int, thread: int, why: int) -> None:
    e = kernel.entities[thread]
    if why != PREEMPTED and why != YIELD:
        _place(kernel, sim, cpu, thread, why == SPAWN)
    elif why == YIELD:  # yield_task_fair: give up the rest of the request
        e.deadline += _virtual(e, kernel.slice_ns)
        if _eligible(kernel, sim, cpu, e.v):
            e.v = max(e.v, _mean(kernel, sim, cpu))
    # the running thread counts in the sums until it is queued; see reschedule in engine/kernel.py
    _insert(kernel, sim, cpu, thread)


@implements(hooks.pick_next, State)
def _pick_next(kernel: State, sim: Sim, cpu: int) -> int:
    q = kernel.queues[cpu]
    thread = _best(kernel, sim, cpu)
    if thread < 0:
        thread = q.later  # rounding of V can leave nobody eligible
    if thread >= 0:
        _take(kernel, cpu, thread)
    return thread


@implements(hooks.balance, State)
def _balance(kernel: State, sim: Sim, cpu: int) -> int:
    source = busiest(sim, cpu)
    if source < 0:
        return NONE
    thread = _best(kernel, sim, source)
    if thread < 0:
        thread = kernel.queues[source].later
    e = kernel.entities[thread]
    # a lone waiter that just ran would find its cache warm where it is
    if sim.world[0].now - e.ran_at < kernel.migration_cost_ns and sim.cpus[source].queued < 2:
        return NONE
    e.lag = _mean(kernel, sim, source) - e.v
    _take(kernel, source, thread)
    _place(kernel, sim, cpu, thread, False)
    return thread


@implements(hooks.running, State)
def _running(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    e = kernel.entities[thread]
    _move_zero(kernel, sim, cpu)
    e.protected = min(e.deadline, e.v + _virtual(e, kernel.slice_ns))


@implements(hooks.stopping, State)
def _stopping(kernel: State, sim: Sim, cpu: int, thread: int, ran_ns: int) -> None:
    e = kernel.entities[thread]
    e.v += _virtual(e, ran_ns)
    e.ran_at = sim.world[0].now


@njit
def _renew(kernel: State, entity: Any) -> bool:
    if entity.v < entity.deadline:
        return False
    entity.deadline = entity.v + _virtual(entity, kernel.slice_ns)
    return True


@implements(hooks.preempts, State)
def _preempts(kernel: State, sim: Sim, cpu: int, thread: int) -> bool:
    current = kernel.entities[sim.cpus[cpu].thread]
    expired = _renew(kernel, current)
    eligible = _eligible(kernel, sim, cpu, current.v)
    if eligible and not expired and current.v < current.protected:
        return False
    best = _best(kernel, sim, cpu)
    if best != thread:
        return False
    return not eligible or kernel.entities[best].deadline < current.deadline


@implements(hooks.tick, State)
def _tick(kernel: State, sim: Sim, cpu: int) -> bool:
    current = kernel.entities[sim.cpus[cpu].thread]
    return _renew(kernel, current) or current.v >= current.protected


@implements(hooks.blocking, State)
def _blocking(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    e = kernel.entities[thread]
    _renew(kernel, e)
    limit = _virtual(e, kernel.slice_ns + kernel.tick_ns)
    lag = _mean(kernel, sim, cpu) - e.v
    e.lag = min(max(lag, -limit), limit)


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    entities = records(sizes.threads, ENTITY)
    entities.weight[:] = 1024
    queues = records(sizes.cpus, QUEUE)
    queues.eligible[:] = NONE
    queues.later[:] = NONE
    scale = 1 + int(np.log2(min(sizes.cpus, 8)))  # sched_update_scaling: 1 + ilog2 of the CPUs, at most 8
    return State(
        entities,
        queues,
        records(sizes.threads, pairing.NODE),
        parameters["base_slice_ns"] * scale,
        parameters["migration_cost_ns"],
        parameters["tick_period_ns"],
    )


POLICY = KernelPolicy(
    name="eevdf",
    title="Linux fair class since 6.6 (EEVDF)",
    module=__name__,
    state=_state,
    parameters=(
        Parameter("base_slice_ns", 700_000, "ns", "slice on one CPU; times 1 + log2 of the CPUs (6.18: 0.7 ms)", 1000),
        Parameter("migration_cost_ns", 500_000, "ns", "a thread that ran this recently counts as cache hot"),
    ),
)
