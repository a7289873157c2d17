"""The order of a task's segments: repeats unrolled into index arrays, without a step of Python per segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tracekit.program.arrays import Ints
from tracekit.program.expressions import Environment
from tracekit.program.steps import Node, Repeat, Step


@dataclass(frozen=True)
class Layout:
    """`leaf[k]` says which of `steps` an instance's k-th segment is; `variables[name][k]` its loop counts."""

    steps: list[Step]
    leaf: Ints
    variables: dict[str, Ints]

    def occurrences(self) -> Iterator[tuple[int, Step, Ints]]:
        """Each step with its number and the ordinals at which it occurs, ascending."""
        order = np.argsort(self.leaf, kind="stable")
        bounds = np.searchsorted(self.leaf[order], np.arange(len(self.steps) + 1))
        for number, step in enumerate(self.steps):
            yield number, step, order[bounds[number] : bounds[number + 1]]


def length(nodes: Sequence[Node], environment: Environment) -> int:
    """How many segments `nodes` unroll into. Raises ValueError for a negative repeat."""
    total = 0
    for node in nodes:
        total += 1 if isinstance(node, Step) else _times(node, environment) * length(node.body, environment)
    return total


def lay_out(nodes: Sequence[Node], environment: Environment) -> Layout:
    """Unroll `nodes`; check `length` first. Raises ValueError for a negative repeat."""
    steps: list[Step] = []
    leaf, variables = _sequence(nodes, environment, steps)
    return Layout(steps, leaf, variables)


_Part = tuple[Ints, dict[str, Ints]]


def _times(node: Repeat, environment: Environment) -> int:
    times = int(node.times.value(environment))
    if times < 0:
        raise ValueError(f"repeat is {times}")
    return times


def _sequence(nodes: Sequence[Node], environment: Environment, steps: list[Step]) -> _Part:
    parts = [_part(node, environment, steps) for node in nodes]
    if not parts:
        return np.zeros(0, np.int64), {}
    names = {name for _, variables in parts for name in variables}
    joined = {
        name: np.concatenate([variables.get(name, np.zeros(len(leaf), np.int64)) for leaf, variables in parts])
        for name in names
    }
    return np.concatenate([leaf for leaf, _ in parts]), joined


def _part(node: Node, environment: Environment, steps: list[Step]) -> _Part:
    if isinstance(node, Step):
        steps.append(node)
        return np.array([len(steps) - 1]), {}
    times = _times(node, environment)
    leaf, variables = _sequence(node.body, environment, steps)
    if not len(leaf):  # however often it repeats
        return leaf, {}
    repeated = {name: np.tile(values, times) for name, values in variables.items()}
    if node.variable is not None:
        repeated[node.variable] = np.repeat(np.arange(times), len(leaf))
    return np.tile(leaf, times), repeated
