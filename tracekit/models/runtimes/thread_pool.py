"""A fixed number of worker threads over one shared queue of tasks: an executor.

Rules (CPython's Lib/concurrent/futures/thread.py; java.util.concurrent.ThreadPoolExecutor with an unbounded queue):
* Tasks are taken first in first out. Whoever submits one wakes an idle worker; when none idles, a thread is
  made until there are `workers` of them.
* A worker runs its task to the end. While the task waits, for whatever reason, the worker waits with it in the
  kernel: lost capacity, and when all wait for tasks that are still in the queue, a deadlock.
* Where and how long workers run is the kernel policy's affair; the pool itself preempts nobody.

Assumptions: taking a task and submitting one cost what taking a lock costs; waits and wakeups what they cost any
thread. A task that yields goes on: its worker has nothing else to do (sched_yield's effect on other threads is
left out).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import PARK, implements
from tracekit.engine.kernel import wake_thread
from tracekit.engine.record import add_memory, charge
from tracekit.engine.state import HOSTED, NATIVE, NONE, O_RUNTIME, O_SPAWN, RUNNING, Records, Sim, records
from tracekit.engine.waiting import mark_ready
from tracekit.jit import njit
from tracekit.models.model import Parameter, Runtime, Sizes
from tracekit.models.runtimes.fifo_queue import append, empty_queues, take

POOL = np.dtype([("first", "i4"), ("made", "i4"), ("idle", "i4")])


class State(Handle):
    """One row of `pool`, the queue, by kernel thread the next idle one, and by worker a task that yielded."""

    pool: Records
    queues: Records
    following: Any
    kept: Any


@njit
def _pay(sim: Sim, cpu: int, kind: int, duration_ns: int) -> None:
    """Charged to the task that runs on cpu; a timer's submission costs nobody."""
    if cpu < 0:
        return
    thread = sim.cpus[cpu].thread
    task = sim.threads[thread].task if thread >= 0 else NONE
    charge(sim, cpu, task if task >= 0 and sim.tasks[task].state == RUNNING else NONE, kind, duration_ns)


@njit
def _start_worker(rt: State, kernel: Any, sim: Sim, cpu: int) -> None:
    pool = rt.pool[0]
    costs = sim.costs[HOSTED]
    thread = pool.idle
    if thread >= 0:
        pool.idle = rt.following[thread]
        _pay(sim, cpu, O_RUNTIME, costs.thread_wake)
        wake_thread(kernel, sim, thread, cpu, False)
    elif pool.first + pool.made < sim.threads.size:
        thread = pool.first + pool.made
        pool.made += 1
        _pay(sim, cpu, O_SPAWN, costs.thread_spawn)
        add_memory(sim, costs.thread_resident, costs.thread_virtual)
        wake_thread(kernel, sim, thread, cpu, True)


@implements(hooks.ready, State)
def _ready(rt: State, kernel: Any, sim: Sim, task: int, cpu: int) -> None:
    if sim.tasks[task].thread >= 0:
        wake_thread(kernel, sim, sim.tasks[task].thread, cpu, False)
        return
    append(rt.queues, sim, 0, task)
    _start_worker(rt, kernel, sim, cpu)


@implements(hooks.expired, State)
def _expired(rt: State, kernel: Any, sim: Sim, task: int, network: bool) -> None:
    mark_ready(sim, task, NONE, NONE)
    wake_thread(kernel, sim, sim.tasks[task].thread, NONE, False)


@implements(hooks.blocks_thread, State)
def _blocks_thread(rt: State, sim: Sim, task: int) -> bool:
    return True


@implements(hooks.requeue, State)
def _requeue(rt: State, kernel: Any, sim: Sim, cpu: int, task: int, why: int) -> None:
    rt.kept[sim.cpus[cpu].thread] = task


@implements(hooks.next_task, State)
def _next_task(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int) -> int:
    task = rt.kept[thread]
    rt.kept[thread] = NONE
    if task < 0:
        task = take(rt.queues, sim, 0)
    if task >= 0:
        return task
    rt.following[thread] = rt.pool[0].idle
    rt.pool[0].idle = thread
    return PARK


def _workers(cpus: int, parameters: Mapping[str, int]) -> int:
    return parameters["workers"] or min(32, cpus + 4)


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    pool = records(1, POOL)
    pool.first[:] = sizes.threads - sizes.own_threads
    pool.idle[:] = NONE
    none = np.full(sizes.threads, NONE, np.int32)
    return State(pool, empty_queues(1), none, none.copy())


def _costs(rows: Any, parameters: Mapping[str, int]) -> None:
    for name in ("block", "wake", "lock", "channel", "yield_", "syscall", "timer_slack", "page_fault"):
        rows[name][HOSTED] = rows[name][NATIVE]
    for name in ("switch", "spawn"):
        rows[name][HOSTED] = rows.lock[NATIVE]
    for name in ("exit", "resident", "virtual"):
        rows[name][HOSTED] = 0
    rows.stack[HOSTED] = 1 << 40  # the worker's own


RUNTIME = Runtime(
    name="thread_pool",
    title="a fixed number of worker threads over one shared queue",
    module=__name__,
    state=_state,
    threads=lambda tasks, cpus, parameters: _workers(cpus, parameters),
    hosted=True,
    parameters=(Parameter("workers", 0, "count", "worker threads; 0: min(32, CPUs + 4)", 0, 100_000),),
    costs=_costs,
)
