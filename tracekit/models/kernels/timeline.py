"""The queue of Linux's fair class since 6.6: threads on a line of virtual time, and its weighted mean V.

Sums are kept relative to `zero`, as the kernel does, to stay small (avg_vruntime, zero_vruntime). Two heaps per
CPU hold eligible threads by deadline and the others by v; a thread that V has passed moves over when the CPU picks,
and one that lost eligibility moves back, so that the pick is exact. A list per CPU keeps who joined when, for
balancing (rq->cfs_tasks).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine.handles import Handle
from tracekit.engine.state import NONE, Records, Sim
from tracekit.jit import njit
from tracekit.models.kernels import pairing

QUEUED_NOT, ELIGIBLE, LATER = 0, 1, 2

ENTITY = np.dtype([
    ("v", "i8"), ("deadline", "i8"), ("lag", "i8"), ("protected", "i8"), ("weight", "i8"), ("ran_at", "i8"),
    ("joined", "i8"),
    ("place", "i1"), ("delayed", "i1"), ("older", "i4"), ("younger", "i4"),
], align=True)  # fmt: skip
QUEUE = np.dtype([
    ("zero", "i8"), ("sum_weight", "i8"), ("sum_key", "i8"), ("eligible", "i4"), ("later", "i4"), ("count", "i4"),
    ("delayed", "i4"), ("oldest", "i4"), ("youngest", "i4"), ("joins", "i8"),
], align=True)  # fmt: skip


class State(Handle):
    """Entities by thread, queues by CPU."""

    entities: Records
    queues: Records
    nodes: Records
    wakees: Records
    domains: Records
    slice_ns: int
    migration_cost_ns: int
    tick_ns: int
    version: int
    clip_delayed: int
    delay: int
    spread: int
    newidle: int


@njit
def virtual(entity: Any, ran_ns: int) -> int:
    """Virtual time that an entity's weight makes of ran_ns (calc_delta_fair)."""
    return ran_ns if entity.weight == 1024 else ran_ns * 1024 // entity.weight


@njit
def sums(kernel: State, sim: Sim, cpu: int) -> tuple[int, int]:
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
def mean(kernel: State, sim: Sim, cpu: int) -> int:
    """V, rounded down (avg_vruntime)."""
    key, weight = sums(kernel, sim, cpu)
    return kernel.queues[cpu].zero + (key // weight if weight > 0 else 0)


@njit
def eligible(kernel: State, sim: Sim, cpu: int, v: int) -> bool:
    """Whether v <= V, without rounding (vruntime_eligible)."""
    key, weight = sums(kernel, sim, cpu)
    return key >= (v - kernel.queues[cpu].zero) * weight


@njit
def clamped_lag(kernel: State, sim: Sim, cpu: int, entity: Any) -> int:
    """V - v, within one slice and a tick of 0 (entity_lag)."""
    limit = virtual(entity, kernel.slice_ns + kernel.tick_ns)
    return min(max(mean(kernel, sim, cpu) - entity.v, -limit), limit)


@njit
def insert(kernel: State, cpu: int, thread: int) -> None:
    """The thread joins cpu's queue at its v and deadline."""
    q = kernel.queues[cpu]
    e = kernel.entities[thread]
    q.sum_key += (e.v - q.zero) * e.weight
    q.sum_weight += e.weight
    q.count += 1
    q.joins += 1
    e.joined = q.joins
    e.place = LATER
    q.later = pairing.push(kernel.nodes, q.later, thread, e.v, e.joined)
    e.older = q.youngest
    e.younger = NONE
    if q.youngest >= 0:
        kernel.entities[q.youngest].younger = thread
    else:
        q.oldest = thread
    q.youngest = thread


@njit
def take(kernel: State, cpu: int, thread: int) -> None:
    """The thread leaves cpu's queue."""
    q = kernel.queues[cpu]
    e = kernel.entities[thread]
    if e.place == ELIGIBLE:
        q.eligible = pairing.remove(kernel.nodes, q.eligible, thread)
    else:
        q.later = pairing.remove(kernel.nodes, q.later, thread)
    e.place = QUEUED_NOT
    q.sum_key -= (e.v - q.zero) * e.weight
    q.sum_weight -= e.weight
    q.count -= 1
    if e.older >= 0:
        kernel.entities[e.older].younger = e.younger
    else:
        q.oldest = e.younger
    if e.younger >= 0:
        kernel.entities[e.younger].older = e.older
    else:
        q.youngest = e.older


@njit
def move_zero(kernel: State, sim: Sim, cpu: int) -> None:
    """Keep the sums small: measure from V as it is now (update_zero_vruntime)."""
    q = kernel.queues[cpu]
    now = mean(kernel, sim, cpu)
    q.sum_key -= (now - q.zero) * q.sum_weight
    q.zero = now


@njit
def best(kernel: State, sim: Sim, cpu: int) -> int:
    """The queued eligible thread with the earliest deadline; -1 when none is eligible (pick_eevdf)."""
    q = kernel.queues[cpu]
    while q.later >= 0 and eligible(kernel, sim, cpu, kernel.entities[q.later].v):
        thread = q.later
        q.later = pairing.pop(kernel.nodes, thread)
        e = kernel.entities[thread]
        e.place = ELIGIBLE
        q.eligible = pairing.push(kernel.nodes, q.eligible, thread, e.deadline, e.joined)
    while q.eligible >= 0 and not eligible(kernel, sim, cpu, kernel.entities[q.eligible].v):
        thread = q.eligible
        q.eligible = pairing.pop(kernel.nodes, thread)
        e = kernel.entities[thread]
        e.place = LATER
        q.later = pairing.push(kernel.nodes, q.later, thread, e.v, e.joined)
    return q.eligible


@njit
def place(kernel: State, sim: Sim, cpu: int, entity: Any) -> None:
    """Put v where the entity has its lag again: V - lag, inflated for the V that it will itself move (place_entity)."""
    key, weight = sums(kernel, sim, cpu)
    v = kernel.queues[cpu].zero
    if weight > 0:
        v += key // weight - entity.lag * (weight + entity.weight) // weight
    entity.v = v


@njit
def finish_dequeue(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    """A sleeper that stayed in the queue leaves it; what it owed has shrunk, and it gains nothing (DELAY_ZERO)."""
    e = kernel.entities[thread]
    e.lag = min(max(clamped_lag(kernel, sim, cpu, e), e.lag), 0)
    e.delayed = 0
    kernel.queues[cpu].delayed -= 1
    take(kernel, cpu, thread)


@njit
def pick(kernel: State, sim: Sim, cpu: int) -> int:
    """Who runs next, still in the queue; sleepers that get picked leave it (pick_next_entity). -1: nobody."""
    while True:
        thread = best(kernel, sim, cpu)
        if thread < 0:
            thread = kernel.queues[cpu].later  # a single thread runs, eligible or not
        if thread < 0 or kernel.entities[thread].delayed == 0:
            return thread
        finish_dequeue(kernel, sim, cpu, thread)
