"""Overhead: what each model charges beyond the work itself, by kind."""

from __future__ import annotations

import polars as pl

from tracekit.metrics.compare import format_value
from tracekit.report.figures.base import Drawing, Figure, Plot, bar_layout, scaled, time_unit
from tracekit.report.markup import facts, folded, plot_text, table, text
from tracekit.report.palette import KIND_STYLE
from tracekit.report.view import View
from tracekit.units import format_duration
from tracekit.vocabulary import OVERHEADS

SCHEMA = {"subject": pl.String, "kind": pl.String, "time_ns": pl.Float64, "share": pl.Float64}


def compute(view: View) -> pl.DataFrame:
    """subject, kind, time_ns, share (of CPU time): a row for each kind that a run was charged for."""
    rows = [
        (run.label, kind, time_ns, run.value("overhead_share", kind))
        for run in view.runs
        for kind in OVERHEADS
        if (time_ns := run.value("overhead_time", kind))
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def draw(rows: pl.DataFrame, view: View) -> Drawing:
    """Stacked bars, as time and as share of CPU time, and the same as a table."""
    if rows.is_empty():
        return Drawing("<p>No run was charged any overhead.</p>")
    totals = rows.group_by("subject").agg(pl.col("time_ns").sum())
    size, unit = time_unit(float(totals["time_ns"].max() or 0))  # type: ignore[arg-type]
    labels = [run.label for run in view.runs if run.label in set(rows["subject"].to_list())]
    absolute = _plot(rows, labels, "time_ns", size, f"CPU time ({unit})")
    share = _plot(rows, labels, "share", 1, "share of CPU time")
    share.layout["xaxis"]["tickformat"] = ".3~%"
    kinds = list(dict.fromkeys(rows.sort(pl.col("kind").replace_strict(dict(OVERHEADS)))["kind"].to_list()))
    meanings = facts((kind.replace("_", " "), text(OVERHEADS.meanings[kind])) for kind in kinds)
    tables = folded("The same as a table", _table(rows, labels, kinds)) + folded("What the kinds mean", meanings)
    return Drawing(tables, [absolute, share])


def _plot(rows: pl.DataFrame, labels: list[str], column: str, size: int, title: str) -> Plot:
    data = []
    for kind, (colour, pattern) in KIND_STYLE.items():
        found = dict(rows.filter(pl.col("kind") == kind).select("subject", column).iter_rows())
        if not found:
            continue
        values = [found.get(label) for label in labels]
        data.append({
            "type": "bar",
            "orientation": "h",
            "name": kind.replace("_", " "),
            "y": [plot_text(label) for label in labels],
            "x": scaled(values, size),
            "customdata": [format_value(v, "ns" if column == "time_ns" else "1") for v in values],
            "hovertemplate": "%{y}, %{fullData.name}: %{customdata}<extra></extra>",
            "marker": {"color": colour, "pattern": {"shape": pattern, "fgcolor": "#ffffff", "fillmode": "overlay", "size": 6}},
        })  # fmt: skip
    below = 50 + 20 * -(-len(data) // 2)  # room for a legend in two columns, as a narrow page has
    margin = {"l": 10, "r": 20, "t": 40, "b": below}
    layout = bar_layout(title, barmode="stack", showlegend=True, height=240 + below, margin=margin)
    layout |= {
        "xaxis": {"rangemode": "tozero"},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "traceorder": "normal"},
    }
    return Plot(data, layout, f"Overhead by kind and model, {title}")


def _table(rows: pl.DataFrame, labels: list[str], kinds: list[str]) -> str:
    found = {(kind, label): (time_ns, share) for label, kind, time_ns, share in rows.iter_rows()}

    def cell(kind: str, label: str) -> str:
        time_ns, share = found.get((kind, label), (None, None))
        return "–" if time_ns is None else f"{format_duration(time_ns)} ({format_value(share, '1')})"

    return table(
        ["kind", *map(text, labels)],
        ([text(k.replace("_", " ")), *(cell(k, label) for label in labels)] for k in kinds),
    )


FIGURE = Figure(
    "overhead",
    "Overhead by kind",
    "CPU time that goes to having the work scheduled in this form rather than to the work itself: once in time, once "
    "as a share of all CPU time. Shorter bars are better; the colours say what the time goes to.",
    compute,
    draw,
)
