"""How a scenario's claim is put: quantities, the parts that hold or break, and the judgement of them.

A quantity is `SUBJECT METRIC[:LABEL]`, such as `thread overhead_time:spawn`; the metrics `lost` and `ends` with the name
of a variable are how many of its updates are lost, and its value as the first task sees it at the end. A part of a claim
holds when `high` is at least `at_least` times `low`. A claim holds when all its parts do, holds with a bound when half of
them and more do or fall short in size alone, and otherwise does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from tracekit.metrics.catalog import METRICS
from tracekit.metrics.compare import format_value
from tracekit.metrics.measure import measure
from tracekit.report.wording import plural
from tracekit.tables.bundle import Run
from tracekit.vocabulary import FORMS

HOLDS, BOUND, FAILS = "holds", "holds with a bound", "does not hold on this machine"
NOTHING = "nothing"
DIRECTION = 1.05  # a ratio from which one value is called larger than another


@dataclass(frozen=True)
class Part:
    """One number against another. `says` is true when `high` >= `at_least` * `low`; `low` may be a number itself.
    Against NOTHING it is true when `high` is zero."""

    says: str
    high: str
    low: str | float
    at_least: float = 1.0


@dataclass(frozen=True)
class Compared:
    """Ways to do the same, side by side: a title, the overrides of each way, and the metric, over `per`."""

    title: str
    ways: Mapping[str, Mapping[str, int]]
    metric: str
    per: int = 1


@dataclass(frozen=True)
class Claim:
    """Why it comes out as it does (in words), a scenario's parts, the quantities its bars show (title, metric), and what else to replay: `variants` are
    subject → (model, parameters), `sweep` is a parameter and its values, `compared` other ways; `overrides` are the
    parameters in which the page differs from the file. All is replayed on `cpus` CPUs."""

    why: str
    parts: tuple[Part, ...]
    bars: tuple[tuple[str, str], ...] = (("time to finish", "makespan"),)
    variants: Mapping[str, tuple[str, Mapping[str, int]]] = field(default_factory=dict)
    sweep: tuple[str, tuple[str, ...]] | None = None
    overrides: Mapping[str, int] = field(default_factory=dict)
    compared: tuple[Compared, ...] = ()
    cpus: int = 2


@dataclass(frozen=True)
class Judged:
    """One part: what was found and what it needs as text, the ratio (None where there is none), and whether it holds."""

    part: Part
    found: str
    needs: str
    ratio: float | None
    holds: bool

    @property
    def short(self) -> bool:
        """Whether the direction is right and only the size is not."""
        return not self.holds and self.ratio is not None and self.ratio >= DIRECTION


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict and its parts."""

    verdict: str
    parts: tuple[Judged, ...]


class Figures:
    """The quantities of a scenario's runs by subject."""

    def __init__(self, runs: Mapping[str, Run]) -> None:
        self.runs = runs
        self._frames = {name: measure(run) for name, run in runs.items()}

    def value(self, subject: str, metric: str) -> tuple[float, str]:
        """Value and unit; what a run does not have is 0."""
        name, _, label = metric.partition(":")
        if name in ("lost", "ends"):
            return (self._lost if name == "lost" else self._ends)(subject, label), "count"
        if name == "idle":
            return self._idle(subject), "ns"
        found = self._frames[subject].filter((pl.col("metric") == name) & (pl.col("label") == label))
        if not found.height:
            return 0.0, METRICS[name].unit
        return float(found["value"][0]), str(found["unit"][0])

    def _lost(self, subject: str, variable: str) -> float:
        known = self.runs[subject].meta.get("variables") or []
        mended = variable == "mended"
        return float(sum(v["lost"] for v in known if (v["name"] != "counter" if mended else v["name"] == variable)))

    def _ends(self, subject: str, variable: str) -> float:
        known = self.runs[subject].meta.get("variables") or []
        return float(next((v["value"] for v in known if v["name"] == variable), 0))

    def _idle(self, subject: str) -> float:
        """CPU time in which nothing ran, until the end."""
        busy, makespan = self.value(subject, "utilization")[0], self.value(subject, "makespan")[0]
        return (1 - busy) * makespan * float(self.runs[subject].meta["cpus"])

    def quantity(self, quantity: str) -> tuple[float, str]:
        """A quantity's value and unit."""
        subject, _, metric = quantity.rpartition(" ")
        return self.value(subject, metric)


def judge(claim: Claim, figures: Figures) -> Judgement:
    """Hold a claim against the figures of its runs."""
    parts = tuple(_judged(part, figures) for part in claim.parts)
    held = sum(part.holds for part in parts)
    broken = len(parts) - held - sum(part.short for part in parts)
    verdict = HOLDS if held == len(parts) else BOUND if 2 * broken <= len(parts) else FAILS
    return Judgement(verdict, parts)


def _judged(part: Part, figures: Figures) -> Judged:
    high, unit = figures.quantity(part.high)
    found = _of(part.high, high, unit)
    if part.low == NOTHING:
        return Judged(part, found, NOTHING, None, high == 0)
    if not isinstance(part.low, str):
        holds = high >= part.at_least * part.low and high > 0
        return Judged(part, found, f"{format_value(part.at_least * part.low, unit)} or more", None, holds)
    low, _ = figures.quantity(part.low)
    holds, ratio = high >= part.at_least * low and high > 0, high / low if low else None
    if part.at_least < 1:  # said the other way round: no more than so many times
        found = f"{_of(part.low, low, unit)} to {found}{_times(1 / ratio if ratio else None)}"
        return Judged(part, found, f"×{1 / part.at_least:.3g} or less", ratio, holds)
    return Judged(
        part, f"{found} to {_of(part.low, low, unit)}{_times(ratio)}", f"×{part.at_least:g} or more", ratio, holds
    )


def _of(quantity: str, value: float, unit: str) -> str:
    """`17 (threads)`."""
    subject = quantity.rpartition(" ")[0]
    return f"{format_value(value, unit)} ({plural(subject) if subject in FORMS else subject})"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f": ×{ratio:,.3g}" if ratio < 1000 else f": ×{ratio:,.0f}"
