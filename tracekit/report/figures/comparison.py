"""The comparison table: metrics × models, the best cell of each row marked."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracekit.metrics.catalog import GROUPS, METRICS
from tracekit.metrics.compare import best_columns, candidates, format_value, is_key_row, row_title
from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.markup import folded, swatch, text
from tracekit.report.view import View
from tracekit.report.wording import change


def compute(view: View) -> pl.DataFrame:
    """A row per cell: group, metric, label, key, subject, value, shown, best, against_best (share above the best)."""
    columns = [s.label for s in view.subjects]
    undone = {s.label for s in view.competing if not s.done}  # compete in what they lost, and in nothing else
    cells = []
    for row in view.compared.iter_rows(named=True):
        metric, label = METRICS[row["metric"]], row["label"]
        left_out = undone if metric.group != "failure" else set()
        competing: dict[str, float | None] = {c: row[c] for c in candidates(columns) if c not in left_out}
        best = best_columns(metric, competing)
        for column in columns:
            cell = {"subject": column, "value": row[column], "shown": format_value(row[column], row["unit"])}
            against = _against(row[column], row[best[0]]) if best and column in competing else None
            place = {"group": metric.group, "metric": metric.name, "label": label, "key": is_key_row(metric, label)}
            cells.append(place | cell | {"best": column in best, "against_best": against})
    schema = {"group": pl.String, "metric": pl.String, "label": pl.String, "key": pl.Boolean, "subject": pl.String}
    schema |= {"value": pl.Float64, "shown": pl.String, "best": pl.Boolean, "against_best": pl.Float64}
    return pl.DataFrame(cells, schema=schema)


def _against(value: float | None, best: float) -> float | None:
    if value is None or value == best or best == 0:
        return None
    return value / best - 1


def _cell(cell: dict[str, Any]) -> str:
    if cell["best"]:
        return f'<td class="best">{text(cell["shown"])} <span class="mark" title="best">★<span>best</span></span></td>'
    against = cell["against_best"]
    if against is None:
        return f"<td>{text(cell['shown'])}</td>"
    factor = 1 + against
    times = f"×{factor:,.0f}" if factor >= 100 else f"×{factor:.3g}"
    relative = times if factor >= 2 else change(against)
    return f"<td>{text(cell['shown'])} <small>{relative}</small></td>"


def _table(cells: pl.DataFrame, view: View) -> str:
    head = "".join(f'<th scope="col">{swatch(s.colour, s.label)}</th>' for s in view.subjects)
    bodies = []
    for group, title in GROUPS.items():
        rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for cell in cells.filter(pl.col("group") == group).iter_rows(named=True):
            rows.setdefault((cell["metric"], cell["label"]), []).append(cell)
        lines = "".join(
            f'<tr><th scope="row" title="{text(METRICS[metric].meaning)}">{text(row_title(METRICS[metric], label))}</th>'
            f"{''.join(map(_cell, row))}</tr>"
            for (metric, label), row in rows.items()
        )
        if lines:
            span = len(view.subjects) + 1
            heading = f'<tr class="group"><th colspan="{span}" scope="rowgroup">{text(title)}</th></tr>'
            bodies.append(f"<tbody>{heading}{lines}</tbody>")
    head_row = f'<thead><tr><th scope="col">metric</th>{head}</tr></thead>'
    return f'<div class="scroll"><table class="comparison">{head_row}{"".join(bodies)}</table></div>'


def _meanings(cells: pl.DataFrame) -> str:
    shown = set(cells["metric"].to_list())
    items = "".join(
        f"<div><dt>{text(m.title)}</dt><dd>{text(m.meaning)}</dd></div>" for m in METRICS.values() if m.name in shown
    )
    return f'<dl class="meanings">{items}</dl>'


def draw(cells: pl.DataFrame, view: View) -> Drawing:
    """The short table, and behind a click all rows and what each metric means."""
    if cells.is_empty():
        return Drawing("<p>The tables hold nothing to measure.</p>")
    return Drawing(
        _table(cells.filter(pl.col("key")), view)
        + folded("Every metric", _table(cells, view))
        + folded("What the metrics mean", _meanings(cells))
    )


FIGURE = Figure(
    "comparison",
    "Side by side",
    "One row per metric, one column per model. A star marks the best model where one direction is better; the small "
    "figure beside the others is how far they are from it. Percentiles are nearest-rank: p99 is a value that did "
    "occur, and 99 in 100 were no larger.",
    compute,
    draw,
)
