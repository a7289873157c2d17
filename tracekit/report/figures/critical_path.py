"""The critical path: what the time until the end is made of, and which tasks it runs through."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tracekit.analysis.critical_path import KINDS, MEANINGS, critical_path
from tracekit.report.figures.base import Drawing, Figure, Plot, bar_layout, scaled, time_unit
from tracekit.report.markup import facts, folded, plot_text, table, text
from tracekit.report.palette import BLUE, GREY, ORANGE, PURPLE
from tracekit.report.view import View
from tracekit.units import format_duration

TASKS = 8  # of each subject
_COLOURS = dict(zip(KINDS, (BLUE, ORANGE, PURPLE, GREY), strict=True))
_NAME_CHARS = 60


@dataclass(frozen=True)
class Paths:
    """`kinds`: subject, kind, time_ns. `tasks`: subject, task, path_ns, compute_ns, queue_ns, wait_ns, most first."""

    kinds: pl.DataFrame
    tasks: pl.DataFrame


def compute(view: View) -> Paths:
    """The path of every subject, from time 0 to the end of the last of its tasks."""
    kinds, tasks = [], []
    for subject in view.subjects:
        found = critical_path(subject.history)
        kinds += [(subject.label, kind, found.facts[f"{kind}_ns"]) for kind in KINDS if found.facts[f"{kind}_ns"]]
        by_task = found.tables["by_task"].rows.head(TASKS)
        tasks.append(
            by_task.select(pl.lit(subject.label).alias("subject"), "task", "path_ns", *(f"{k}_ns" for k in KINDS[:3]))
        )
    schema = {"subject": pl.String, "kind": pl.String, "time_ns": pl.Int64}
    return Paths(pl.DataFrame(kinds, schema=schema, orient="row"), pl.concat(tasks))


def draw(paths: Paths, view: View) -> Drawing:
    """A stacked bar per subject, and the tasks that the path runs through."""
    if paths.kinds.is_empty():
        return Drawing("<p>No task ever ran.</p>")
    labels = [s.label for s in view.subjects if s.label in set(paths.kinds["subject"].to_list())]
    size, unit = time_unit(view.end_ns)
    data = [_bars(paths.kinds, labels, kind, size) for kind in KINDS if kind in set(paths.kinds["kind"].to_list())]
    layout = bar_layout(
        f"time on the critical path ({unit})", barmode="stack", showlegend=True, height=190 + 32 * len(labels)
    )
    layout |= {
        "margin": {"l": 10, "r": 20, "t": 40, "b": 70},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "traceorder": "normal"},
    }
    meanings = facts((kind, text(meaning)) for kind, meaning in MEANINGS.items())
    html = folded("The tasks that the path runs through", _table(paths.tasks)) + folded("What the kinds mean", meanings)
    return Drawing(html, [Plot(data, layout, "What the critical path of each model is made of")])


def _bars(kinds: pl.DataFrame, labels: list[str], kind: str, size: int) -> dict[str, object]:
    found = dict(kinds.filter(pl.col("kind") == kind).select("subject", "time_ns").iter_rows())
    values = [found.get(label) for label in labels]
    return {
        "type": "bar",
        "orientation": "h",
        "name": kind,
        "y": [plot_text(label) for label in labels],
        "x": scaled(values, size),
        "customdata": [None if v is None else format_duration(v) for v in values],
        "hovertemplate": "%{y}, %{fullData.name}: %{customdata}<extra></extra>",
        "marker": {"color": _COLOURS[kind]},
    }


def _table(tasks: pl.DataFrame) -> str:
    rows = (
        [text(subject), text((task or "?")[:_NAME_CHARS]), *(format_duration(value) for value in times)]
        for subject, task, *times in tasks.iter_rows()
    )
    return table(["", "task", "on the path", *KINDS[:3]], rows, prose=(1,))


FIGURE = Figure(
    "critical-path",
    "Critical path",
    "What the last task to end had to wait for, followed back to the start: its own work, before that the work of whoever "
    "held its CPU or woke it, and so on. Only what is on this path sets the makespan: work on it that gets faster makes "
    "the whole faster, until another path is the longest; work beside it does not.",
    compute,
    draw,
)
