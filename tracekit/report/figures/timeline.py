"""The timeline: which task each CPU runs, for the recording and every model, on one shared time axis."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tracekit.report.figures.base import Drawing, Figure, Plot, scaled, time_unit
from tracekit.report.figures.timeline_bins import binned
from tracekit.report.markup import plot_text, text
from tracekit.report.palette import OTHER_TASK, TASK_COLOURS
from tracekit.report.view import Subject, View
from tracekit.units import format_duration

EXACT_BARS = 4_000  # more bars than this slow a browser down and lie closer than a screen's columns
BINNED_BARS = 4_800  # of the whole figure, once it is drawn in bins
MOST_CPUS = 16  # per subject
_NAME_CHARS = 80
_ROW_PX, _FULL_HEIGHT = 30, 0.82
_COLOURS = (*TASK_COLOURS, OTHER_TASK)

SCHEMA = {
    "subject": pl.String, "cpu": pl.Int32, "start_ns": pl.Int64, "duration_ns": pl.Int64, "busy_share": pl.Float64,
    "task": pl.String, "left": pl.String, "colour": pl.Int32,
}  # fmt: skip


@dataclass(frozen=True)
class Timeline:
    """`bars` (SCHEMA: one per RUNNING interval, or per bin), the bin's length (None: exact), CPUs left out."""

    bars: pl.DataFrame
    bin_ns: int | None
    hidden_cpus: int


def compute(view: View) -> Timeline:
    """RUNNING intervals with the task and why it left; past EXACT_BARS, bins with busy share and dominant task."""
    runs = {subject.label: _runs(subject) for subject in view.subjects}
    hidden = sum(max(0, frame["cpu"].n_unique() - MOST_CPUS) for frame in runs.values())
    runs = {label: _first_cpus(frame) for label, frame in runs.items()}
    bin_ns = None
    if sum(frame.height for frame in runs.values()) > EXACT_BARS:
        rows = max(1, sum(frame["cpu"].n_unique() for frame in runs.values()))
        bin_ns = max(1, -(-view.end_ns // max(1, BINNED_BARS // rows)))
        runs = {label: binned(frame, bin_ns) for label, frame in runs.items()}
    named = [_named(runs[subject.label], subject, _colours(view)) for subject in view.subjects]
    return Timeline(pl.concat([pl.DataFrame(schema=SCHEMA), *named]), bin_ns, hidden)


def _runs(subject: Subject) -> pl.DataFrame:
    """All RUNNING intervals: task_id, cpu, start_ns, end_ns, left (null for tasks that do not count), busy_share."""
    seen = subject.seen
    reason, state = pl.col("next_reason").cast(pl.String), pl.col("next_state").cast(pl.String)
    left = pl.when(state.is_not_null()).then(pl.concat_str([state, reason], separator=", ", ignore_nulls=True))
    own = seen.running.select("task_id", "cpu", "start_ns", "end_ns", left=left)
    others = seen.busy.join(seen.tasks.select("task_id"), on="task_id", how="anti")
    both = pl.concat([own, others.with_columns(left=pl.lit(None, pl.String))])
    return both.drop_nulls("cpu").sort("cpu", "start_ns", "task_id").with_columns(busy_share=pl.lit(1.0))


def _first_cpus(runs: pl.DataFrame) -> pl.DataFrame:
    return runs.filter(pl.col("cpu").is_in(runs["cpu"].unique().sort().head(MOST_CPUS).to_list()))


def _identity(subject: Subject) -> pl.DataFrame:
    """task_id, key, task (name) of the tasks that count. The key is the same task's in every subject."""
    tasks = subject.bundle.frame("tasks").join(subject.seen.tasks.select("task_id"), on="task_id", how="semi")
    return tasks.select("task_id", key=pl.col("source_id").fill_null(pl.col("task_id").cast(pl.Int64)))


def _colours(view: View) -> pl.DataFrame:
    """key, colour: colours in the order of keys, again from the first after the last."""
    keys = pl.concat([pl.DataFrame(schema={"key": pl.Int64}), *(_identity(s).select("key") for s in view.subjects)])
    return keys.unique().sort("key").with_row_index("colour").with_columns(
        pl.col("colour").cast(pl.Int32) % len(TASK_COLOURS)
    )  # fmt: skip


def _named(runs: pl.DataFrame, subject: Subject, colours: pl.DataFrame) -> pl.DataFrame:
    names = subject.bundle.frame("tasks").select("task_id", task=pl.col("name").str.slice(0, _NAME_CHARS))
    own = _identity(subject).join(colours, on="key", how="left").select("task_id", "colour")
    rows = runs.join(names, on="task_id", how="left").join(own, on="task_id", how="left")
    rows = rows.sort("cpu", "start_ns", "task_id").with_columns(
        subject=pl.lit(subject.label),
        duration_ns=pl.col("end_ns") - pl.col("start_ns"),
        colour=pl.col("colour").fill_null(len(TASK_COLOURS)),
    )
    return rows.select(*SCHEMA)


def draw(timeline: Timeline, view: View) -> Drawing:
    """A row of bars per CPU and subject; in bins, a bar's height is the busy share."""
    if timeline.bars.is_empty():
        return Drawing("<p>No interval says on which CPU a task ran.</p>")
    places = timeline.bars.select("subject", "cpu").unique(maintain_order=True).rows()
    # Rows go down the page, with half a row between subjects.
    rank = {label: i for i, label in enumerate(dict.fromkeys(label for label, _ in places))}
    rows = {place: -(i + 0.5 * rank[place[0]]) for i, place in enumerate(places)}
    size, unit = time_unit(view.end_ns)
    data = [_bars(timeline, subject, rows, size) for subject in view.subjects if subject.label in rank]
    layout = _layout(view, rows, size, unit)
    return Drawing(plots=[Plot(data, layout, "Timeline of every CPU under every model")], note=_note(timeline))


def _bars(timeline: Timeline, subject: Subject, rows: dict[tuple[str, int], float], size: int) -> dict[str, object]:
    bars = timeline.bars.filter(pl.col("subject") == subject.label)
    middles = (bars["start_ns"] + bars["duration_ns"] / 2).to_list()
    in_bins = timeline.bin_ns is not None
    return {
        "type": "bar",
        "name": plot_text(subject.label),
        "showlegend": False,
        "x": scaled(middles, size),
        "width": scaled(bars["duration_ns"].cast(pl.Float64).to_list(), size),
        "base": [rows[subject.label, cpu] - _FULL_HEIGHT / 2 for cpu in bars["cpu"]],
        "y": [float(f"{_FULL_HEIGHT * share:.4g}") for share in bars["busy_share"]],
        "marker": {"color": [_COLOURS[colour] for colour in bars["colour"]], "line": {"width": 0}},
        "customdata": _hover(bars, in_bins=in_bins),
        "hovertemplate": f"<b>%{{customdata[0]}}</b>{' (most of the bin)' if in_bins else ''}<br>"
        "from %{customdata[1]} for %{customdata[2]}<br>%{customdata[3]}<extra>%{fullData.name}</extra>",
    }


def _hover(bars: pl.DataFrame, *, in_bins: bool) -> list[list[str]]:
    rows = bars.select("task", "start_ns", "duration_ns", "busy_share", "left").iter_rows()
    return [
        [
            plot_text(task),
            format_duration(start_ns),
            format_duration(duration_ns),
            f"CPU busy {100 * share:.0f} %" if in_bins else f"then {left or 'not recorded'}",
        ]
        for task, start_ns, duration_ns, share, left in rows
    ]


def _layout(view: View, rows: dict[tuple[str, int], float], size: int, unit: str) -> dict[str, object]:
    ends = [_end_line(subject, rows, size) for subject in view.subjects if subject.value("makespan")]
    return {
        "height": int(90 + _ROW_PX * (1 - min(rows.values()))),
        "margin": {"l": 10, "r": 20, "t": 10, "b": 50},
        "bargap": 0,
        "barmode": "overlay",
        "hovermode": "closest",
        "xaxis": {"title": {"text": f"time ({unit})"}, "range": [0, 1.01 * view.end_ns / size], "zeroline": False},
        "yaxis": {
            "tickvals": list(rows.values()),
            "ticktext": [f"{plot_text(label)} · CPU {cpu} " for label, cpu in rows],
            "range": [min(rows.values()) - 0.6, 0.6],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
            "fixedrange": True,
        },
        "shapes": [line for line in ends if line],
    }


def _end_line(subject: Subject, rows: dict[tuple[str, int], float], size: int) -> dict[str, object]:
    own = [y for (label, _), y in rows.items() if label == subject.label]
    if not own:
        return {}
    x = (subject.value("makespan") or 0) / size
    line = {"color": subject.colour, "width": 2, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": min(own) - 0.5, "y1": max(own) + 0.5, "line": line}


def _note(timeline: Timeline) -> str:
    notes = []
    if timeline.bin_ns is not None:
        notes.append(
            f"Downsampled: too many intervals to draw each. A bar is a bin of {format_duration(timeline.bin_ns)}; its "
            "height is the share of it that the CPU was busy, its colour the task that ran longest in it."
        )
    if timeline.hidden_cpus:
        notes.append(f"Only the first {MOST_CPUS} CPUs of each are drawn; {timeline.hidden_cpus} more are not.")
    return text(" ".join(notes))


FIGURE = Figure(
    "timeline",
    "Timeline",
    "What each CPU runs over time; blank is idle. A colour is a task, the same one in every row (colours repeat after "
    f"{len(TASK_COLOURS)} tasks; grey is everything outside the program). The dotted line is the makespan. Drag to "
    "zoom, double-click to go back, point at a bar for the task, its start, its length and how it left the CPU.",
    compute,
    draw,
)
