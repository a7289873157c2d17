"""Blame: how long tasks waited, for what, and who ran or held them up meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tracekit.analysis.blame import blame
from tracekit.report.figures.base import Drawing, Figure, Plot, bar_layout, scaled, time_unit
from tracekit.report.markup import folded, plot_text, table, text
from tracekit.report.palette import GREY, TASK_COLOURS
from tracekit.report.view import Subject, View
from tracekit.units import format_duration
from tracekit.vocabulary import REASONS

ROWS = 6  # of each subject in each table
QUEUED = "in a run queue"
_UNSAID = "blocked, not recorded on what"
_SAID = {"event": "another task (a wakeup of no kind)"}
_HATCHES = ("", "/", ".")
_NAME_CHARS = 50
_WORDS = (QUEUED, *REASONS.names, _UNSAID)


@dataclass(frozen=True)
class Waits:
    """`totals`: subject, why, time_ns. `pairs`: subject, kind, waiter, other, why, time_ns, waits. `things`: subject, on, …"""

    totals: pl.DataFrame
    pairs: pl.DataFrame
    things: pl.DataFrame


def compute(view: View) -> Waits:
    """Totals of every subject, and its worst pairs and objects."""
    parts = [_of(subject) for subject in view.subjects]
    return Waits(*(pl.concat([part[i] for part in parts]) for i in range(3)))


def _of(subject: Subject) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    found = blame(subject.history)
    queued, blocked, things = (found.tables[name].rows for name in ("queued", "blocked", "objects"))
    label = pl.lit(subject.label).alias("subject")
    why = pl.col("reason").fill_null(_UNSAID).alias("why")
    totals = pl.concat([
        queued.select(why=pl.lit(QUEUED), time_ns="runnable_ns"), blocked.select(why, time_ns="blocked_ns"),
    ]).group_by("why").agg(pl.col("time_ns").sum()).filter(pl.col("time_ns") > 0)  # fmt: skip
    pairs = pl.concat([
        queued.head(ROWS).select(label, pl.lit("ran meanwhile").alias("kind"), "waiter", pl.col("runner").alias("other"),
                                 pl.lit(QUEUED).alias("why"), time_ns="runnable_ns", waits="waits"),
        blocked.head(ROWS).select(label, pl.lit("woke it").alias("kind"), "waiter", pl.col("waker").alias("other"), why,
                                  time_ns="blocked_ns", waits="waits"),
    ])  # fmt: skip
    return (
        totals.select(label, "why", "time_ns").sort("why"),
        pairs,
        things.head(ROWS).select(label, "on", "reason", "blocked_ns", "waits"),
    )


def draw(waits: Waits, view: View) -> Drawing:
    """A stacked bar per subject by what was waited for, the worst pairs, and the worst objects."""
    if waits.totals.is_empty():
        return Drawing("<p>No task ever waited.</p>")
    labels = [s.label for s in view.subjects if s.label in set(waits.totals["subject"].to_list())]
    sums = waits.totals.group_by("subject").agg(pl.col("time_ns").sum())
    size, unit = time_unit(float(sums["time_ns"].max() or 0))  # type: ignore[arg-type]
    reasons = [why for why in _WORDS if why in set(waits.totals["why"].to_list())]
    data = [_bars(waits.totals, labels, why, size, _marker(place, why)) for place, why in enumerate(reasons)]
    below = 50 + 20 * -(-len(data) // 2)
    layout = bar_layout(f"waiting time of all tasks ({unit})", barmode="stack", showlegend=True,
                        height=140 + 32 * len(labels) + below)  # fmt: skip
    layout |= {
        "margin": {"l": 10, "r": 20, "t": 40, "b": below},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "traceorder": "normal"},
    }
    plot = Plot(data, layout, "Waiting time by what was waited for, per model")
    return Drawing(_pairs(waits.pairs) + _things(waits.things), [plot])


def _bars(totals: pl.DataFrame, labels: list[str], why: str, size: int, marker: dict[str, object]) -> dict[str, object]:
    found = dict(totals.filter(pl.col("why") == why).select("subject", "time_ns").iter_rows())
    values = [found.get(label) for label in labels]
    return {
        "type": "bar",
        "orientation": "h",
        "name": _word(why),
        "y": [plot_text(label) for label in labels],
        "x": scaled(values, size),
        "customdata": [None if v is None else format_duration(v) for v in values],
        "hovertemplate": "%{y}, %{fullData.name}: %{customdata}<extra></extra>",
        "marker": marker,
    }


def _marker(place: int, why: str) -> dict[str, object]:
    """A colour, and from the second round of them on a hatching."""
    turn = place // len(TASK_COLOURS)
    colour = GREY if why == _UNSAID else TASK_COLOURS[place % len(TASK_COLOURS)]
    return {
        "color": colour,
        "pattern": {"shape": _HATCHES[turn % len(_HATCHES)], "fgcolor": "#ffffff", "fillmode": "overlay"},
    }


def _word(why: str) -> str:
    """What was waited for, as people say it."""
    return _SAID.get(why, why.replace("_", " "))


def _name(value: str | None) -> str:
    return text((value or "–")[:_NAME_CHARS])


def _pairs(pairs: pl.DataFrame) -> str:
    rows = (
        [
            text(subject),
            _name(waiter),
            f"{_name(other)} {kind}",
            text(_word(why)),
            format_duration(ns),
            f"{n:,}",
        ]
        for subject, kind, waiter, other, why, ns, n in pairs.iter_rows()
    )
    head = ["", "task", "who", "waited for", "time", "waits"]
    return folded("Who waited longest, and who is to blame", table(head, rows, prose=(1, 2)))


def _things(things: pl.DataFrame) -> str:
    if things.is_empty():
        return ""
    rows = (
        [text(subject), _name(on), text(_word(reason or "–")), format_duration(ns), f"{waits:,}"]
        for subject, on, reason, ns, waits in things.iter_rows()
    )
    return folded("On what", table(["", "on", "as", "time", "waits"], rows, prose=(1,)))


FIGURE = Figure(
    "blame",
    "Who waited for whom",
    "The time that tasks spent waiting, added up over all of them, by what they waited for. Time in a run queue is the "
    "fault of whoever had the CPU; all other waits are ended by whoever woke the task, or by a timer or the outside. The "
    "tables name the worst.",
    compute,
    draw,
)
