"""Wakeup latency: how long a woken task waits until it first runs, as a cumulative distribution."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracekit.metrics.catalog import PERCENTILES
from tracekit.metrics.latency import percentiles, wakeup_latencies
from tracekit.report.figures.base import Drawing, Figure, Plot
from tracekit.report.markup import plot_text, table, text
from tracekit.report.palette import GREY
from tracekit.report.view import View
from tracekit.units import format_duration

POINTS = 240  # of one curve; more than a screen's columns tell apart
_LABELLED = {name: PERCENTILES[name] / 1000 for name in ("p50", "p90", "p99")}  # closer ones would overlap
SCHEMA = {"subject": pl.String, "latency_ns": pl.Int64, "share": pl.Float64, "percentile": pl.String}


def compute(view: View) -> pl.DataFrame:
    """subject, latency_ns, share (of wakeups that waited no longer), percentile (its name, where the row is one)."""
    parts = [_curve(subject.label, wakeup_latencies(subject.seen)) for subject in view.subjects]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])


def _curve(label: str, ascending: pl.Series) -> pl.DataFrame:
    count = len(ascending)
    if not count:
        return pl.DataFrame(schema=SCHEMA)
    # Half of the points over all ranks, half over the last hundredth: the tail is what a curve must not lose.
    ranks = np.concatenate([np.linspace(1, count, POINTS // 2), np.linspace(max(1, 0.99 * count), count, POINTS // 2)])
    ranks = np.unique(np.ceil(ranks).astype(np.int64))
    curve = pl.DataFrame({"latency_ns": ascending.gather(ranks - 1), "share": ranks / count})
    # Of equal latencies the last one says how many waited no longer.
    curve = curve.group_by("latency_ns").agg(pl.col("share").max()).with_columns(percentile=pl.lit(None, pl.String))
    marks = percentiles(ascending)
    named = pl.DataFrame({
        "latency_ns": pl.Series(list(marks.values()), dtype=pl.Int64),
        "share": [level / 1000 for level in PERCENTILES.values()],
        "percentile": list(marks),
    })  # fmt: skip
    rows = pl.concat([curve.select("latency_ns", "share", "percentile"), named]).sort(
        "share", "latency_ns", "percentile"
    )
    return rows.select(pl.lit(label).alias("subject"), "latency_ns", "share", "percentile")


def draw(rows: pl.DataFrame, view: View) -> Drawing:
    """A curve per subject with its percentiles marked, and the percentiles as a table."""
    if rows.is_empty():
        return Drawing("<p>No wakeup was followed by a run.</p>")
    data = []
    for subject in view.subjects:
        part = rows.filter(pl.col("subject") == subject.label)
        if not part.is_empty():
            dash = "solid" if subject.competes else "dot"
            data += [_line(part, subject.label, subject.colour, dash), _marks(part, subject.label, subject.colour)]
    layout = {
        "height": 440,
        "margin": {"l": 10, "r": 20, "t": 20, "b": 90},
        "xaxis": {"type": "log", "title": {"text": "wakeup latency"}, **_ticks(rows), "automargin": True},
        "yaxis": {
            "range": [0, 1.04],
            "tickformat": ".0%",
            "title": {"text": "share of wakeups that waited no longer"},
            "automargin": True,
        },
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
        "hovermode": "closest",
        "shapes": [_level(level) for level in _LABELLED.values()],
        "annotations": [_level_name(name, level) for name, level in _LABELLED.items()],
    }
    summary = "Cumulative distribution of wakeup latency per model; the percentiles are in the table below"
    note = "" if rows["latency_ns"].min() else "A logarithmic axis has no zero: waits of 0 ns are drawn at 1 ns."
    return Drawing(_table(rows), [Plot(data, layout, summary)], note)


def _shown(latencies: pl.Series) -> list[int]:
    return [max(1, int(v)) for v in latencies]


def _line(part: pl.DataFrame, label: str, colour: str, dash: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plot_text(label),
        "legendgroup": plot_text(label),
        "x": _shown(part["latency_ns"]),
        "y": [float(f"{share:.6g}") for share in part["share"]],
        "line": {"color": colour, "width": 2, "dash": dash, "shape": "hv", "simplify": False},
        "customdata": [format_duration(v) for v in part["latency_ns"]],
        "hovertemplate": "%{fullData.name}: %{y:.2%} waited at most %{customdata}<extra></extra>",
    }


def _marks(part: pl.DataFrame, label: str, colour: str) -> dict[str, object]:
    named = part.filter(pl.col("percentile").is_not_null())
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plot_text(label),
        "legendgroup": plot_text(label),
        "showlegend": False,
        "x": _shown(named["latency_ns"]),
        "y": named["share"].to_list(),
        "marker": {"color": colour, "size": 7},
        "customdata": [[n, format_duration(v)] for n, v in named.select("percentile", "latency_ns").iter_rows()],
        "hovertemplate": "%{fullData.name}: %{customdata[0]} %{customdata[1]}<extra></extra>",
    }


def _level(share: float) -> dict[str, object]:
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": share, "y1": share, "line": line}


def _level_name(name: str, share: float) -> dict[str, object]:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "y": share, "yanchor": "bottom"}
    return {"text": name, "showarrow": False, "font": {"size": 12}} | place


def _ticks(rows: pl.DataFrame) -> dict[str, object]:
    shown = _shown(rows["latency_ns"])
    low, high = len(str(min(shown))) - 1, len(str(max(shown)))
    steps = (1, 2, 5) if high - low <= 4 else (1,)  # more would overlap on a narrow page
    ticks = [step * 10**power for power in range(low, high + 1) for step in steps]
    return {
        "tickvals": ticks,
        "ticktext": [format_duration(tick).replace(".00", "").replace(".0", "") for tick in ticks],
    }


def _table(rows: pl.DataFrame) -> str:
    named = rows.filter(pl.col("percentile").is_not_null())
    found: dict[str, dict[str, int]] = {}
    for subject, latency_ns, _, percentile in named.iter_rows():
        found.setdefault(subject, {})[percentile] = latency_ns
    return table(
        ["wakeup latency", *PERCENTILES],
        ([text(subject), *(format_duration(marks[p]) for p in PERCENTILES)] for subject, marks in found.items()),
    )


FIGURE = Figure(
    "wakeup-latency",
    "Wakeup latency",
    "How long a task waits from being woken until it first runs. A curve further to the left is better: it reaches, "
    "at each height, the time within which that share of all wakeups ran. The time axis is logarithmic.",
    compute,
    draw,
)
