"""Models that break the rules: a kernel policy, in the way that its parameter `breaks` says, and a runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import implements
from tracekit.engine.kernel import wake_thread
from tracekit.models.catalog import THREAD
from tracekit.models.kernels import fifo
from tracekit.models.model import KernelPolicy, Parameter, Runtime, Sizes

PICKS_A_RUNNING_ONE, CHOOSES_A_CPU, PICKS_NOBODY, PULLS_A_RUNNING_ONE, PUSHES_A_RUNNING_ONE, PUSHES_TO_A_CPU = range(6)
NOWHERE = 99


class State(Handle):
    """As fifo's, and which rule is broken."""

    queues: Any
    following: Any
    breaks: int


implements(hooks.enqueue, State)(fifo.enqueue)


@implements(hooks.select_cpu, State)
def select_cpu(kernel: State, sim: Any, thread: int, waker_cpu: int) -> int:
    if kernel.breaks == CHOOSES_A_CPU:
        return NOWHERE
    return thread % sim.cpus.size if kernel.breaks == PULLS_A_RUNNING_ONE else 0


@implements(hooks.pick_next, State)
def pick_next(kernel: State, sim: Any, cpu: int) -> int:
    thread = kernel.queues[cpu].head
    if kernel.breaks == PICKS_NOBODY:
        return -1
    kernel.queues[cpu].head = kernel.following[thread]
    return 0 if kernel.breaks == PICKS_A_RUNNING_ONE else thread


@implements(hooks.balance, State)
def balance(kernel: State, sim: Any, cpu: int) -> int:
    return sim.cpus[0].thread if kernel.breaks == PULLS_A_RUNNING_ONE and cpu > 0 else -1


@implements(hooks.rebalance, State)
def rebalance(kernel: State, sim: Any, cpu: int) -> tuple[int, int]:
    if kernel.breaks == PUSHES_A_RUNNING_ONE:
        return sim.cpus[cpu].thread, 0
    if kernel.breaks == PUSHES_TO_A_CPU:
        return kernel.queues[cpu].head, NOWHERE
    return -1, -1


def state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    return State(*fifo.empty_queues(sizes), parameters["breaks"])


class RuntimeState(Handle):
    """Nothing."""

    nothing: int


@implements(hooks.ready, RuntimeState)
def ready(runtime: RuntimeState, kernel: Any, sim: Any, task: int, cpu: int) -> None:
    if sim.threads[0].state == 0:
        wake_thread(kernel, sim, 0, cpu, True)


@implements(hooks.next_task, RuntimeState)
def next_task(runtime: RuntimeState, kernel: Any, sim: Any, cpu: int, thread: int) -> int:
    return NOWHERE


BREAKS = Parameter("breaks", PICKS_A_RUNNING_ONE, "count", "which rule it breaks")
POLICY = KernelPolicy("rogue", "breaks the rules", __name__, state, (BREAKS,))
RUNTIME = Runtime("rogue_runtime", "breaks the rules", __name__, lambda *_: RuntimeState(0), lambda *_: 1, True)
MODEL = replace(THREAD, name="rogue", kernel=POLICY)
HOSTED = replace(THREAD, name="rogue_runtime", runtime=RUNTIME)
