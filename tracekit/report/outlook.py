"""What would change the verdict, as data, and how it is said on a page and in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tracekit.report.wording import listed, plural
from tracekit.units import format_bytes, format_duration

FACTOR = "factor"  # the unit of a value that multiplies what the program has, in thousandths
WHOLE = 1000  # the factor that leaves it as it is


@dataclass(frozen=True)
class Turning:
    """From `at` on (going away from `own`), `best` is first instead of the form that was; at `before` it is not yet.

    `unit` is ns, bytes, FACTOR or nothing. `makespans_ns` are by form at `at`; `rate` says how often what happens there.
    """

    parameter: str
    unit: str
    own: int
    at: int
    before: int
    best: str
    makespans_ns: Mapping[str, int]
    rate: str = ""


@dataclass(frozen=True)
class Fit:
    """How many tasks like these one form can have on this machine (-1: any number), and what stops the next."""

    form: str
    tasks: int
    stopped_by: str


@dataclass(frozen=True)
class Outlook:
    """`best` is the form that is first now (None: none is, or none fits), `turnings` where another one is.

    `tried` names what was varied, up to `far` times larger and smaller; `unfinished` says why that is not all.
    """

    best: str | None
    turnings: tuple[Turning, ...] = ()
    tried: tuple[str, ...] = ()
    far: int = 1
    fits: tuple[Fit, ...] = ()
    unfinished: str = ""


def sentences(outlook: Outlook) -> list[str]:
    """What would change the answer, in a sentence each; first those that do."""
    lines = [_turning(turning) for turning in outlook.turnings]
    stays = [name for name in outlook.tried if name not in {turning.parameter for turning in outlook.turnings}]
    if stays:
        now = f"{plural(outlook.best)} stay first" if outlook.best else "no form gets clearly ahead"
        lines.append(f"{_named(stays)}: {now} with up to {outlook.far} times as much and as little")
    lines += [outlook.unfinished] if outlook.unfinished else []
    return lines + _fitting(outlook.fits)


def value(number: int, unit: str) -> str:
    """A varied value with its unit."""
    if unit == "ns":
        return format_duration(number)
    if unit == "bytes":
        return format_bytes(number)
    return f"×{number / WHOLE:.3g}" if unit == FACTOR else f"{number:,}"


def _named(names: Iterable[str]) -> str:
    return ", ".join(names)


def _turning(turning: Turning) -> str:
    side = "above" if turning.at > turning.own else "below"
    times = ", ".join(f"{plural(form)} {format_duration(ns)}" for form, ns in sorted(
        turning.makespans_ns.items(), key=lambda item: item[1]))  # fmt: skip
    at, own, before = (value(number, turning.unit) for number in (turning.at, turning.own, turning.before))
    here = "as replayed" if turning.unit == FACTOR else f"it is {own}"
    yet = f"; at {before} not yet" if turning.before != turning.own else ""
    rate = f", {turning.rate}" if turning.rate else ""
    return f"{turning.parameter}: {plural(turning.best)} are first at {at} and {side} ({here}{yet}): {times}{rate}"


def _fitting(fits: Iterable[Fit]) -> list[str]:
    limits: dict[tuple[int, str], list[str]] = {}
    for fit in fits:
        if fit.tasks >= 0:
            limits.setdefault((fit.tasks, fit.stopped_by), []).append(fit.form)
    told = [f"{listed(forms)} stop fitting at {tasks:,} tasks ({by})" for (tasks, by), forms in limits.items()]
    return [f"room, with tasks like these on this machine: {'; '.join(told)}"] if told else []
