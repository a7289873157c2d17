"""First in, first out: a thread runs until it blocks, yields or ends; SCHED_FIFO with one priority
(sched(7); kernel/sched/rt.c). Waking threads go to the end of the queue and never take the CPU from another.
A CPU that goes idle pulls the thread that waits longest on the busiest CPU (pull_rt_task).

Left out:
* Several priorities, real-time throttling and the fair server: all threads have one priority, and none is fair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import implements
from tracekit.engine.state import NONE, Records, Sim, records
from tracekit.models.kernels.balancing import busiest
from tracekit.models.kernels.common import RT_PARTS, TICKS
from tracekit.models.kernels.placement import new_wakees, wake_placement
from tracekit.models.model import KernelPolicy, Sizes

QUEUE = np.dtype([("head", "i4"), ("tail", "i4")])


class State(Handle):
    """A linked list of threads per CPU."""

    queues: Records
    following: Any  # int32 by thread
    wakees: Records
    spread: int


@implements(hooks.select_cpu, State)
def select_cpu(kernel: State, sim: Sim, thread: int, waker_cpu: int) -> int:
    """As the fair class places it."""
    return wake_placement(sim, kernel.wakees, kernel.spread, thread, waker_cpu)


@implements(hooks.enqueue, State)
def enqueue(kernel: State, sim: Sim, cpu: int, thread: int, why: int) -> None:
    """To the end, whatever the reason."""
    q = kernel.queues[cpu]
    kernel.following[thread] = NONE
    if q.head < 0:
        q.head = thread
    else:
        kernel.following[q.tail] = thread
    q.tail = thread


@implements(hooks.pick_next, State)
def pick_next(kernel: State, sim: Sim, cpu: int) -> int:
    """The first."""
    thread = kernel.queues[cpu].head
    if thread >= 0:
        kernel.queues[cpu].head = kernel.following[thread]
    return thread


@implements(hooks.balance, State)
def balance(kernel: State, sim: Sim, cpu: int) -> int:
    """The first of the busiest CPU."""
    source = busiest(sim, cpu)
    return hooks.pick_next(kernel, sim, source) if source >= 0 else NONE


def empty_queues(sizes: Sizes) -> tuple[Any, Any]:
    """A queue for each CPU, and by thread the one behind it."""
    queues = records(sizes.cpus, QUEUE)
    queues.head[:] = NONE
    queues.tail[:] = NONE
    return queues, np.full(sizes.threads, NONE, np.int32)


def state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    """Empty queues."""
    return State(*empty_queues(sizes), new_wakees(sizes.threads), parameters["wakes_spread"])


POLICY = KernelPolicy("fifo", "first in, first out (SCHED_FIFO, one priority)", __name__, state, TICKS, RT_PARTS)
