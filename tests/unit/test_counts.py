"""Bundles are counted in place as they are in memory, and tables of too many rows are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.cli import describe as d
from tracekit.errors import StoreError
from tracekit.sources.tables import frame_trace
from tracekit.tables import store

ROWS = {
    "task": ["a", "b", "a", "b", "c"],
    "state": ["RUNNING", "RUNNING", "BLOCKED", "RUNNABLE", "RUNNING"],
    "start_ns": [0, 5, 10, 25, 30],
    "end_ns": [10, 25, 40, 31, 50],
}


def test_a_stored_bundle_is_counted_as_a_loaded_one(tmp_path: Path) -> None:
    trace = frame_trace(ROWS)
    folder = store.save(trace, tmp_path / "x.tracekit")
    stored, held = d.describe_stored(folder), d.describe(trace)
    assert {**held, "broken_laws": None} == stored
    assert [task["name"] for task in stored["busiest"]] == ["b", "c", "a"]  # of equal time the first
    assert [task["running_ns"] for task in stored["busiest"]] == [20, 20, 10]
    assert stored["kinds"] == {"unknown": 3}


def test_a_long_bundle_is_one_with_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = store.save(frame_trace(ROWS), tmp_path / "x.tracekit")
    assert not d.is_long(folder)
    monkeypatch.setattr(d, "ROWS_IN_MEMORY", 7)  # 3 tasks and 5 intervals
    assert d.is_long(folder)


def test_a_damaged_file_is_found_without_loading(tmp_path: Path) -> None:
    folder = store.save(frame_trace(ROWS), tmp_path / "x.tracekit")
    store.check_files(folder)
    with (folder / "intervals.parquet").open("r+b") as file:
        file.seek(100)
        file.write(b"\0\1\2\3")
    with pytest.raises(StoreError, match=r"intervals\.parquet is not as it was written"):
        store.check_files(folder)
