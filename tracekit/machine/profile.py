"""A machine profile: every cost that the models charge, with unit, spread and how it was obtained.

Profiles are TOML. `reference` ships with the package and is used until a machine has its own.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from tracekit.errors import ProfileError
from tracekit.machine.costs import COSTS

REFERENCE = "reference"


@dataclass(frozen=True)
class Cost:
    """One measured figure. `low` and `high` are the spread (equal to `value` where it is not known)."""

    value: float
    low: float
    high: float
    unit: str
    source: str


@dataclass(frozen=True)
class FormCosts:
    """What one block, wake, switch and so on cost in the form a trace was recorded in, in ns.

    * `recorder_switch_ns`: the recorder's event of a switch takes so much more than others, and with a callchain
      `recorder_callchain_ns` besides
    * `fresh_ns`: creating a goroutine takes so much more without a dead one
    * `first_run_ns`: what a new task pays when it runs first
    * `timed_wait_ns`: asking a timer or device before a wait; `timer_slack_ns`: how late a sleep ends
    * `idle_enter_ns`: a run after which its CPU idles; `idle_wake_ns`: a wakeup of a CPU that idles
    * `interrupt_ns`: a timer's or device's interrupt for somebody; `tick_ns`: one each `tick_period_ns` of computing
    * `below`: what threads cost under goroutines, where the kernel's recording of them is joined
    """

    block_ns: int
    wake_ns: int
    switch_ns: int
    spawn_ns: int
    recorder_event_ns: int
    recorder_switch_ns: int = 0
    recorder_callchain_ns: int = 0
    fresh_ns: int = 0
    exit_ns: int = 0
    yield_ns: int = 0
    first_run_ns: int = 0
    timed_wait_ns: int = 0
    timer_slack_ns: int = 0
    idle_enter_ns: int = 0
    interrupt_ns: int = 0
    idle_wake_ns: int = 0
    tick_ns: int = 0
    tick_period_ns: int = 4_000_000
    below: FormCosts | None = None


@dataclass(frozen=True)
class Profile:
    """Costs by name (`machine.costs.COSTS`), and whose they are."""

    name: str
    description: str
    host: dict[str, Any]
    costs: dict[str, Cost]
    digest: str
    warnings: tuple[str, ...] = ()  # what stood in the way of measuring

    def value(self, name: str) -> int:
        """A cost as an integer in its unit. Raises KeyError for a name not in COSTS."""
        return round(self.costs[name].value)

    def form_costs(self, form: str, recorder: str | None) -> FormCosts:
        """What the recorded form and its recorder (perf, go, None) added to a recording."""
        recorded = {"perf": "perf_event_ns", "go": "go_trace_event_ns"}.get(recorder or "")
        return FormCosts(
            block_ns=self.value(f"{form}_block_ns"),
            wake_ns=self.value(f"{form}_wake_ns"),
            switch_ns=self.value(f"{form}_switch_ns"),
            spawn_ns=self.value(f"{form}_spawn_ns"),
            recorder_event_ns=self.value(recorded) if recorded else 0,
            recorder_switch_ns=self.value("perf_switch_ns") - self.value("perf_event_ns") if recorder == "perf" else 0,
            recorder_callchain_ns=self.value("perf_callchain_ns") if recorder == "perf" else 0,
            fresh_ns=self.value("goroutine_new_ns") if form == "goroutine" else 0,
            exit_ns=self.value(f"{form}_exit_ns"),
            yield_ns=self.value(f"{form}_yield_ns"),
            first_run_ns=self._first_run_ns(form),
            timer_slack_ns=self.value("timer_slack_ns"),
            timed_wait_ns=self.value("timer_arm_ns") + self.value("syscall_ns"),
            idle_enter_ns=self.value("idle_enter_ns") if form != "goroutine" else 0,
            idle_wake_ns=self.value("idle_wake_ns") if form != "goroutine" else 0,
            interrupt_ns=self.value("timer_interrupt_ns"),
            tick_ns=self.value("tick_ns"),
            tick_period_ns=self.value("tick_period_ns"),
            below=self.form_costs("thread", "perf") if form == "goroutine" else None,
        )

    def _first_run_ns(self, form: str) -> int:
        if form == "process":
            return self.value("cow_pages") * self.value("cow_fault_ns")
        return self.value("thread_first_ns") if form == "thread" else 0

    def meta(self) -> dict[str, Any]:
        """What a run says of the profile it used."""
        return {"name": self.name, "digest": self.digest, "host": self.host}


def load_profile(name: str = REFERENCE) -> Profile:
    """The shipped profile `reference`, or one from a TOML file. Raises ProfileError naming the field at fault."""
    if name == REFERENCE:
        text = files("tracekit.machine").joinpath("reference.toml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(
                f"can't read the profile ({error})", where=name, remedy=f"give a TOML file or '{REFERENCE}'"
            ) from None
    return parse_profile(text, where=name)


def parse_profile(text: str, *, where: str) -> Profile:
    """A profile from TOML text. A cost that it lacks, as one of an earlier version may, is the reference's, with a
    warning. Raises ProfileError naming the field at fault."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"not TOML ({error})", where=where) from None
    entries = data.get("costs")
    if not isinstance(entries, dict):
        raise ProfileError("no [costs] table", where=where, remedy="start from the shipped reference profile")
    unknown = sorted(set(entries) - set(COSTS))
    if unknown:
        raise ProfileError(f"unknown cost {unknown[0]}", where=where, remedy=f"known: {', '.join(COSTS)}")
    missing = [name for name in COSTS if name not in entries]
    if missing and where == REFERENCE:
        raise ProfileError(f"cost {missing[0]} is missing", where=where)
    given = {name: _cost(name, entries[name], where) for name in COSTS if name in entries}
    warnings = [str(warning) for warning in data.get("warnings", ())]
    return Profile(
        name=str(data.get("name", where)),
        description=str(data.get("description", "")),
        host=dict(data.get("host", {})),
        costs={**given, **_of_the_reference(missing)},
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        warnings=(*warnings, *(f"no {name}: the reference's is used" for name in missing)),
    )


def _of_the_reference(names: list[str]) -> dict[str, Cost]:
    if not names:
        return {}
    known = load_profile().costs
    return {name: replace(known[name], source=f"not given; the reference's: {known[name].source}") for name in names}


def _cost(name: str, entry: Any, where: str) -> Cost:
    if not isinstance(entry, dict) or "value" not in entry or "source" not in entry:
        raise ProfileError(f"costs.{name} needs value and source", where=where)
    numbers: list[Any] = [entry.get(key, entry["value"]) for key in ("value", "low", "high")]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e12:
            raise ProfileError(f"costs.{name}: {number!r} is not a number from 0 to 1e12", where=where)
    unit = COSTS[name].unit
    if entry.get("unit", unit) != unit:
        raise ProfileError(f"costs.{name}: unit {entry['unit']!r}, expected {unit!r}", where=where)
    value, low, high = (float(number) for number in numbers)
    return Cost(value, low, high, unit, str(entry["source"]))
