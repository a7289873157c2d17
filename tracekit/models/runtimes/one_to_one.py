"""One kernel thread for each task, for its whole life: processes, and threads as glibc makes them (pthreads(7): NPTL, 1:1).

Every wait blocks the kernel thread; every wakeup goes through the kernel policy; there is no scheduler of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracekit.engine.handles import Handle
from tracekit.models.model import Runtime, Sizes


class State(Handle):
    """Nothing: the kernel does it all."""

    nothing: int


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    return State(0)


RUNTIME = Runtime(
    name="one_to_one",
    title="one kernel thread per task",
    module=__name__,
    state=_state,
    threads=lambda tasks, cpus, parameters: 0,
    hosted=False,
)
