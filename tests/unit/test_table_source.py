"""Tables of intervals from other tools: files, frames, and what is wrong with them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv, feather, ipc, parquet

from tracekit import api
from tracekit.errors import SourceError
from tracekit.sources.tables import files, sorting
from tracekit.tables.checks import check

ROWS: dict[str, list[Any]] = {
    "Task": ["b", "a", "a", "b"], "start_us": [0, 0, 5, 9], "end_us": [4, 5, 9, 12],
    "State": ["Running", "R", "running", "D"], "cpu": [0, None, 1, None],
}  # fmt: skip


def _write(table: pa.Table, path: Path) -> None:
    if path.suffix == ".stream":
        with ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    else:
        {".parquet": parquet.write_table, ".csv": csv.write_csv}.get(
            path.suffix, lambda t, p: feather.write_feather(t, str(p))
        )(table, path)


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.arrow", "x.stream"])
def test_files_of_each_kind(tmp_path: Path, name: str) -> None:
    _write(pa.table(ROWS), tmp_path / name)
    trace = api.ingest(tmp_path / name)
    assert check(trace) == []
    rows = trace.frame("intervals").select("task_id", "state", "cpu", "start_ns", "end_ns", "reason").rows()
    assert rows == [
        (0, "RUNNING", 0, 0, 4000, None), (1, "RUNNABLE", None, 0, 5000, None), (0, "UNKNOWN", None, 4000, 9000, None),
        (1, "RUNNING", 1, 5000, 9000, None), (0, "BLOCKED", None, 9000, 12000, "uninterruptible"),
    ]  # fmt: skip
    assert trace.frame("tasks")["name"].to_list() == ["b", "a"]


def test_frames_say_the_same(tmp_path: Path) -> None:
    expected = api.from_frame(pa.table(ROWS))
    for frame in (pl.DataFrame(ROWS), ROWS, pa.table(ROWS).to_reader()):
        found = api.from_frame(frame)
        assert all(found.tables[name].equals(table) for name, table in expected.tables.items())
    assert api.from_frame({**ROWS, "Task": [7, 3, 3, 7]}, unit="s").frame("tasks")["name"].to_list() == ["7", "3"]
    seconds = {"task": ["a"], "start": [1.5], "end": [2.25], "state": ["RUNNING"]}
    assert api.from_frame(seconds, unit="s").meta["end_ns"] == 750_000_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"State": ["Running", "R", "flying", "D"]}, "row 3, column State: 'flying': unknown state"),
        ({"end_us": [4, 5, 2, 12]}, "row 3, column end_us: 2: before its start"),
        ({"start_us": [0, 0, 3, 9]}, "row 3, column start_us: overlaps another row of task a"),
        ({"cpu": [0, None, -4, 1]}, "row 3, column cpu: -4: out of range"),
        ({"start_us": [0, None, 3, 9]}, "row 2, column start_us: None: no time"),
        ({"Task": ["b", None, "a", "b"]}, "row 2, column Task: None: no task"),
        ({"end_us": [4, 5, 1 << 62, 12]}, "row 3, column end_us"),
        ({"cpu": ["x", "y", "z", "w"]}, "column cpu: string is no whole number"),
    ],
)
def test_one_line_names_row_and_column(change: dict[str, list[Any]], words: str) -> None:
    with pytest.raises(SourceError) as raised:
        api.from_frame(ROWS | change)
    assert words in raised.value.line()


def test_missing_columns_are_named() -> None:
    with pytest.raises(SourceError, match="no column task, end; there are start, state"):
        api.from_frame({"start": [1], "state": ["R"]})
    with pytest.raises(SourceError, match="no rows"):
        api.from_frame({name: values[:0] for name, values in ROWS.items()})


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    for name in ("x.parquet", "x.arrow", "x.stream"):
        path = tmp_path / name
        _write(pa.table(ROWS), path)
        whole = path.read_bytes()
        for cut in range(16, len(whole), max(len(whole) // 40, 1)):
            path.write_bytes(whole[:cut])
            try:
                assert check(api.ingest(path)) == []
            except SourceError as error:
                assert "\n" not in error.line()
                assert "please report" not in error.line()


def test_a_waker_makes_wakeups() -> None:
    trace = api.from_frame({"task": ["a", "b", "b", "b"], "start": [0, 0, 3, 5], "end": [9, 3, 5, 6],
                            "state": ["RUNNING", "BLOCKED", "RUNNABLE", "RUNNING"],
                            "waker": [None, None, "a", None]})  # fmt: skip
    assert trace.frame("wakeups").select("at_ns", "waker_id", "wakee_id").rows() == [(3, 0, 1)]
    assert check(trace) == []


def test_a_cpu_runs_one_task_at_a_time() -> None:
    rows = {"task": ["a", "c", "b"], "start": [0, 4, 3], "end": [5, 4, 6], "state": ["RUNNING"] * 3, "cpu": [1, 1, 1]}
    with pytest.raises(SourceError, match="row 3, column start: overlaps another RUNNING row of cpu 1"):
        api.from_frame(rows)
    assert check(api.from_frame(rows | {"cpu": [1, 1, 0]})) == []


def test_a_column_that_is_there_twice_is_refused() -> None:
    columns = [pa.array(values) for values in (["a"], [0], [1], [2], ["RUNNING"])]
    with pytest.raises(SourceError, match="several columns end"):
        api.from_frame(pa.table(columns, names=["task", "start", "end", "end", "state"]))


@pytest.mark.parametrize("form", ["parquet", "csv", "arrow", "stream"])
@pytest.mark.parametrize("grouped", [False, True])
def test_pieces_and_runs_on_disk_make_the_same_trace(
    form: str, grouped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _many(3000, grouped)
    _write(rows, tmp_path / f"x.{form}")
    whole = api.from_frame(rows)
    monkeypatch.setattr(files, "PIECE_ROWS", 100)
    monkeypatch.setattr(files, "_BLOCK_BYTES", 4000)
    monkeypatch.setattr(sorting, "MEMORY_BYTES", 20_000)
    sorters = []
    made = sorting.Sorter.__exit__
    monkeypatch.setattr(sorting.Sorter, "__exit__", lambda self, *ended: (sorters.append(self), made(self, *ended))[1])
    trace = api.ingest(tmp_path / f"x.{form}")
    assert len(sorters[0].runs) > 3
    assert check(trace) == []
    assert trace.tables == whole.tables
    assert {**trace.meta, "source": None} == {**whole.meta, "source": None}


def _many(count: int, grouped: bool) -> pa.Table:
    """Rows of ten tasks, by time or by task: some take no time, some time has no row, some name who woke them."""
    chance = random.Random(3)
    clock, rows = [0] * 10, []
    for number in range(count):
        task = chance.randrange(10)
        start = clock[task] + chance.choice((0, 0, 0, 7))
        clock[task] = start + chance.choice((0, 1, 5, 100))
        state = chance.choice(("RUNNING", "R", "S", "D"))
        cpu = task if state == "RUNNING" else None
        waker = f"t{chance.randrange(10)}" if state == "R" and number % 2 else None
        rows.append((f"t{task}", start, clock[task], state, cpu, waker))
    rows.sort(key=lambda row: row[0] if grouped else row[1])
    names = ("task", "start", "end", "state", "cpu", "waker")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("state", "flying", "row 2601, column state"), ("start", 0, "column start: overlaps another row of task")],
)
def test_what_is_wrong_late_in_a_table_is_named(
    column: str, value: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIECE_ROWS", 100)
    monkeypatch.setattr(sorting, "MEMORY_BYTES", 20_000)
    rows = _many(3000, grouped=False)
    values = rows.column(column).to_pylist()
    values[2600] = value
    changed = rows.set_column(rows.column_names.index(column), column, pa.array(values))
    _write(changed, tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=words):
        api.ingest(tmp_path / "x.parquet")


def test_a_csv_column_is_of_a_type_that_fits_all_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BLOCK_BYTES", 64)
    lines = [f"{number},{number},{number + 1},R," for number in range(20)] + ["main,0.5,3,R,2"]
    (tmp_path / "x.csv").write_text("\n".join(["task,start,end,state,cpu", *lines, ""]))
    trace = api.ingest(tmp_path / "x.csv")
    assert trace.frame("tasks")["name"].to_list() == [*map(str, range(20)), "main"]
    assert trace.frame("intervals")["cpu"].drop_nulls().to_list() == [2]


def test_a_table_that_says_it_has_more_rows_than_it_can_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LEAST_ROWS", 1)
    monkeypatch.setattr(files, "_MOST_ROWS_PER_BYTE", 0.001)
    _write(_many(3000, grouped=False), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="3000 rows in"):
        api.ingest(tmp_path / "x.parquet")


def test_no_room_to_sort_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, table: pa.Table) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(sorting, "MEMORY_BYTES", 1000)
    monkeypatch.setattr(sorting, "store_run", full)
    _write(_many(100, grouped=False), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"can't write to .*No space left") as raised:
        api.ingest(tmp_path / "x.parquet")
    assert "TMPDIR" in raised.value.line()
