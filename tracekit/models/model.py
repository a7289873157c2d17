"""What a model is made of, declared as data. A policy is one file: docstring with assumptions and sources,
`State`, a few hooks, and one `POLICY` (kernel) or `RUNTIME` line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit.errors import UsageError


@dataclass(frozen=True)
class Parameter:
    """A number that a user may set with `--set OWNER.NAME=VALUE`. `unit` is ns, bytes or count."""

    name: str
    default: int
    unit: str
    meaning: str
    low: int = 0
    high: int = 1 << 50


@dataclass(frozen=True)
class Sizes:
    """How much state a policy needs to hold."""

    tasks: int
    threads: int
    own_threads: int  # the last ones of `threads`: the runtime's own kernel threads
    cpus: int


Builder = Callable[[Sizes, Mapping[str, int]], Any]


@dataclass(frozen=True)
class KernelPolicy:
    """How kernel threads share CPUs. `state(sizes, parameters)` makes the NamedTuple that its hooks work on."""

    name: str
    title: str
    module: str
    state: Builder
    parameters: tuple[Parameter, ...] = ()
    parts: tuple[str, ...] = ()  # other modules whose rules are its too

    @property
    def doc(self) -> str:
        """The docstrings of the policy's file and its parts: rules, assumptions, sources."""
        return "\n\n".join((sys.modules[module].__doc__ or "").strip() for module in (self.module, *self.parts))


@dataclass(frozen=True)
class Runtime:
    """How tasks sit on kernel threads. `threads(tasks, cpus, parameters)` bounds the kernel threads of its own.

    `costs(rows, parameters)` changes what operations of its tasks cost (row HOSTED of engine/state.py: COST), which are
    else those of goroutines.
    """

    name: str
    title: str
    module: str
    state: Builder
    threads: Callable[[int, int, Mapping[str, int]], int]
    hosted: bool
    parameters: tuple[Parameter, ...] = ()
    costs: Callable[[Any, Mapping[str, int]], None] | None = None

    @property
    def doc(self) -> str:
        """The runtime file's docstring: its rules, assumptions and sources."""
        return (sys.modules[self.module].__doc__ or "").strip()


@dataclass(frozen=True)
class Model:
    """A runtime on a kernel policy, with costs, memory and isolation.

    `form` says which of the profile's per-task costs apply to the converted tasks; `own_space` whether each
    has an address space of its own.
    """

    name: str
    title: str
    form: str
    runtime: Runtime
    kernel: KernelPolicy
    own_space: bool
    isolation: str
    parameters: tuple[Parameter, ...] = ()
    doc: str = ""

    def all_parameters(self, kernel: KernelPolicy | None = None) -> dict[str, Parameter]:
        """Every parameter under the names that `--set` takes: the model's, the runtime's and the policy's."""
        used = kernel or self.kernel
        named = {f"{self.name}.{p.name}": p for p in (*self.parameters, *self.runtime.parameters)}
        return named | {f"{used.name}.{p.name}": p for p in used.parameters}


def foreign_files(model: Model, kernel: KernelPolicy) -> tuple[Path, ...]:
    """Source files of policies from outside the package, which the compile cache has to watch too."""
    modules = {model.runtime.module, kernel.module}
    foreign = sorted(name for name in modules if not name.startswith("tracekit."))
    return tuple(Path(str(sys.modules[name].__file__)) for name in foreign)


def resolve(model: Model, kernel: KernelPolicy, chosen: Mapping[str, int]) -> dict[str, int]:
    """Every parameter with its value. Raises UsageError for an unknown name or a value out of range."""
    known = model.all_parameters(kernel)
    for name, value in chosen.items():
        if name not in known:
            raise UsageError(
                f"no parameter {name}", remedy=f"model {model.name} has: {', '.join(sorted(known)) or 'none'}"
            )
        if not known[name].low <= value <= known[name].high:
            raise UsageError(f"{name}={value} is outside {known[name].low} to {known[name].high} {known[name].unit}")
    return {name: chosen.get(name, parameter.default) for name, parameter in known.items()}


def own(parameters: Mapping[str, int], owner: str) -> dict[str, int]:
    """The parameters of one owner, without its prefix."""
    prefix = owner + "."
    return {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}
