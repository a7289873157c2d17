"""What a benchmark is: a name, a unit, a goal, and a function that measures against a reference in the same run.

    @benchmark("perf_reader", unit="MB/s", goal=5, reference="perf script")
    def perf_reader() -> Measurement:
        ...
        return Measurement(value=ours, reference_value=theirs, ratio=ours / theirs)

The goal is about `ratio` where a measurement gives one, and about `value` otherwise. A benchmark that lacks a
tool or a file raises `MissingError` and is skipped.
"""

from __future__ import annotations

import pkgutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal


class MissingError(Exception):
    """What a benchmark needs and this machine has not."""


@dataclass(frozen=True)
class Measurement:
    """A value in the benchmark's unit, the reference's value from the same run, and what the goal may be about."""

    value: float
    reference_value: float | None = None
    ratio: float | None = None

    @property
    def over_reference(self) -> float | None:
        """The ratio that was given, or else that of the values; None without a reference."""
        if self.ratio is not None or not self.reference_value:
            return self.ratio
        return self.value / self.reference_value


@dataclass(frozen=True)
class Benchmark:
    """One row of the table."""

    name: str
    unit: str
    goal: float
    better: Literal["higher", "lower"]
    reference: str
    measure: Callable[[], Measurement]

    def met(self, measured: Measurement) -> bool:
        """Whether the goal is reached."""
        reached = measured.value if measured.ratio is None else measured.ratio
        return reached >= self.goal if self.better == "higher" else reached <= self.goal


BENCHMARKS: dict[str, Benchmark] = {}


def benchmark(
    name: str, *, unit: str, goal: float, better: Literal["higher", "lower"] = "higher", reference: str = ""
) -> Callable[[Callable[[], Measurement]], Callable[[], Measurement]]:
    """Register the decorated function. Raises ValueError for a name given twice."""

    def register(function: Callable[[], Measurement]) -> Callable[[], Measurement]:
        if name in BENCHMARKS:
            raise ValueError(f"two benchmarks are called {name}")
        BENCHMARKS[name] = Benchmark(name, unit, goal, better, reference, function)
        return function

    return register


def load_all() -> None:
    """Import every module beside this one, so that BENCHMARKS has all there are."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if not module.name.startswith("_"):
            import_module(f"tests.bench.{module.name}")


def seconds(work: Callable[[], object], *, repeat: int = 5) -> float:
    """The median time of `work`: one run that the machine disturbs does not count."""
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
