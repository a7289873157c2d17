"""A policy that breaks a rule: it queues everybody on CPU 0, whatever idles."""

from __future__ import annotations

from typing import Any

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import implements
from tracekit.engine.state import Records, Sim
from tracekit.models.kernels import fifo
from tracekit.models.model import KernelPolicy, Model
from tracekit.models.runtimes import one_to_one


class State(Handle):
    """As fifo's."""

    queues: Records
    following: Any


for _hook in (hooks.enqueue, hooks.pick_next):
    implements(_hook, State)(getattr(fifo, _hook.__name__))


@implements(hooks.select_cpu, State)
def select_cpu(kernel: State, sim: Sim, thread: int, waker_cpu: int) -> int:
    """CPU 0."""
    return 0


MODEL = Model(
    name="hoarder",
    title="all on CPU 0",
    form="thread",
    runtime=one_to_one.RUNTIME,
    kernel=KernelPolicy("hoarder", "all on CPU 0", __name__, lambda sizes, _: State(*fifo.empty_queues(sizes))),
    own_space=False,
    isolation="none",
)
