"""A model that breaks the rules: it picks threads that are not runnable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tracekit.engine import hooks
from tracekit.engine.handles import Handle
from tracekit.engine.hooks import implements
from tracekit.models.catalog import THREAD
from tracekit.models.model import KernelPolicy, Sizes


class State(Handle):
    """Nothing."""

    nothing: int


@implements(hooks.select_cpu, State)
def select_cpu(kernel: State, sim: Any, thread: int, waker_cpu: int) -> int:
    return 0


@implements(hooks.pick_next, State)
def pick_next(kernel: State, sim: Any, cpu: int) -> int:
    return 0


def state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    return State(0)


MODEL = replace(THREAD, name="rogue", kernel=KernelPolicy("rogue", "picks what is not runnable", __name__, state))
