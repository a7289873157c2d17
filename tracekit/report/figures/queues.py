"""Queues: how many tasks run at once and how many wait for a CPU, over time."""

from __future__ import annotations

import polars as pl

from tracekit.analysis.queues import queues
from tracekit.report.figures.base import Drawing, Figure, Plot, scaled, time_unit
from tracekit.report.markup import plot_text, table, text
from tracekit.report.view import View

SCHEMA = {"subject": pl.String, "what": pl.String, "start_ns": pl.Int64, "mean": pl.Float64, "most": pl.Int64}
_TITLES = {
    "running": "tasks running at once",
    "runnable": "tasks waiting for a CPU",
    "local_queues": "goroutines in the Ps' local queues",
    "global_queue": "goroutines in the global queue",
}


def compute(view: View) -> pl.DataFrame:
    """subject, what (of `_TITLES`; queues of goroutines where there are some), start_ns, mean, most: a row per bin of each subject's own time."""
    parts = [pl.DataFrame(schema=SCHEMA)]
    for subject in view.subjects:
        found = queues(subject.history)
        rows = found.tables["over_time"].rows.filter(pl.col("what").is_in(list(_TITLES)))
        parts.append(rows.select(pl.lit(subject.label).alias("subject"), "what", "start_ns", "mean", "most"))
    return pl.concat(parts)


def draw(rows: pl.DataFrame, view: View) -> Drawing:
    """A step line per subject in each of two plots, or four with goroutines, and their means and peaks as a table."""
    if rows.is_empty():
        return Drawing("<p>No task ever ran.</p>")
    size, unit = time_unit(view.end_ns)
    plots = []
    for what, title in _TITLES.items():
        seen = set(rows.filter(pl.col("what") == what)["subject"])
        data = [
            _line(rows, view, place, what, size) for place, subject in enumerate(view.subjects) if subject.label in seen
        ]
        if not data:
            continue
        layout = {
            "title": {"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left"},
            "height": 320,
            "margin": {"l": 10, "r": 20, "t": 40, "b": 80},
            "xaxis": {"title": {"text": f"time ({unit})"}, "range": [0, 1.01 * view.end_ns / size]},
            "yaxis": {"rangemode": "tozero", "automargin": True},
            "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
            "hovermode": "closest",
        }
        plots.append(Plot(data, layout, f"{title}, over time, per model"))
    return Drawing(_table(rows), plots, "Each point is the mean over one of 200 equal parts of that model's time.")


def _line(rows: pl.DataFrame, view: View, place: int, what: str, size: int) -> dict[str, object]:
    subject = view.subjects[place]
    part = rows.filter((pl.col("subject") == subject.label) & (pl.col("what") == what))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plot_text(subject.label),
        "x": scaled(part["start_ns"].cast(pl.Float64).to_list(), size),
        "y": [float(f"{value:.4g}") for value in part["mean"]],
        "customdata": part["most"].to_list(),
        "line": {"color": subject.colour, "width": 2, "shape": "hv", "dash": "solid" if subject.competes else "dot"},
        "hovertemplate": "%{fullData.name}: %{y:.3g}, at most %{customdata}<extra></extra>",
    }


def _table(rows: pl.DataFrame) -> str:
    # All of a subject's bins are equally long but the last, which is too short to matter to a mean of three digits.
    sums = rows.group_by("subject", "what", maintain_order=True).agg(pl.col("mean").mean(), pl.col("most").max())
    cells = (
        [text(subject), text(_TITLES[what]), f"{mean:.3g}", str(most)] for subject, what, mean, most in sums.iter_rows()
    )
    return table(["", "", "mean", "most"], cells)


FIGURE = Figure(
    "queues",
    "Queues and parallelism",
    "The first plot has how many tasks run at once: as many as there are CPUs is all that can be. The second, how many "
    "could run and have to wait for a CPU, and where goroutines wait then: who is woken or new joins the local queue of a "
    "P, who is preempted or yields the global one, which all Ps share. Many waiting while few run points at work that can't be shared out; none waiting and few running, "
    "at tasks that wait for one another.",
    compute,
    draw,
)
