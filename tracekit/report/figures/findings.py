"""Figures that show an analysis as it is: its facts side by side, its tables behind a click, and what is missing.

A subject of which an analysis has nothing to tell takes a line, not an empty table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import polars as pl

from tracekit.analysis.catalog import ANALYSES
from tracekit.analysis.result import Analysis
from tracekit.analysis.wording import heading, written
from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.markup import folded, table, text
from tracekit.report.view import View

ROWS = 10  # of each subject in each table
_WIDEST = 60  # characters of a cell
Found = list[tuple[str, Analysis]]  # a subject's label, and what the analysis says of it
_PROSE = ("task", "runner", "waiter", "waker", "on")


def findings(
    name: str,
    what: str,
    title: str,
    explain: str,
    tables: Sequence[str],
    lead: Lead | None = None,
    opened: Collection[str] = (),
) -> Figure[Found]:
    """The figure of the analysis `what`: its facts, or what `lead` says (HTML), and of its tables those named here;
    those of `opened` need no click."""

    def compute(view: View) -> Found:
        return [(subject.label, ANALYSES[what](subject.history)) for subject in view.subjects]

    def draw(found: Found, view: View) -> Drawing:
        before = lead(found, view) if lead else told(found)
        return Drawing(before + _tables(found, tables, opened) + _missing(found))

    return Figure(name, title, explain, compute, draw)


Lead = Callable[[Found, View], str]


def told(found: Found) -> str:
    """A row per subject that has facts, a column per fact that any of them has."""
    known = [(label, analysis.facts) for label, analysis in found if analysis.facts]
    names = list(dict.fromkeys(name for _, facts in known for name, value in facts.items() if value is not None))
    rows = [[text(label), *(_cell(name, facts.get(name)) for name in names)] for label, facts in known]
    return table(["", *(text(heading(name)) for name in names)], rows) if rows else ""


def _tables(found: Found, names: Iterable[str], opened: Collection[str]) -> str:
    """Each table with the rows of all subjects, the first of each; a column says whose they are."""
    html = ""
    for name in names:
        parts = [(label, a.tables[name]) for label, a in found if name in a.tables and a.tables[name].rows.height]
        if parts:
            rows = [[text(label), *row] for label, part in parts for row in _rows(part.rows, part.marks)]
            columns = _columns(parts[0][1].rows, parts[0][1].marks)
            head = ["", *(text(heading(column)) for column in columns)]
            cut = any(part.rows.height > ROWS for _, part in parts)
            title = parts[0][1].title + (f"; the first {ROWS} of each" if cut else "")
            shown = table(head, rows, prose=[i + 1 for i, c in enumerate(columns) if c in _PROSE])
            html += f"<h3>{text(title)}</h3>{shown}" if name in opened else folded(title, shown)
    return html


def _columns(rows: pl.DataFrame, marks: Sequence[str]) -> list[str]:
    return [name for name in rows.columns if name not in marks]


def _rows(rows: pl.DataFrame, marks: Sequence[str]) -> Iterable[list[str]]:
    columns = _columns(rows, marks)
    return ([_cell(n, v) for n, v in zip(columns, row, strict=True)] for row in rows.head(ROWS).select(columns).rows())


def _cell(name: str, value: object) -> str:
    value = written(name, value)
    shown = "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value).replace("_", " ")
    return text(shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 1]}…")


def _missing(found: Found) -> str:
    """Each thing that is missing or to be known, once, with those whom it is about."""
    said: dict[str, list[str]] = {}
    for label, analysis in found:
        for line in (*analysis.missing, *analysis.notes):
            said.setdefault(line, []).append(label)
    lines = "".join(f"<li>{text(', '.join(labels))}: {text(line)}</li>" for line, labels in said.items())
    return f'<ul class="missing">{lines}</ul>' if lines else ""
