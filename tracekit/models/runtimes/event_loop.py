"""One thread runs all tasks as callbacks: an event loop as in Python's asyncio, or libuv without its own timers.

Rules, with their place in CPython's Lib/asyncio and Lib/concurrent:
* One ready queue, first in first out. A round runs exactly the entries that are there when it begins; what they make
  ready waits for the next round (base_events.py: _run_once).
* A round begins with a poll: with work in the queue it only looks, without it waits for a socket or the next timer.
  What the poll found comes behind what was ready, sockets before timers (_run_once: _process_events, then _scheduled).
* The poll's timeout is in whole milliseconds, rounded up (selectors.py: EpollSelector.select).
* Nothing takes the loop from a task: it runs until it waits or yields, and whoever computes stalls all others.
* A system call or file I/O goes to a pool of threads (run_in_executor). It has at most `pool` of them,
  min(32, CPUs + 4) by default (thread.py: ThreadPoolExecutor); a thread is made when none is idle. When a call
  is done, its thread puts the task into the ready queue and wakes the loop (call_soon_threadsafe).

Assumptions: a lock or channel costs nothing beyond the callback that uses it; a task has no stack of its own.
callback_ns and poll_ns were measured with asyncio of CPython 3.11 on the reference machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import AGAIN, PARK, implements
from tracekit.engine.kernel import wake_thread
from tracekit.engine.queue import arm, disarm, runtime_slot, task_slot, thread_slot
from tracekit.engine.record import add_memory, charge
from tracekit.engine.state import (
    HOSTED,
    NONE,
    O_RUNTIME,
    O_SPAWN,
    R_IO,
    R_SYSCALL,
    Records,
    Sim,
    records,
)  # fmt: skip
from tracekit.engine.waiting import mark_ready
from tracekit.jit import njit
from tracekit.models.model import Parameter, Runtime, Sizes
from tracekit.models.runtimes.fifo_queue import append, empty_queues, take

READY, SOCKETS, TIMERS, CALLS = 0, 1, 2, 3  # queues of tasks
TIMEOUT = 0  # the runtime's event: the poll's timeout is over
LOOP = np.dtype([
    ("left", "i8"), ("polling_since", "i8"), ("thread", "i4"), ("idle", "i4"), ("made", "i4"),
    ("started", "i1"), ("waits", "i1"), ("polled", "i1"),
], align=True)  # fmt: skip


class State(Handle):
    """One row of `loop`, the queues, and by kernel thread of the pool its call and the next idle one."""

    loop: Records
    queues: Records
    calls: Any
    following: Any
    poll_ns: int
    resolution_ns: int


@njit
def _wake_loop(rt: State, kernel: Any, sim: Sim, cpu: int) -> None:
    loop = rt.loop[0]
    if loop.started == 0:
        loop.started = 1
        wake_thread(kernel, sim, loop.thread, cpu, True)
    elif loop.waits:
        loop.waits = 0
        loop.polled = 1
        disarm(sim, runtime_slot(sim, TIMEOUT))
        wake_thread(kernel, sim, loop.thread, cpu, False)


@implements(hooks.ready, State)
def _ready(rt: State, kernel: Any, sim: Sim, task: int, cpu: int) -> None:
    append(rt.queues, sim, READY, task)
    _wake_loop(rt, kernel, sim, cpu)


@implements(hooks.requeue, State)
def _requeue(rt: State, kernel: Any, sim: Sim, cpu: int, task: int, why: int) -> None:
    append(rt.queues, sim, READY, task)


@implements(hooks.expired, State)
def _expired(rt: State, kernel: Any, sim: Sim, task: int, network: bool) -> None:
    append(rt.queues, sim, SOCKETS if network else TIMERS, task)
    loop = rt.loop[0]
    if loop.waits and network:
        _wake_loop(rt, kernel, sim, NONE)
    elif loop.waits and sim.slots[runtime_slot(sim, TIMEOUT)] < 0:
        waited = sim.world[0].now - loop.polling_since
        late = (waited + rt.resolution_ns - 1) // rt.resolution_ns * rt.resolution_ns
        arm(sim, runtime_slot(sim, TIMEOUT), loop.polling_since + late)


@implements(hooks.alarm, State)
def _alarm(rt: State, kernel: Any, sim: Sim, slot: int) -> None:
    _wake_loop(rt, kernel, sim, NONE)


@implements(hooks.blocks_thread, State)
def _blocks_thread(rt: State, sim: Sim, task: int) -> bool:
    return False


@implements(hooks.parking, State)
def _parking(rt: State, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    waiting = sim.tasks[task].waiting
    if waiting != R_IO and waiting != R_SYSCALL:
        return
    disarm(sim, task_slot(sim, task))  # the call takes its time when a thread of the pool makes it
    append(rt.queues, sim, CALLS, task)
    loop = rt.loop[0]
    costs = sim.costs[HOSTED]
    thread = loop.idle
    if thread >= 0:
        loop.idle = rt.following[thread]
        charge(sim, cpu, NONE, O_RUNTIME, costs.thread_wake)
        wake_thread(kernel, sim, thread, cpu, False)
    elif loop.thread + 1 + loop.made < sim.threads.size:
        loop.made += 1
        charge(sim, cpu, NONE, O_SPAWN, costs.thread_spawn)
        add_memory(sim, costs.thread_resident, costs.thread_virtual)
        wake_thread(kernel, sim, loop.thread + loop.made, cpu, True)


@njit
def _next_call(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int) -> int:
    """A thread of the pool: hand over the call that is done, make the next, or go idle."""
    done = rt.calls[thread]
    if done >= 0:
        rt.calls[thread] = NONE
        sim.tasks[done].pc += 1
        mark_ready(sim, done, NONE, cpu)
        append(rt.queues, sim, READY, done)
        if rt.loop[0].waits:
            charge(sim, cpu, NONE, O_RUNTIME, sim.costs[HOSTED].thread_wake)
        _wake_loop(rt, kernel, sim, cpu)
        return AGAIN
    task = take(rt.queues, sim, CALLS)
    if task >= 0:
        rt.calls[thread] = task
        arm(sim, thread_slot(sim, thread), sim.world[0].now + sim.segments[sim.tasks[task].pc].duration)
    else:
        rt.following[thread] = rt.loop[0].idle
        rt.loop[0].idle = thread
    return PARK


@njit
def _collect(rt: State, sim: Sim, cpu: int) -> None:
    for queue in (SOCKETS, TIMERS):
        task = take(rt.queues, sim, queue)
        while task >= 0:
            mark_ready(sim, task, NONE, cpu)
            append(rt.queues, sim, READY, task)
            task = take(rt.queues, sim, queue)


@implements(hooks.next_task, State)
def _next_task(rt: State, kernel: Any, sim: Sim, cpu: int, thread: int) -> int:
    loop = rt.loop[0]
    if thread != loop.thread:
        return _next_call(rt, kernel, sim, cpu, thread)
    if loop.left == 0 and loop.polled == 0:
        loop.polled = 1
        charge(sim, cpu, NONE, O_RUNTIME, rt.poll_ns)
        return AGAIN
    if loop.left == 0:
        _collect(rt, sim, cpu)
        loop.polled = 0
        loop.left = rt.queues[READY].length
    if loop.left > 0:
        loop.left -= 1
        return take(rt.queues, sim, READY)
    loop.waits = 1
    loop.polling_since = sim.world[0].now
    return PARK


def _pool(cpus: int, parameters: Mapping[str, int]) -> int:
    return parameters["pool"] or min(32, cpus + 4)


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    loop = records(1, LOOP)
    loop.thread[:] = sizes.threads - sizes.own_threads
    loop.idle[:] = NONE
    none = np.full(sizes.threads, NONE, np.int32)
    chosen = (parameters[name] for name in ("poll_ns", "poll_resolution_ns"))
    return State(loop, empty_queues(4), none, none.copy(), *chosen)


def _costs(rows: Any, parameters: Mapping[str, int]) -> None:
    for name in ("block", "wake", "exit", "lock", "channel", "yield_"):
        rows[name][HOSTED] = 0
    for name in ("switch", "spawn"):
        rows[name][HOSTED] = parameters["callback_ns"]
    for name in ("resident", "virtual"):
        rows[name][HOSTED] = parameters["task_bytes"]
    rows.stack[HOSTED] = 1 << 40  # all run on the loop's own


RUNTIME = Runtime(
    name="event_loop",
    title="one thread runs all tasks as callbacks, with a pool for blocking calls",
    module=__name__,
    state=_state,
    threads=lambda tasks, cpus, parameters: 1 + _pool(cpus, parameters),
    hosted=True,
    parameters=(
        Parameter("callback_ns", 800, "ns", "what the loop spends on each callback beyond the callback itself"),
        Parameter("poll_ns", 800, "ns", "a poll: the system call and what it found"),
        Parameter("poll_resolution_ns", 1_000_000, "ns", "resolution of the poll's timeout", 1),
        Parameter("pool", 0, "count", "most threads for blocking calls; 0: min(32, CPUs + 4)", 0, 10_000),
        Parameter("task_bytes", 1_024, "bytes", "memory of a task: its frame and its entry"),
    ),
    costs=_costs,
)
