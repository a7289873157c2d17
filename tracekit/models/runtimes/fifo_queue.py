"""Queues of tasks, first in first out, linked through the tasks themselves: a task waits in one queue at a time."""

from __future__ import annotations

import numpy as np

from tracekit.engine.state import NONE, Records, Sim, records
from tracekit.jit import njit

QUEUE = np.dtype([("head", "i4"), ("tail", "i4"), ("length", "i8")], align=True)


def empty_queues(count: int) -> Records:
    """So many empty queues."""
    queues = records(count, QUEUE)
    queues.head[:] = NONE
    return queues


@njit
def append(queues: Records, sim: Sim, queue: int, task: int) -> None:
    """The task goes to the end of a queue."""
    q = queues[queue]
    sim.tasks[task].next = NONE
    if q.head < 0:
        q.head = task
    else:
        sim.tasks[q.tail].next = task
    q.tail = task
    q.length += 1


@njit
def take(queues: Records, sim: Sim, queue: int) -> int:
    """The first of a queue, or -1."""
    q = queues[queue]
    task = q.head
    if task >= 0:
        q.head = sim.tasks[task].next
        q.length -= 1
    return task
