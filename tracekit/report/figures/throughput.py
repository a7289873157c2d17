"""Throughput: how much of each kind of work is done per second of makespan."""

from __future__ import annotations

import polars as pl

from tracekit.metrics.catalog import METRICS
from tracekit.metrics.compare import format_value
from tracekit.report.figures.base import Drawing, Figure, Plot, bar_layout
from tracekit.report.markup import plot_text
from tracekit.report.view import View

_METRICS = [metric for metric in METRICS.values() if metric.group == "throughput"]


def compute(view: View) -> pl.DataFrame:
    """metric, subject, per_s: a row for each that has a value."""
    rows = [
        (metric.name, subject.label, value)
        for metric in _METRICS
        for subject in view.subjects
        if (value := subject.value(metric.name)) is not None
    ]
    return pl.DataFrame(rows, schema={"metric": pl.String, "subject": pl.String, "per_s": pl.Float64}, orient="row")


def draw(rows: pl.DataFrame, view: View) -> Drawing:
    """A small plot per kind of work, a bar per model."""
    if rows.is_empty():
        return Drawing("<p>No task ended, and no message or request was counted.</p>")
    return Drawing(plots=[_plot(name, part, view) for (name,), part in rows.group_by("metric", maintain_order=True)])


def _plot(name: object, part: pl.DataFrame, view: View) -> Plot:
    title = f"{METRICS[str(name)].title} per second"
    colours = {s.label: s.colour for s in view.subjects}
    labels, values = part["subject"].to_list(), part["per_s"].to_list()
    shown = [format_value(value, "1/s") for value in values]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [plot_text(label) for label in labels],
        "x": values,
        "text": shown,
        "textposition": "auto",
        "hovertemplate": "%{y}: %{text}<extra></extra>",
        "marker": {"color": [colours[label] for label in labels]},
    }
    summary = f"{title}: " + ", ".join(f"{label} {text}" for label, text in zip(labels, shown, strict=True))
    return Plot([bars], bar_layout(title, xaxis={"rangemode": "tozero", "title": {"text": "per second"}}), summary)


FIGURE = Figure(
    "throughput",
    "Throughput",
    "How many tasks, messages and requests are done per second of makespan. Longer bars are better.",
    compute,
    draw,
)
