"""One row for each source: its recordings, how far its reference agrees, how fast it is and beside what."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.agreement.judging import Reading, readings
from tests.bench.registry import BENCHMARKS, Benchmark, Measurement, MissingError, load_all

HEADER = ("source", "files read", "events", "agreement", "speed", "times the speed of the reference")

# The benchmarks of a source: the first says how fast it is, each that has a reference how many times faster than that.
SPEED: dict[str, tuple[str, ...]] = {
    "perf.data": ("perf_rate", "perf_reader", "perf_timehist"),
    "go": ("go_reader", "go_reader_ratio"),
    "trace.dat": ("trace_dat",),
    "kernel-text": ("kernel_text",),
    "perfetto": ("perfetto",),
    "chrome-json": ("chrome_json",),
    "table": ("tables",),
}


def lines(chosen: Sequence[str]) -> Iterator[str]:
    """The Markdown table of the sources, and below it what is no whole agreement, and what was refused."""
    load_all()
    notes: list[str] = []
    yield from head(HEADER)
    for name in chosen:
        print(f"{name} …", file=sys.stderr, flush=True)
        found = list(readings(name))
        if found or name in SPEED:
            yield line((name, *_read(found), _agreement(found, notes), *_speed(SPEED.get(name, ()))))
            notes += _refusals(name, found)
    yield ""
    yield from notes


def head(names: Sequence[str]) -> tuple[str, str]:
    """The first two lines of a Markdown table."""
    return line(names), "|" + "---|" * len(names)


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _read(found: list[Reading]) -> tuple[str, str]:
    read = [reading for reading in found if reading.refused is None]
    if not found:
        return "–", "–"
    return f"{len(read)} of {len(found)}", f"{sum(reading.events or 0 for reading in read):,}"


def _agreement(found: list[Reading], notes: list[str]) -> str:
    """How many of the reference's events are the same, in how many files; `notes` gets each file that differs."""
    judged = [(reading, reading.agreed) for reading in found if reading.agreed]
    if not judged:
        return "–"
    notes += [f"* {reading.shown}: {agreed}" for reading, agreed in judged if not agreed.whole]
    same, theirs = sum(agreed.same for _, agreed in judged), sum(agreed.theirs for _, agreed in judged)
    count = f"all {same:,}" if all(agreed.whole for _, agreed in judged) else f"{same:,} of {theirs:,}"
    return f"{judged[0][1].tool}: {count} in {len(judged)} file{'s'[: len(judged) > 1]}"


def _refusals(name: str, found: list[Reading]) -> list[str]:
    """What was refused and why, in one line."""
    reasons = Counter(reading.refused.split(": ")[0] for reading in found if reading.refused)
    told = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
    return [f"* {name}, refused: {told}"] if told else []


def _speed(benchmarks: Sequence[str]) -> tuple[str, str]:
    """Speed and ratios; beside each that has a goal, the goal."""
    measured = [(BENCHMARKS[name], _measured(name)) for name in benchmarks]
    there = [(chosen, value) for chosen, value in measured if value]
    speeds = [_amount(value.value, chosen.unit) + _goal(chosen, value.ratio is None) for chosen, value in there[:1]]
    ratios = [
        f"{value.over_reference:.1f} × {chosen.reference}" + _goal(chosen, value.ratio is not None)
        for chosen, value in there
        if value.over_reference
    ]
    return ", ".join(speeds) or "–", ", ".join(ratios) or "–"


def _goal(chosen: Benchmark, about_this: bool) -> str:
    """The goal is about the ratio or about the value."""
    if not about_this:
        return ""
    return f" (goal {chosen.goal / 1e6:g} M)" if chosen.goal >= 1e5 else f" (goal {chosen.goal:g})"


def _measured(name: str) -> Measurement | None:
    print(f"{name} …", file=sys.stderr, flush=True)
    try:
        return BENCHMARKS[name].measure()
    except MissingError as missing:
        print(f"{name} skipped: {missing}", file=sys.stderr)
        return None


def _amount(value: float, unit: str) -> str:
    return f"{value / 1e6:.1f} M {unit}" if value >= 1e6 else f"{value:.0f} {unit}"
