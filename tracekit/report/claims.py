"""What each built-in scenario claims, as numbers that a replay can hold or break; and the judgement.

A quantity is `SUBJECT METRIC[:LABEL]`, such as `thread overhead_time:spawn`; the metric `lost` with the name of a
variable is how many of its updates are lost. A part of a claim holds when `high` is at least `at_least` times `low`.
A claim holds when all its parts do, holds with a bound when some do or fall short in size alone, and does not hold
when none does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from tracekit.metrics.catalog import METRICS
from tracekit.metrics.compare import format_value
from tracekit.metrics.measure import measure
from tracekit.tables.bundle import Run

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
    """Ways to do the same, side by side: a title, the overrides of each way, and how often each does it."""

    title: str
    ways: Mapping[str, Mapping[str, int]]
    times: int


@dataclass(frozen=True)
class Claim:
    """A scenario's parts, the quantities its bars show (title, metric), and what else to replay: `variants` are
    subject → (model, parameters), `sweep` is a parameter and its values, `compared` other ways; `overrides` are the
    parameters in which the page differs from the file."""

    parts: tuple[Part, ...]
    bars: tuple[tuple[str, str], ...] = (("time to finish", "makespan"),)
    variants: Mapping[str, tuple[str, Mapping[str, int]]] = field(default_factory=dict)
    sweep: tuple[str, tuple[str, ...]] | None = None
    overrides: Mapping[str, int] = field(default_factory=dict)
    compared: Compared | None = None


_MAKESPAN = ("time to finish", "makespan")
_MEMORY = ("most physical memory held", "peak_resident")

CLAIMS: dict[str, Claim] = {
    "context_switch": Claim(
        (
            Part("a hand-over between threads takes at least twice as long as between goroutines",
                 "thread makespan", "goroutine makespan", 2),
            Part("between processes it takes longer than between threads", "process makespan", "thread makespan", 1.02),
            Part("but not ten times as long", "thread makespan", "process makespan", 0.1),
        ),
        (_MAKESPAN, ("time spent on switching", "overhead_time:switch")),
    ),
    "thread_memory": Claim(
        (
            Part("a process holds at least twice the memory of a thread", "process peak_resident",
                 "thread peak_resident", 2),
            Part("a thread at least ten times that of a goroutine", "thread peak_resident", "goroutine peak_resident", 10),
            Part("threads reserve at least a hundred times what they hold", "thread peak_virtual",
                 "thread peak_resident", 100),
        ),
        (_MEMORY, ("most address space reserved", "peak_virtual")),
    ),
    "spawn_storm": Claim(
        (
            Part("creating processes takes at least twice the CPU time of creating threads",
                 "process overhead_time:spawn", "thread overhead_time:spawn", 2),
            Part("creating threads at least ten times that of goroutines", "thread overhead_time:spawn",
                 "goroutine overhead_time:spawn", 10),
            Part("goroutines hold the least memory", "thread peak_resident", "goroutine peak_resident", 1.5),
        ),
        (_MAKESPAN, _MEMORY),
    ),
    "fork_join": Claim(
        (
            Part("processes take longest", "process makespan", "thread makespan", 1.05),
            Part("threads take longer than goroutines", "thread makespan", "goroutine makespan", 1.05),
        ),
        (_MAKESPAN, ("CPU time to create and end tasks", "overhead_time:spawn")),
    ),
    "mutex": Claim(
        (
            Part("with threads the contended lock costs more CPU time than with goroutines", "thread overhead_time:total",
                 "goroutine overhead_time:total", 1.5),
            Part("the work is done later with threads", "thread makespan", "goroutine makespan", 1.05),
            Part("threads go through the kernel for it ten times as often",
                 "thread context_switches_voluntary", "goroutine context_switches_voluntary", 10),
        ),
        (_MAKESPAN, ("all overhead", "overhead_time:total")),
    ),
    "pipeline": Claim(
        (
            Part("goroutines are done before threads", "thread makespan", "goroutine makespan", 1.05),
            Part("and threads before processes", "process makespan", "thread makespan", 1.05),
            Part("processes pay for copies, the others do not", "process overhead_time:ipc_copy",
                 "thread overhead_time:ipc_copy", 1),
        ),
        (_MAKESPAN, ("CPU time spent on copies", "overhead_time:ipc_copy")),
    ),
    "server": Claim(
        (
            Part("overhead is at least a fifth of the threads' CPU time", "thread overhead_share:total", 0.2),
            Part("a thread per connection holds at least four times the memory", "thread peak_resident",
                 "goroutine peak_resident", 4),
            Part("goroutines answer more requests a second (5 % and more)", "goroutine requests_per_s",
                 "thread requests_per_s", 1.05),
        ),
        (("requests a second", "requests_per_s"), _MEMORY),
    ),
    "blocking_syscalls": Claim(
        (
            Part("Ps are handed on", "goroutine handoffs", 1),
            Part("the goroutines need several kernel threads for each CPU", "goroutine threads", 6),
            Part("the computing tasks are not held up: all is done about as soon as with threads", "thread makespan",
                 "goroutine makespan", 0.95),
        ),
        (_MAKESPAN, ("kernel threads", "threads")),
    ),
    "work_stealing": Claim(
        (
            Part("without stealing, goroutines take at least 1.3 times as long", "goroutine, no stealing makespan",
                 "goroutine makespan", 1.3),
            Part("work is stolen", "goroutine steals", 1),
            Part("without stealing a good part of the CPUs idles", "goroutine utilization",
                 "goroutine, no stealing utilization", 1.3),
        ),
        (_MAKESPAN, ("CPUs in use", "utilization")),
        {"goroutine, no stealing": ("goroutine", {"goroutine.steal": 0})},
    ),
    "early_exit": Claim(
        (
            Part("threads lose work", "thread work_lost", 1),
            Part("goroutines lose work", "goroutine work_lost", 1),
            Part("processes run on after main and lose none", "process makespan", "thread makespan", 1.05),
        ),
        (("work lost", "work_lost"), ("tasks cut off", "tasks_cut_off")),
    ),
    "crash": Claim(
        (
            Part("a crash of a thread takes at least ten times as many tasks as one of a process",
                 "thread tasks_cut_off", "process tasks_cut_off", 10),
            Part("a goroutine's panic as well", "goroutine tasks_cut_off", "process tasks_cut_off", 10),
            Part("and at least five times as many requests are lost", "thread requests_lost", "process requests_lost", 5),
        ),
        (("tasks cut off", "tasks_cut_off"), ("requests lost", "requests_lost")),
    ),
    "data_race": Claim(
        (
            Part("threads lose updates of the bare counter", "thread lost:counter", 1),
            Part("goroutines lose some too", "goroutine lost:counter", 1),
            Part("processes lose all: each counts in a copy of its own", "process lost:counter", "thread lost:counter", 1),
            Part("nothing is lost with a mutex, an atomic or a channel (threads)", "thread lost:mended", NOTHING),
        ),
        (("updates lost, bare counter", "lost:counter"), ("time spent on synchronization", "overhead_time:sync")),
        overrides={"increments": 25_000},
        compared=Compared(
            "time per increment, by what protects the counter",
            {
                "nothing": {"locked": 0, "stepped": 0, "sent": 0},
                "a mutex": {"plain": 0, "stepped": 0, "sent": 0},
                "an atomic": {"plain": 0, "locked": 0, "sent": 0},
                "a channel": {"plain": 0, "locked": 0, "stepped": 0},
            },
            100_000,
        ),
    ),
    "ipc_or_shared": Claim(
        (
            Part("at this size processes take at least three times as long as threads", "process makespan",
                 "thread makespan", 3),
            Part("threads copy nothing", "thread overhead_time:ipc_copy", NOTHING),
        ),
        (),
        sweep=("size", ("1", "16", "256", "1KiB", "4KiB", "16KiB", "64KiB", "256KiB", "1MiB")),
    ),
    "stack_growth": Claim(
        (
            Part("growing costs goroutines time", "goroutine overhead_time:stack_growth", 1),
            Part("touching a stack that is there costs threads time too", "thread overhead_time:stack_growth", 1),
            Part("the pages cost threads more than the copies cost goroutines", "thread overhead_time:stack_growth",
                 "goroutine overhead_time:stack_growth", 1),
        ),
        (("time for stacks", "overhead_time:stack_growth"), _MEMORY),
    ),
    "global_queue": Claim(
        (
            Part("idle Ps take work from others", "goroutine steals", 1),
            Part("the longest wait is less than half of the whole run: nobody starves", "goroutine makespan",
                 "goroutine run_queue_delay:max", 2),
            Part("threads, which the kernel preempts in turn, wait longer at the longest", "thread run_queue_delay:max",
                 "goroutine run_queue_delay:max", 1),
        ),
        (("longest wait in a queue", "run_queue_delay:max"), _MAKESPAN),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One part with its two values as text, their ratio (None where there is none), and whether it holds."""

    part: Part
    high: str
    low: str
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
        if name == "lost":
            return self._lost(subject, label), "count"
        found = self._frames[subject].filter((pl.col("metric") == name) & (pl.col("label") == label))
        if not found.height:
            return 0.0, METRICS[name].unit
        return float(found["value"][0]), str(found["unit"][0])

    def _lost(self, subject: str, variable: str) -> float:
        known = self.runs[subject].meta.get("variables") or []
        mended = variable == "mended"
        return float(sum(v["lost"] for v in known if (v["name"] != "counter" if mended else v["name"] == variable)))

    def quantity(self, quantity: str | float) -> tuple[float, str]:
        """A quantity's value and its text."""
        if not isinstance(quantity, str):
            return float(quantity), f"{quantity:g}"
        if quantity == NOTHING:
            return 0.0, NOTHING
        subject, _, metric = quantity.rpartition(" ")
        value, unit = self.value(subject, metric)
        return value, format_value(value, unit)


def judge(claim: Claim, figures: Figures) -> Judgement:
    """Hold a claim against the figures of its runs."""
    parts = []
    for part in claim.parts:
        (high, high_text), (low, low_text) = figures.quantity(part.high), figures.quantity(part.low)
        ratio = high / low if low and isinstance(part.low, str) else None
        holds = high == 0 if part.low == NOTHING else high >= part.at_least * low and high > 0
        parts.append(Judged(part, high_text, low_text, ratio, holds))
    held = sum(part.holds for part in parts)
    verdict = HOLDS if held == len(parts) else BOUND if held or any(part.short for part in parts) else FAILS
    return Judgement(verdict, tuple(parts))
