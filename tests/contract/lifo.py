"""A third party's model: threads on a kernel policy that runs the last to come first. One file, no registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import implements
from tracekit.models.catalog import THREAD
from tracekit.models.model import KernelPolicy, Sizes


class State(Handle):
    """A stack of threads per CPU: the top by CPU, and what is below by thread."""

    top: Any
    below: Any


@implements(hooks.select_cpu, State)
def select_cpu(kernel: State, sim: Any, thread: int, waker_cpu: int) -> int:
    return thread % sim.cpus.size


@implements(hooks.enqueue, State)
def enqueue(kernel: State, sim: Any, cpu: int, thread: int, why: int) -> None:
    kernel.below[thread] = kernel.top[cpu]
    kernel.top[cpu] = thread


@implements(hooks.pick_next, State)
def pick_next(kernel: State, sim: Any, cpu: int) -> int:
    thread = kernel.top[cpu]
    kernel.top[cpu] = kernel.below[thread]
    return thread


def state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    return State(np.full(sizes.cpus, -1, np.int32), np.full(sizes.threads, -1, np.int32))


MODEL = replace(THREAD, name="lifo", kernel=KernelPolicy("lifo", "last in, first out", __name__, state))
