"""Round robin: the thread that waits longest runs next, for at most slice_ns, which is seen at ticks. A new or waking
thread goes to the end of the shortest queue; a CPU that goes idle takes from the longest.

Source: Silberschatz, Galvin, Gagne, Operating System Concepts, on round-robin scheduling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import implements
from tracekit.models.catalog import THREAD
from tracekit.models.model import KernelPolicy, Parameter, Sizes


class State(Handle):
    """By CPU the first and the last thread of its queue; by thread who comes after it."""

    first: Any
    last: Any
    following: Any
    slice_ns: int


@implements(hooks.select_cpu, State)
def select_cpu(kernel: State, sim: Any, thread: int, waker_cpu: int) -> int:
    best, shortest = 0, 1 << 30
    for cpu in range(sim.cpus.size):
        length = sim.cpus[cpu].queued + (1 if sim.cpus[cpu].thread >= 0 else 0)
        if length < shortest:
            best, shortest = cpu, length
    return best


@implements(hooks.enqueue, State)
def enqueue(kernel: State, sim: Any, cpu: int, thread: int, why: int) -> None:
    kernel.following[thread] = -1
    if kernel.first[cpu] < 0:
        kernel.first[cpu] = thread
    else:
        kernel.following[kernel.last[cpu]] = thread
    kernel.last[cpu] = thread


@implements(hooks.pick_next, State)
def pick_next(kernel: State, sim: Any, cpu: int) -> int:
    thread = kernel.first[cpu]
    if thread >= 0:
        kernel.first[cpu] = kernel.following[thread]
    return thread


@implements(hooks.balance, State)
def balance(kernel: State, sim: Any, cpu: int) -> int:
    source, longest = cpu, 0
    for other in range(sim.cpus.size):
        if sim.cpus[other].queued > longest:
            source, longest = other, sim.cpus[other].queued
    return hooks.pick_next(kernel, sim, source) if longest > 0 else -1


@implements(hooks.time_slice, State)
def time_slice(kernel: State, sim: Any, cpu: int, thread: int) -> int:
    return kernel.slice_ns


def state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    first, last = (np.full(sizes.cpus, -1, np.int32) for _ in range(2))
    return State(first, last, np.full(sizes.threads, -1, np.int32), parameters["slice_ns"])


SLICE = Parameter("slice_ns", 100_000_000, "ns", "longest turn while others wait", 1000)
MODEL = replace(THREAD, name="turns", kernel=KernelPolicy("turns", "round robin", __name__, state, (SLICE,)))
