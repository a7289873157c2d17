"""Linux's fair class since 6.6: earliest eligible virtual deadline first.

Rules (kernel/sched/fair.c of 6.18, with the place each is found):
* Every thread has a virtual run time v, a deadline d and a lag. Running adds dt * 1024 / weight to v
  (update_curr, calc_delta_fair); the weight comes from the nice value (sched_prio_to_weight in core.c). V is the
  weighted mean of v over the queue and the running thread (avg_vruntime). A thread is eligible when v <= V
  (entity_eligible).
* The eligible thread with the earliest deadline runs (pick_eevdf). When v reaches d, the deadline moves on by
  slice / weight and the thread has to let others choose (update_deadline). That is seen where the time is accounted:
  at a tick, as there is no HRTICK, and when a thread wakes on that CPU while another waits there already.
* A thread that was picked is protected until its deadline (RUN_TO_PARITY, set_protect_slice: all slices are equal).
* A thread that blocks while it is eligible leaves with its lag V - v, clamped to one slice and a tick
  (update_entity_lag), and is placed at V - lag when it wakes, with the deadline one slice on (place_entity). One that
  is not eligible stays in the queue, asleep, and its v goes on counting in V until it gets picked or wakes
  (DELAY_DEQUEUE); then it leaves, or goes on, with what it still owes, but without a gain (DELAY_ZERO). Woken
  before that, it does not choose a CPU (ttwu_runnable).
* A new thread has lag 0 and half a slice (PLACE_DEADLINE_INITIAL).
* A woken thread takes the CPU at once if it would be picked: when the running thread is not eligible at that
  instant, or its protection is over (check_preempt_wakeup_fair). From 6.19 on a new thread does not, and sleepers
  in the way of the pick leave the queue first.
* What the waker does after such a wakeup is accounted to the thread it woke (wakeup_preempt in core.c:
  rq_clock_skip_update).
* A yield of an eligible thread gives up the rest of its request: v becomes d (yield_task_fair).
* A thread that another CPU pulls keeps its lag and the time to its deadline (PLACE_REL_DEADLINE).

`clip_delayed`: 6.18.44, as recorded on the reference machine, leaves a woken sleeper where it stands though V has
passed it, so it is ahead by that: update_entity_lag tells that the lag was clipped, but the entity is not moved.
With this, 98 % of 3,003 wakeups of a recorded pipe ping-pong preempt or not as recorded; clipped, 0.2 % do.
Other versions (clip_delayed=1) move it to V.

Of equal deadlines the one that joined the queue first runs. All CPUs share one last-level cache.

Left out:
* Groups (autogroup), SCHED_IDLE and SCHED_BATCH: programs do not say them.
* Slices of a thread's own (sched_setattr) and preemption by shorter ones (PREEMPT_SHORT): all slices are equal.
* Buddies (NEXT_BUDDY): off as is the default; then sync wakeups change no preemption either.
* Lazy preemption (PREEMPT_LAZY): a thread leaves when it is to, as in the preemption models before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracekit.engine import hooks
from tracekit.engine.hooks import MIGRATED, SPAWN, WAKEUP, YIELD, implements
from tracekit.engine.state import NONE, Sim, records
from tracekit.jit import njit
from tracekit.models.kernels import pairing
from tracekit.models.kernels.balancing import DOMAIN, busiest, insists, puller, settle
from tracekit.models.kernels.common import BANDWIDTH, FAIR_PARTS, SCALING, TICKS, time_scale
from tracekit.models.kernels.placement import new_wakees, wake_placement
from tracekit.models.kernels.timeline import (
    ENTITY,
    QUEUE,
    State,
    best,
    clamped_lag,
    eligible,
    finish_dequeue,
    insert,
    mean,
    move_zero,
    pick,
    place,
    take,
    virtual,
)  # fmt: skip
from tracekit.models.model import KernelPolicy, Parameter, Sizes

SCANNED = 32  # detach_tasks looks at this many threads (sched_nr_migrate_break)


@implements(hooks.select_cpu, State)
def _select_cpu(kernel: State, sim: Sim, thread: int, waker_cpu: int) -> int:
    if kernel.entities[thread].delayed:
        return sim.threads[thread].cpu
    return wake_placement(sim, kernel.wakees, kernel.spread, thread, waker_cpu)


@njit
def _requeue_delayed(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    """A sleeper wakes before it left the queue (requeue_delayed_entity)."""
    e = kernel.entities[thread]
    e.delayed = 0
    kernel.queues[cpu].delayed -= 1
    lag = mean(kernel, sim, cpu) - e.v
    clipped = min(max(lag, e.lag), 0)
    if lag == clipped or (lag > 0 and not kernel.clip_delayed):
        return
    e.lag = clipped
    take(kernel, cpu, thread)
    place(kernel, sim, cpu, e)
    e.deadline = e.v + virtual(e, kernel.slice_ns)
    insert(kernel, cpu, thread)


@implements(hooks.enqueue, State)
def _enqueue(kernel: State, sim: Sim, cpu: int, thread: int, why: int) -> None:
    e = kernel.entities[thread]
    if why == WAKEUP and e.delayed:
        _requeue_delayed(kernel, sim, cpu, thread)
        return
    if why == SPAWN:
        e.weight = sim.threads[thread].weight
    if why in (WAKEUP, SPAWN):
        place(kernel, sim, cpu, e)
        slice_ns = virtual(e, kernel.slice_ns)
        e.deadline = e.v + (slice_ns // 2 if why == SPAWN else slice_ns)
    elif why == MIGRATED:
        _place_pulled(kernel, sim, cpu, thread)
    elif why == YIELD:
        _renew(kernel, e)
        if eligible(kernel, sim, cpu, e.v):
            e.v = e.deadline
            e.deadline += virtual(e, kernel.slice_ns)
    # the running thread counts in the sums until it is queued; see reschedule in engine/kernel.py
    insert(kernel, cpu, thread)


@implements(hooks.pick_next, State)
def _pick_next(kernel: State, sim: Sim, cpu: int) -> int:
    thread = pick(kernel, sim, cpu)
    if thread >= 0:
        take(kernel, cpu, thread)
    return thread


@njit
def _detach(kernel: State, sim: Sim, source: int, hot_too: bool) -> int:
    """Take a thread out of source's queue that may move: who joined first is looked at first (detach_tasks)."""
    thread = kernel.queues[source].oldest
    now = sim.world[0].now
    for _ in range(SCANNED):
        if thread < 0:
            return NONE
        e = kernel.entities[thread]
        if not e.delayed and (hot_too or now - e.ran_at >= kernel.migration_cost_ns):
            e.lag = clamped_lag(kernel, sim, source, e)
            take(kernel, source, thread)
            return thread
        thread = e.younger
    return NONE


@njit
def _place_pulled(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    e = kernel.entities[thread]
    left = e.deadline - e.v
    place(kernel, sim, cpu, e)
    e.deadline = e.v + left


@implements(hooks.balance, State)
def _balance(kernel: State, sim: Sim, cpu: int) -> int:
    while kernel.queues[cpu].oldest >= 0:  # nobody else is left: sleepers are picked, and leave
        finish_dequeue(kernel, sim, cpu, kernel.queues[cpu].oldest)
    source = busiest(sim, cpu) if kernel.newidle else NONE
    if source < 0:
        return NONE
    thread = _detach(kernel, sim, source, False)
    if thread >= 0:
        _place_pulled(kernel, sim, cpu, thread)
    return thread


@implements(hooks.rebalance, State)
def _rebalance(kernel: State, sim: Sim, cpu: int) -> tuple[int, int]:
    to = puller(kernel.domains, sim, cpu, kernel.tick_ns)
    if to < 0:
        return NONE, NONE
    thread = _detach(kernel, sim, cpu, insists(kernel.domains, to))
    settle(kernel.domains, to, thread)
    return thread, to


@implements(hooks.lingers, State)
def _lingers(kernel: State, sim: Sim, cpu: int) -> bool:
    return kernel.queues[cpu].delayed > 0


@implements(hooks.running, State)
def _running(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    e = kernel.entities[thread]
    move_zero(kernel, sim, cpu)
    e.protected = e.deadline


@implements(hooks.stopping, State)
def _stopping(kernel: State, sim: Sim, cpu: int, thread: int, ran_ns: int) -> None:
    e = kernel.entities[thread]
    e.v += virtual(e, ran_ns)
    e.ran_at = sim.world[0].now


@njit
def _renew(kernel: State, entity: Any) -> bool:
    if entity.v < entity.deadline:
        return False
    entity.deadline = entity.v + virtual(entity, kernel.slice_ns)
    return True


@implements(hooks.preempts, State)
def _preempts(kernel: State, sim: Sim, cpu: int, thread: int) -> bool:
    current = kernel.entities[sim.cpus[cpu].thread]
    over = _renew(kernel, current) or current.v >= current.protected
    if over and kernel.queues[cpu].count > 1:
        return True
    may_stay = eligible(kernel, sim, cpu, current.v)
    if may_stay and not over:
        return False
    if kernel.version > 618:
        if sim.threads[thread].cpu == NONE:
            return False
        first = pick(kernel, sim, cpu)
    else:
        first = best(kernel, sim, cpu)
    return first == thread and (not may_stay or kernel.entities[first].deadline < current.deadline)


@implements(hooks.tick, State)
def _tick(kernel: State, sim: Sim, cpu: int) -> bool:
    current = kernel.entities[sim.cpus[cpu].thread]
    return _renew(kernel, current) or current.v >= current.protected


@implements(hooks.blocking, State)
def _blocking(kernel: State, sim: Sim, cpu: int, thread: int) -> None:
    e = kernel.entities[thread]
    _renew(kernel, e)
    e.lag = clamped_lag(kernel, sim, cpu, e)
    if kernel.delay and kernel.queues[cpu].count > 0 and not eligible(kernel, sim, cpu, e.v):
        e.delayed = 1
        kernel.queues[cpu].delayed += 1
        insert(kernel, cpu, thread)


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    queues = records(sizes.cpus, QUEUE)
    for field in ("eligible", "later", "oldest", "youngest"):
        queues[field][:] = NONE
    entities = records(sizes.threads, ENTITY)
    entities.weight[:] = 1024
    return State(
        entities,
        queues,
        records(sizes.threads, pairing.NODE),
        new_wakees(sizes.threads),
        records(sizes.cpus, DOMAIN),
        parameters["base_slice_ns"] * time_scale(sizes, parameters),
        parameters["migration_cost_ns"],
        parameters["tick_period_ns"],
        parameters["version"],
        parameters["clip_delayed"],
        parameters["delay_dequeue"],
        parameters["wakes_spread"],
        parameters["newidle_pulls"],
    )


POLICY = KernelPolicy(
    name="eevdf",
    title="Linux fair class since 6.6 (EEVDF)",
    module=__name__,
    state=_state,
    parameters=(
        Parameter("base_slice_ns", 700_000, "ns", "slice on one CPU; times 1 + log2 of the CPUs (6.18: 0.7 ms)", 1000),
        Parameter("migration_cost_ns", 500_000, "ns", "a thread that ran this recently counts as cache hot"),
        Parameter("version", 618, "count", "wakeup preemption as in Linux 6.18 (618), or in 6.19 and later (619)", 606),
        Parameter("delay_dequeue", 1, "count", "1: sleepers that are not eligible stay queued (6.12 on); 0: not", 0, 1),
        Parameter(
            "clip_delayed", 0, "count", "1: a sleeper that wakes in the queue moves back to V; 0: it stays", 0, 1
        ),
        *SCALING,
        *TICKS,
        *BANDWIDTH,
    ),
    parts=FAIR_PARTS,
)
