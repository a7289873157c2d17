"""Bundles side by side: one row per metric and label, one column per bundle; as a terminal table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl

from tracekit.metrics.catalog import METRICS, Metric
from tracekit.metrics.measure import measure
from tracekit.tables.bundle import Run, Trace
from tracekit.units import format_bytes, format_duration

RECORDING = "recording"
RECORDED = "recorded"  # the model that is the recording
_ROW = ("metric", "label", "unit")
_TELLS_APART = ("cpus", "kernel_policy", "seed")


def bundle_labels(bundles: Sequence[Trace | Run]) -> list[str]:
    """A short name for each: its model, or `recording`; where two share it, what tells them apart."""
    names = [str(b.meta.get("model") or "run") if isinstance(b, Run) else RECORDING for b in bundles]
    for key in _TELLS_APART:
        values = [bundle.meta.get(key) for bundle in bundles]
        shared = {n for n, count in Counter(names).items() if count > 1}
        differing = {n for n in shared if len({str(v) for m, v in zip(names, values, strict=True) if m == n}) > 1}
        names = [f"{n} {key}={v}" if n in differing else n for n, v in zip(names, values, strict=True)]
    seen: Counter[str] = Counter()
    labels = []
    for name in names:
        seen[name] += 1
        labels.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return labels


def compare(bundles: Sequence[Trace | Run]) -> pl.DataFrame:
    """One row per metric and label, in catalog order: metric, label, unit, and a float64 column per bundle.

    A metric that a bundle does not have is null there. Columns are named by `bundle_labels`.
    """
    labels = bundle_labels(bundles)
    return side_by_side({label: measure(bundle) for label, bundle in zip(labels, bundles, strict=True)})


def side_by_side(measured: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """As `compare`, from long tables by label."""
    values = {
        name: {(metric, label): value for metric, label, value, _ in frame.iter_rows()}
        for name, frame in measured.items()
    }
    rows = [
        (metric.name, label, metric.unit, *(found.get((metric.name, label)) for found in values.values()))
        for metric in METRICS.values()
        for label in metric.labels
        if any((metric.name, label) in found for found in values.values())
    ]
    schema = dict.fromkeys(_ROW, pl.String()) | dict.fromkeys(values, pl.Float64())
    return pl.DataFrame(rows, schema=schema, orient="row")


def best_columns(metric: Metric, values: dict[str, float | None]) -> list[str]:
    """The columns with the best value; none where neither direction is better, or all are equal."""
    known = {name: value for name, value in values.items() if value is not None}
    if metric.better == "neither" or len(set(known.values())) < 2:
        return []
    best = min(known.values()) if metric.better == "lower" else max(known.values())
    return [name for name, value in known.items() if value == best]


def candidates(columns: Sequence[str]) -> list[str]:
    """The columns that compete: models, not the recording itself."""
    return [column for column in columns if column.split(" ")[0] not in (RECORDING, RECORDED)]


def is_key_row(metric: Metric, label: str) -> bool:
    """Whether a short table shows this row."""
    return label in metric.key


def row_title(metric: Metric, label: str) -> str:
    """What a table calls a row: `wakeup latency p99`."""
    return f"{metric.title} {label.replace('_', ' ')}".strip()


def format_value(value: float | None, unit: str) -> str:
    """For people: 1500000 ns → `1.50 ms`, 0.25 → `25 %`; a dash where there is no value."""
    if value is None:
        return "–"
    if unit == "ns":
        return format_duration(value)
    if unit == "bytes":
        return format_bytes(value)
    if unit == "1":
        return f"{100 * value:.3g} %"
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} /s" if unit == "1/s" else text


def terminal_table(wide: pl.DataFrame, *, every_row: bool = False) -> str:
    """The comparison as aligned text, the best of a row marked `*`. Short by default: the catalog's key rows."""
    columns = wide.columns[len(_ROW) :]
    cut = _cut_off(wide)
    lines = [["metric", *(f"{column}  " for column in columns)]]  # as wide as the cells' marks
    for row in wide.iter_rows(named=True):
        metric = METRICS[row["metric"]]
        if not every_row and not is_key_row(metric, row["label"]):
            continue
        best = best_columns(
            metric, {c: row[c] for c in candidates(columns) if metric.group == "failure" or c not in cut}
        )
        cells = [f"{format_value(row[c], row['unit'])} {'*' if c in best else ' '}" for c in columns]
        lines.append([row_title(metric, row["label"]), *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in lines
    )  # fmt: skip


def _cut_off(wide: pl.DataFrame) -> set[str]:
    """The columns whose tasks were not all done: they are not the better for having ended early."""
    lost = wide.filter(pl.col("metric") == "tasks_cut_off")
    return {column for column in wide.columns[len(_ROW) :] if lost.height and (lost[column][0] or 0) > 0}


def comparison_json(wide: pl.DataFrame) -> list[dict[str, Any]]:
    """JSON-ready rows: metric, label, unit, better, and `values` by bundle label (null where unknown)."""
    columns = wide.columns[len(_ROW) :]
    return [
        {
            **{name: row[name] for name in _ROW},
            "better": METRICS[row["metric"]].better,
            "values": {column: row[column] for column in columns},
        }
        for row in wide.iter_rows(named=True)
    ]
