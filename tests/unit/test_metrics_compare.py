"""Bundles side by side: labels, the best cell, and the same table as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tests.unit.test_metrics_measure import small_run, small_trace
from tracekit.engine.replay import replay as replay_under
from tracekit.metrics.catalog import METRICS
from tracekit.metrics.compare import (
    best_columns,
    bundle_labels,
    compare,
    comparison_json,
    format_value,
    side_by_side,
    terminal_table,
)
from tracekit.metrics.measure import SCHEMA, measure
from tracekit.program.catalog import scenario_program


def long_table(**makespans_ns: float) -> dict[str, pl.DataFrame]:
    return {
        name: pl.DataFrame([("makespan", "", value, "ns")], schema=SCHEMA, orient="row")
        for name, value in makespans_ns.items()
    }


def test_one_column_per_bundle_and_null_where_unknown() -> None:
    wide = compare([small_trace(), small_run()])
    assert wide.columns == ["metric", "label", "unit", "recording", "process"]
    row = wide.row(by_predicate=(pl.col("metric") == "peak_resident"), named=True)
    assert (row["recording"], row["process"]) == (None, 40)


def test_rows_keep_catalog_order() -> None:
    order = list(METRICS)
    metrics = compare([small_run()])["metric"].to_list()
    assert metrics == sorted(metrics, key=order.index)
    assert compare([small_run()]).height == measure(small_run()).height


@pytest.mark.parametrize(
    ("metas", "labels"),
    [
        ([{"model": "process"}, {"model": "thread"}], ["process", "thread"]),
        ([{"cpus": 2}, {"cpus": 4}, {"model": "thread"}], ["process cpus=2", "process cpus=4", "thread"]),
        ([{"kernel_policy": "cfs"}, {"kernel_policy": "fifo"}], ["process kernel_policy=cfs", "process kernel_policy=fifo"]),
        ([{}, {}], ["process", "process #2"]),
    ],
)  # fmt: skip
def test_labels_tell_runs_apart(metas: list[dict[str, object]], labels: list[str]) -> None:
    assert bundle_labels([small_run(**meta) for meta in metas]) == labels


def test_best_is_the_lowest_or_highest_and_never_a_tie_of_all() -> None:
    values = {"a": 3.0, "b": 1.0, "c": None, "d": 1.0}
    assert best_columns(METRICS["makespan"], values) == ["b", "d"]
    assert best_columns(METRICS["tasks_per_s"], values) == ["a"]
    assert best_columns(METRICS["utilization"], values) == []
    assert best_columns(METRICS["makespan"], {"a": 2.0, "b": 2.0}) == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_500_000, "ns", "1.50 ms"),
        (65_536, "bytes", "64.0 KiB"),
        (0.25, "1", "25 %"),
        (0.12345, "1", "12.3 %"),
        (12_345, "count", "12,345"),
        (0, "count", "0"),
        (8812.4, "1/s", "8,812 /s"),
        (0.5, "1/s", "0.5 /s"),
        (None, "ns", "–"),
    ],
)
def test_values_for_people(value: float | None, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_terminal_table_marks_the_best() -> None:
    wide = side_by_side(long_table(process=2e9, goroutine=5e8))
    assert terminal_table(wide).splitlines() == [
        "metric    process    goroutine",
        "makespan   2.00 s       500 ms *",
    ]


def test_whole_table_of_the_hand_made_bundle() -> None:
    """The golden is this table as text; its figures are worked out in test_metrics_measure.py."""
    golden = Path(__file__).parents[1] / "golden" / "metrics_hand_made.txt"
    text = terminal_table(compare([small_trace(), small_run()]), every_row=True)
    assert text == golden.read_text(encoding="utf-8").rstrip("\n")


def test_the_recording_does_not_compete() -> None:
    wide = side_by_side(long_table(recording=1e8, process=2e9, goroutine=5e8))
    assert terminal_table(wide).splitlines()[1].split() == ["makespan", "100", "ms", "2.00", "s", "500", "ms", "*"]


def test_short_table_has_key_rows_only() -> None:
    wide = compare([small_run()])
    assert "overhead switch" not in terminal_table(wide)
    assert "overhead switch" in terminal_table(wide, every_row=True)
    assert "wakeup latency p99" in terminal_table(wide)


def test_json_says_direction_and_keeps_null() -> None:
    rows = json.loads(json.dumps(comparison_json(compare([small_trace(), small_run()]))))
    peak = next(row for row in rows if row["metric"] == "peak_resident")
    assert peak == {
        "metric": "peak_resident",
        "label": "",
        "unit": "bytes",
        "better": "lower",
        "values": {"recording": None, "process": 40},
    }


def test_a_run_that_lost_work_is_marked_best_only_at_losing_least() -> None:
    runs = [replay_under(scenario_program("crash"), form, cpus=2) for form in ("thread", "process")]
    marked = [line.split("  ")[0] for line in terminal_table(compare(runs)).splitlines() if "*" in line]
    assert marked == ["tasks cut off", "work lost", "requests lost"]
