"""Errors, bars, inconclusive cells and the order of forms, on tables written by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tracekit.verify.compare import SCHEMA, misses, orders, summary
from tracekit.verify.quantities import error_of, recording_bar


def row(workload: str, form: str, predicted: float, measured: float, **more: Any) -> dict[str, Any]:
    return {
        "workload": workload, "cpus": 2, "source": "program", "form": form, "quantity": "makespan",
        "predicted": predicted, "measured": measured, "error": error_of("makespan", predicted, measured),
        "spread": 0.02, "inconclusive": False,
    } | more  # fmt: skip


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def test_an_error_is_predicted_over_measured() -> None:
    assert error_of("makespan", 90, 100) == pytest.approx(-0.1)
    assert error_of("context_switches", 1, 15) == 0  # too few to be a share of


def test_median_and_90th_percentile_are_held_against_their_bars() -> None:
    table = frame(*(row(f"w{i}", "thread", 100 + i, 100) for i in range(10)))  # errors of 0 to 9 %
    found = summary(table).row(0, named=True)
    assert found["median"] == pytest.approx(0.045)
    assert found["p90"] == pytest.approx(0.08)
    assert found["held"] is True
    assert summary(frame(row("w", "thread", 120, 100)))["held"].to_list() == [False]


def test_inconclusive_cells_do_not_count_but_too_many_are_a_miss() -> None:
    table = frame(row("a", "thread", 100, 100), row("b", "thread", 500, 100, inconclusive=True))
    assert summary(table)["median"].to_list() == [0.0]
    assert misses(table, None) == ["1 of 2 cells are inconclusive: the machine is not at rest"]


def test_forms_stand_in_order_where_they_differ_beyond_the_spread() -> None:
    alike = (row("w", "process", 101, 100), row("w", "thread", 100, 101))  # 1 % apart: no order to get right
    assert orders(frame(*alike, row("w", "goroutine", 50, 60))) == (2, 2)
    assert orders(frame(row("w", "process", 90, 200), row("w", "thread", 100, 100))) == (0, 1)


def test_max_error_names_each_cell_beyond_it() -> None:
    table = frame(row("a", "thread", 104, 100), row("b", "process", 80, 100))
    assert misses(table, 0.05) == ["b on 2 CPUs as process: -20.0%"]


def test_bars_from_recordings_depend_on_what_is_crossed() -> None:
    assert recording_bar("thread", "thread") < recording_bar("thread", "process") < recording_bar("thread", "goroutine")
