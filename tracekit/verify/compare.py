"""Predicted beside measured: one long table, its summary against the bars, and the order of the forms."""

from __future__ import annotations

from itertools import combinations
from statistics import median

import numpy as np
import polars as pl

from tracekit.verify.cells import Cell
from tracekit.verify.quantities import MOST_INCONCLUSIVE, ORDER_BAR, QUANTITIES, error_of, recording_bar

SCHEMA = {
    "workload": pl.String, "cpus": pl.Int32, "source": pl.String, "form": pl.String, "quantity": pl.String,
    "predicted": pl.Float64, "measured": pl.Float64, "error": pl.Float64, "spread": pl.Float64,
    "inconclusive": pl.Boolean,
}  # fmt: skip
PROGRAM = "program"  # the source of a prediction that no recording was needed for


def rows_of(cell: Cell, predicted: dict[str, float], source: str, measured: dict[str, float]) -> pl.DataFrame:
    """One row a quantity that was both predicted and measured."""
    rows = [
        (cell.workload, cell.cpus, source, cell.form, name, predicted[name], measured[name],
         error_of(name, predicted[name], measured[name]), cell.spread, cell.inconclusive)
        for name in QUANTITIES
        if name in predicted and name in measured
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def summary(table: pl.DataFrame) -> pl.DataFrame:
    """Per kind of prediction: how many cells, median and 90th percentile of the absolute error, the bars, whether held.

    Inconclusive cells do not count, and are counted.
    """
    rows = []
    for (kind, name), group in table.with_columns(kind=_kind()).group_by("kind", "quantity", maintain_order=True):
        counted = group.filter(~pl.col("inconclusive"))["error"].abs().to_numpy()
        middle = float(median(counted)) if len(counted) else None
        p90 = float(np.quantile(counted, 0.9, method="inverted_cdf")) if len(counted) else None
        bars = _bars(str(kind), str(name))
        rows.append((kind, name, len(counted), len(group) - len(counted), middle, p90, *bars, _held(middle, p90, bars)))
    schema = {
        "prediction": pl.String, "quantity": pl.String, "cells": pl.Int64, "inconclusive": pl.Int64,
        "median": pl.Float64, "p90": pl.Float64, "median_bar": pl.Float64, "p90_bar": pl.Float64, "held": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _kind() -> pl.Expr:
    return pl.when(pl.col("source") == PROGRAM).then(pl.lit("from the program")).otherwise(
        pl.col("source") + pl.lit(" to ") + pl.col("form")
    )  # fmt: skip


def _bars(kind: str, quantity: str) -> tuple[float | None, float | None]:
    if " to " not in kind:
        return QUANTITIES[quantity].median, QUANTITIES[quantity].p90
    recorded, predicted = kind.split(" to ")
    counts = quantity == "makespan" or (quantity == "cpu_time" and recorded == predicted)
    return recording_bar(recorded, predicted) if counts else (None, None)


def _held(middle: float | None, p90: float | None, bars: tuple[float | None, float | None]) -> bool | None:
    pairs = [(value, bar) for value, bar in zip((middle, p90), bars, strict=True) if bar is not None]
    if not pairs or middle is None:
        return None
    return all(value is not None and value <= bar for value, bar in pairs)


def orders(table: pl.DataFrame) -> tuple[int, int]:
    """Pairs of forms that differ by more than twice their spread: how many stand in the right order, and all."""
    right = total = 0
    spans = table.filter((pl.col("quantity") == "makespan") & (pl.col("source") == PROGRAM) & ~pl.col("inconclusive"))
    for _, group in spans.group_by("workload", "cpus", maintain_order=True):
        for one, other in combinations(group.iter_rows(named=True), 2):
            difference = abs(one["measured"] - other["measured"]) / min(one["measured"], other["measured"])
            if difference > 2 * max(one["spread"], other["spread"]):
                total += 1
                right += (one["measured"] < other["measured"]) == (one["predicted"] < other["predicted"])
    return right, total


def misses(table: pl.DataFrame, max_error: float | None) -> list[str]:
    """What does not hold, in words; with `max_error`, every makespan beyond it instead of the bars."""
    if max_error is not None:
        far = table.filter(
            (pl.col("quantity") == "makespan") & (pl.col("error").abs() > max_error) & ~pl.col("inconclusive")
        )
        return [
            f"{row['workload']} on {row['cpus']} CPUs as {row['form']}: {row['error']:+.1%}"
            for row in far.iter_rows(named=True)
        ]
    found = [
        f"{row['prediction']}, {QUANTITIES[row['quantity']].title}: median {row['median']:.1%}, p90 {row['p90']:.1%}"
        for row in summary(table).iter_rows(named=True)
        if row["held"] is False
    ]
    right, total = orders(table)
    if total and right < ORDER_BAR * total:
        found.append(f"order of the forms: {right} of {total} right")
    cells = table.filter(pl.col("quantity") == "makespan")
    if len(cells) and cells["inconclusive"].sum() > MOST_INCONCLUSIVE * len(cells):
        found.append(
            f"{cells['inconclusive'].sum()} of {len(cells)} cells are inconclusive: the machine is not at rest"
        )
    return found
