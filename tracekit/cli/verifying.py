"""What `verify` reads and prints."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import polars as pl

from tracekit.cli.inputs import work
from tracekit.cli.progress import progress
from tracekit.errors import ProfileError, UsageError
from tracekit.jit import cache_root
from tracekit.machine.host import differences, host
from tracekit.machine.profile import Profile, load_profile
from tracekit.metrics.compare import format_value
from tracekit.tables.bundle import Program
from tracekit.verify.check import Workload
from tracekit.verify.compare import orders, summary
from tracekit.verify.quantities import QUANTITIES
from tracekit.verify.suite import SUITE
from tracekit.vocabulary import FORMS


def forms(text: str) -> list[str]:
    """`process,thread` as a list. Raises UsageError for what is no form."""
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    for form in chosen:
        if form not in FORMS:
            raise UsageError(f"no form {form!r}", remedy=f"give some of {', '.join(FORMS)}")
    return chosen or list(FORMS)


def cpu_counts(text: str) -> list[int]:
    """`1,2` as numbers. Raises UsageError for more CPUs than this process may use."""
    available = int(host()["cpus"])
    counts = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if not all(1 <= count <= available for count in counts):
        raise UsageError(f"--cpus {text}", remedy=f"give numbers from 1 to {available}")
    return counts


def workloads(names: list[str], suite: bool, cpus: list[int], settings: dict[str, str]) -> list[Workload]:
    """What was named, or the suite. Raises UsageError for neither or both."""
    if suite == bool(names):
        raise UsageError("give programs, or --suite", remedy="tracekit verify server mutex pipeline")
    if suite:
        return _suite()
    return [Workload(name, _program(name, settings), count) for name in names for count in cpus]


def _suite() -> list[Workload]:
    from tracekit.api import synth

    available = int(host()["cpus"])
    return [
        Workload(entry.name, synth(entry.scenario, parameters=dict(entry.parameters)), entry.cpus, recorded=True)
        for entry in SUITE
        if entry.cpus <= available
    ]


def _program(name: str, settings: dict[str, str]) -> Program:
    if settings:
        from tracekit.api import synth

        return synth(name, parameters=settings)
    given = work(name).given
    if isinstance(given, Program):
        return given
    from tracekit.api import extract

    return extract(given)


def machine_profile(name: str | None) -> Profile:
    """The named profile, or this machine's own, measured now if it never was; says so when it is another machine's."""
    from tracekit.cli import output as out

    if name is not None:
        profile = load_profile(name)
        foreign = differences(profile.host)
        if foreign:
            out.note(f"the profile {profile.name} is of another machine ({'; '.join(foreign)})")
        return profile
    path = cache_root() / "machine.toml"
    with suppress(ProfileError):  # none yet, or an older tracekit's, without costs that models charge today
        profile = load_profile(str(path))
        if not differences(profile.host):
            return profile
    from tracekit.machine.calibrate import calibrate

    path.parent.mkdir(parents=True, exist_ok=True)
    with progress("measuring this machine, the first time only") as line:
        profile = calibrate(path, progress=line)
    out.note(f"measured this machine's costs: {path}")
    return profile


def cell_rows(table: pl.DataFrame) -> list[tuple[Any, ...]]:
    """A line a comparison."""
    return [
        (
            row["workload"], row["cpus"], row["source"], row["form"], QUANTITIES[row["quantity"]].title,
            format_value(row["predicted"], QUANTITIES[row["quantity"]].unit),
            format_value(row["measured"], QUANTITIES[row["quantity"]].unit),
            f"{row['error']:+.1%}", "inconclusive" if row["inconclusive"] else f"{row['spread']:.1%}",
        )
        for row in table.iter_rows(named=True)
    ]  # fmt: skip


def summary_rows(table: pl.DataFrame) -> list[tuple[Any, ...]]:
    """A line a kind of prediction and quantity, and one for the order of the forms."""
    rows: list[tuple[Any, ...]] = [
        (
            row["prediction"], QUANTITIES[row["quantity"]].title, row["cells"],
            None if row["median"] is None else f"{row['median']:.1%}",
            None if row["p90"] is None else f"{row['p90']:.1%}",
            ", ".join(f"{bar:.0%}" for bar in (row["median_bar"], row["p90_bar"]) if bar is not None) or None,
            {True: "held", False: "missed", None: ""}[row["held"]],
        )
        for row in summary(table).iter_rows(named=True)
    ]  # fmt: skip
    right, total = orders(table)
    return [*rows, ("order of the forms", "makespan", total, f"{right} right", None, "95%", "")] if total else rows
