"""Memory over time: what the tasks hold, resident and virtual."""

from __future__ import annotations

import polars as pl

from tracekit.analysis.memory import memory
from tracekit.report.figures.base import Drawing, Figure, Plot, scaled, time_unit
from tracekit.report.markup import plot_text, table, text
from tracekit.report.view import Subject, View
from tracekit.units import format_bytes, format_duration

POINTS = 600  # of one curve
_UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "B"))
SCHEMA = {
    "subject": pl.String, "at_ns": pl.Int64, "resident_bytes": pl.Int64, "virtual_bytes": pl.Int64,
    "thinned": pl.Boolean,
}  # fmt: skip


def compute(view: View) -> pl.DataFrame:
    """subject, at_ns, resident_bytes, virtual_bytes; past POINTS rows the peak of each bin, marked `thinned`."""
    return pl.concat([pl.DataFrame(schema=SCHEMA), *(_curve(run, view.end_ns) for run in view.runs)])


def _curve(run: Subject, end_ns: int) -> pl.DataFrame:
    held = run.bundle.frame("memory").sort("at_ns", maintain_order=True)
    thinned = held.height > POINTS
    if thinned:
        bin_ns = max(1, -(-max(end_ns, int(held["at_ns"][-1]) + 1) // POINTS))
        peaks = [pl.col("at_ns").first(), pl.col("resident_bytes").max(), pl.col("virtual_bytes").max()]
        held = held.group_by(pl.col("at_ns").alias("bin") // bin_ns, maintain_order=True).agg(*peaks)
    return held.with_columns(subject=pl.lit(run.label), thinned=pl.lit(thinned)).select(*SCHEMA)


def draw(rows: pl.DataFrame, view: View) -> Drawing:
    """A plot each for resident and virtual memory, a stepped line per model."""
    plots = [_plot(rows, view, kind) for kind in ("resident", "virtual") if rows.height]
    note = ""
    if rows["thinned"].any():
        note = f"Downsampled: a line has at most {POINTS} steps, each the peak of its time."
    return Drawing(_kinds(view) or "<p>Nothing kept account of memory.</p>", plots, note)


def _kinds(view: View) -> str:
    """Peak, mean and last value of each kind of memory that a run, or the recording of a Go program, tells of."""
    rows = [
        [text(subject.label), text(str(kind).replace("_", " ")), *(format_bytes(v) for v in (peak, mean, last)),
         format_duration(at)]
        for subject in view.subjects
        if (found := memory(subject.history).tables.get("kinds"))
        for kind, peak, at, mean, last in found.rows.iter_rows()
    ]  # fmt: skip
    return table(["", "memory", "peak", "mean", "at the end", "peak at"], rows) if rows else ""


def _plot(rows: pl.DataFrame, view: View, kind: str) -> Plot:
    column = f"{kind}_bytes"
    most = int(rows[column].max() or 0)  # type: ignore[arg-type]
    size, unit = next(((s, u) for s, u in _UNITS if most >= 2 * s), _UNITS[-1])
    time_size, time_name = time_unit(view.end_ns)
    data = []
    for run in view.runs:
        part = rows.filter(pl.col("subject") == run.label)
        if part.is_empty():
            continue
        held = part[column].to_list()
        end_ns = int(run.value("makespan") or 0)
        # The last value holds until the end of the run.
        times, values = [*part["at_ns"].to_list(), max(end_ns, int(part["at_ns"][-1]))], [*held, held[-1]]
        data.append({
            "type": "scatter",
            "mode": "lines",
            "name": plot_text(run.label),
            "x": scaled(times, time_size),
            "y": scaled(values, size),
            "line": {"color": run.colour, "shape": "hv", "width": 2},
            "customdata": [format_bytes(v) for v in values],
            "hovertemplate": "%{fullData.name}: %{customdata}<extra></extra>",
        })  # fmt: skip
    layout = {
        "title": {"text": f"{kind} memory ({unit})", "font": {"size": 14}, "x": 0, "xanchor": "left"},
        "height": 350,
        "margin": {"l": 10, "r": 20, "t": 40, "b": 90},
        "xaxis": {"title": {"text": f"time ({time_name})"}, "range": [0, 1.01 * view.end_ns / time_size]},
        "yaxis": {"rangemode": "tozero", "automargin": True},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
        "showlegend": True,
        "hovermode": "closest",
    }
    return Plot(data, layout, f"{kind} memory over time, per model")


FIGURE = Figure(
    "memory",
    "Memory over time",
    "Resident memory is what the tasks really occupy; virtual memory is address space set aside, most of it never "
    "touched (a thread reserves megabytes of stack and uses kilobytes). Lower is better, resident first.",
    compute,
    draw,
)
