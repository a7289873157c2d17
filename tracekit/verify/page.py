"""The page of a check: how far predictions are from what was measured, pair by pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tracekit.metrics.compare import format_value
from tracekit.report.figures.base import Drawing, Plot
from tracekit.report.markup import plot_text, table, text
from tracekit.report.page import Section, compose, write_page
from tracekit.report.palette import model_colours
from tracekit.verify.check import Checked
from tracekit.verify.compare import PROGRAM, orders, summary
from tracekit.verify.quantities import QUANTITIES


def write_verification(checked: Checked, misses: list[str], path: Path) -> Path:
    """Write the page whole or not at all. Raises TracekitError when that can't be."""
    return write_page(render(checked, misses), path)


def render(checked: Checked, misses: list[str]) -> str:
    """The page as HTML; the same check gives the same bytes."""
    host = ", ".join(str(value) for value in checked.profile.host.values())
    sections = [
        Section("verdict", "Do the predictions hold?", _VERDICT, _verdict(checked, misses)),
        Section("pairs", "Predicted against measured", _PAIRS, _pairs(checked.table)),
        Section("errors", "Error by workload", _ERRORS, _errors(checked.table)),
        Section("cells", "Every comparison", _CELLS, _cells(checked)),
    ]
    return compose("Predictions against real execution", f"profile {checked.profile.name}: {host}", sections)


_VERDICT = (
    "The same work ran for real and was replayed. An error is predicted over measured, less one. Bars are for the "
    "median and for the 90th percentile of all cells' absolute errors. A cell whose two batches of executions differ "
    "by more than 5 % is inconclusive and does not count."
)
_PAIRS = (
    "Each point is one workload in one form: to the right, what was measured; upwards, what was predicted. On the "
    "line both are equal. Times are on a logarithmic scale."
)
_ERRORS = "The error of each makespan predicted from the program. The grey bar is the spread of the measurements."
_CELLS = "All quantities of all cells, those predicted from recordings included."


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _verdict(checked: Checked, misses: list[str]) -> Drawing:
    words = "All bars hold." if not misses else "Missed: " + "; ".join(misses) + "."
    rows = [
        (
            text(row["prediction"]), text(QUANTITIES[row["quantity"]].title), str(row["cells"]), str(row["inconclusive"]),
            _share(row["median"]), _share(row["p90"]),
            ", ".join(_share(bar) for bar in (row["median_bar"], row["p90_bar"]) if bar is not None) or "–",
            {True: "held", False: "<strong>missed</strong>", None: "–"}[row["held"]],
        )
        for row in summary(checked.table).iter_rows(named=True)
    ]  # fmt: skip
    right, total = orders(checked.table)
    order = f"<p>Order of the forms, where they differ by more than twice the spread: {right} of {total} right.</p>"
    head = ("prediction", "quantity", "cells", "inconclusive", "median error", "90th percentile", "bars", "")
    notes = "".join(f"<li>{text(note)}</li>" for note in checked.notes)
    return Drawing(
        f"<p><strong>{text(words)}</strong></p>{table(head, rows)}{order if total else ''}"
        + (f"<ul>{notes}</ul>" if notes else "")
    )


def _pairs(cells: pl.DataFrame) -> Drawing:
    spans = cells.filter(pl.col("quantity") == "makespan")
    if spans.is_empty():
        return Drawing("<p>Nothing was measured.</p>")
    values = [*spans["measured"].to_list(), *spans["predicted"].to_list()]
    ends = [0.8 * min(values) / 1e6, 1.25 * max(values) / 1e6]
    line = {"type": "scatter", "mode": "lines", "x": ends, "y": ends, "name": "equal", "hoverinfo": "skip",
            "line": {"color": "#8A8F98", "dash": "dot"}}  # fmt: skip
    axis = {"type": "log", "ticksuffix": " ms", "automargin": True}
    layout: dict[str, Any] = {
        "height": 480, "margin": {"l": 60, "r": 20, "t": 20, "b": 50}, "legend": {"orientation": "h", "y": 1.1},
        "xaxis": axis | {"title": {"text": "measured makespan"}}, "yaxis": axis | {"title": {"text": "predicted"}},
    }  # fmt: skip
    colours = model_colours(sorted(set(spans["form"].to_list())))
    points = [_points(group, str(form), str(source), colours[str(form)]) for (form, source), group in
              spans.group_by("form", "source", maintain_order=True)]  # fmt: skip
    return Drawing(plots=[Plot([line, *points], layout, "Predicted against measured makespans, one point a cell")])


def _points(group: pl.DataFrame, form: str, source: str, colour: str) -> dict[str, Any]:
    direct = source == PROGRAM
    return {
        "type": "scatter", "mode": "markers", "name": form if direct else f"{form}, from a recording as {source}",
        "x": [v / 1e6 for v in group["measured"].to_list()], "y": [v / 1e6 for v in group["predicted"].to_list()],
        "text": [f"{plot_text(w)}, {c} CPUs: {e:+.1%}" for w, c, e in group.select("workload", "cpus", "error").rows()],
        "hovertemplate": "%{text}<br>measured %{x:.4g} ms, predicted %{y:.4g} ms<extra></extra>",
        "marker": {"color": colour, "size": 9, "symbol": "circle" if direct else "diamond-open"},
    }  # fmt: skip


def _errors(cells: pl.DataFrame) -> Drawing:
    spans = cells.filter((pl.col("quantity") == "makespan") & (pl.col("source") == PROGRAM))
    if spans.is_empty():
        return Drawing("<p>Nothing was measured.</p>")
    colours = model_colours(sorted(set(spans["form"].to_list())))
    bars = []
    for (form,), group in spans.group_by("form", maintain_order=True):
        names = [f"{plot_text(workload)}, {cpus} CPUs" for workload, cpus in group.select("workload", "cpus").rows()]
        bars.append({
            "type": "bar", "orientation": "h", "name": str(form), "y": names, "marker": {"color": colours[str(form)]},
            "x": [100 * error for error in group["error"].to_list()],
            "error_x": {"type": "data", "array": [50 * s for s in group["spread"].to_list()], "color": "#8A8F98",
                        "thickness": 1},
            "hovertemplate": "%{y}<br>%{x:+.1f} %<extra></extra>",
        })  # fmt: skip
    count = spans.select("workload", "cpus").n_unique()
    layout = {
        "height": 120 + 46 * count, "margin": {"l": 10, "r": 20, "t": 30, "b": 40}, "barmode": "group",
        "yaxis": {"automargin": True, "autorange": "reversed", "type": "category", "ticksuffix": "  "},
        "xaxis": {"ticksuffix": " %", "zeroline": True, "title": {"text": "error of the makespan"}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    }  # fmt: skip
    return Drawing(plots=[Plot(bars, layout, "Error of each predicted makespan, by workload and form")])


def _cells(checked: Checked) -> Drawing:
    rows = []
    for row in checked.table.iter_rows(named=True):
        quantity = QUANTITIES[row["quantity"]]
        rows.append((
            text(row["workload"]), str(row["cpus"]), text(row["source"]), text(row["form"]), text(quantity.title),
            text(format_value(row["predicted"], quantity.unit)), text(format_value(row["measured"], quantity.unit)),
            f"{row['error']:+.1%}", "inconclusive" if row["inconclusive"] else _share(row["spread"]),
        ))  # fmt: skip
    head = ("workload", "CPUs", "predicted from", "form", "quantity", "predicted", "measured", "error", "spread")
    return Drawing(table(head, rows))
