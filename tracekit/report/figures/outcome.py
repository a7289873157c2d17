"""How each run ended: completed, deadlock, or a limit reached."""

from __future__ import annotations

import polars as pl

from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.markup import swatch, table, text
from tracekit.report.view import View

_SCHEMA = {"subject": pl.String, "outcome": pl.String, "detail": pl.String, "tasks": pl.Int64, "ended": pl.Int64}


def compute(view: View) -> pl.DataFrame:
    """subject, outcome, detail, tasks, ended (how many of them came to an end)."""
    rows = []
    for run in view.runs:
        meta, tasks = run.bundle.meta, run.seen.tasks
        outcome, detail = str(meta.get("outcome") or "not stated"), str(meta.get("outcome_detail") or "")
        rows.append((run.label, outcome, detail, tasks.height, int(tasks["end_ns"].count())))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def draw(rows: pl.DataFrame, view: View) -> Drawing:
    """One row per run; one that did not complete stands out."""
    colours = {s.label: s.colour for s in view.subjects}
    lines = []
    for subject, outcome, detail, tasks, ended in rows.iter_rows():
        shown = text(outcome) if outcome in ("completed", "not stated") else f"<strong>{text(outcome)}</strong>"
        lines.append([swatch(colours[subject], subject), shown, f"{ended:,} of {tasks:,}", text(detail) or "–"])
    return Drawing(table(["run", "outcome", "tasks ended", "detail"], lines, prose=[3]))


FIGURE = Figure(
    "outcome",
    "How each run ended",
    "Completed means that every task came to its end. A deadlock is all tasks waiting with nothing left to wake them; "
    "a limit is something the form can't have more of. A run that did not complete takes no part in the verdict.",
    compute,
    draw,
)
