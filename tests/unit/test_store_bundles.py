"""A bundle on disk: what is written is read back, damage has a name, and nothing is half written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tracekit.errors import StoreError
from tracekit.tables import store
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.tables.schema import SCHEMA_VERSION, TABLES_SINCE, arrow_schema


@pytest.fixture
def trace() -> Trace:
    tables = {
        "tasks": table("tasks", {"task_id": [0, 1], "name": ["A", "naïve ☃"], "kind": ["process", None]}),
        "intervals": table(
            "intervals",
            {"task_id": [0, 0], "state": ["RUNNING", "BLOCKED"], "start_ns": [0, 5], "end_ns": [5, 9], "reason": [None, "io"]},
        ),
        "wakeups": empty("wakeups"),
        "gaps": empty("gaps"),
    }  # fmt: skip
    return Trace(tables, {"host": "somewhere", "cpus": 2, "policies": [{"policy": "wakeup", "choice": "waking"}]})


@pytest.fixture
def folder(trace: Trace, tmp_path: Path) -> Path:
    return store.save(trace, tmp_path / "some.tracekit")


def names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_what_was_saved_is_loaded(trace: Trace, folder: Path) -> None:
    loaded = store.load(folder)
    assert isinstance(loaded, Trace)
    assert loaded.meta == trace.meta
    for name, expected in trace.tables.items():
        assert loaded.tables[name].to_pylist() == expected.to_pylist()
        assert loaded.tables[name].schema.equals(expected.schema, check_metadata=True)


def test_a_bundle_of_the_first_schema_is_loaded_with_what_came_later_empty(trace: Trace, folder: Path) -> None:
    for name, since in TABLES_SINCE.items():
        assert since > 1
        (folder / f"{name}.parquet").unlink()
    for name in ("intervals", "wakeups"):
        path = folder / f"{name}.parquet"
        pq.write_table(pq.read_table(path).drop_columns(["stack_id"]), path)
        accept_as_written(path)
    change_header(folder, schema_version=1)
    loaded = store.load(folder)
    assert loaded.tables["intervals"].to_pylist() == trace.tables["intervals"].to_pylist()
    assert [loaded.tables[name].num_rows for name in TABLES_SINCE] == [0, 0, 0]
    assert list(loaded.tables) == list(trace.tables)


def test_other_tools_read_the_files_as_they_are(folder: Path) -> None:
    assert pl.read_parquet(folder / "intervals.parquet")["state"].to_list() == ["RUNNING", "BLOCKED"]
    assert pq.read_schema(folder / "intervals.parquet").field("start_ns").metadata[b"unit"] == b"ns"
    assert json.loads((folder / "meta.json").read_text())["schema_version"] == SCHEMA_VERSION


def test_words_keep_the_codes_of_their_vocabulary_across_row_groups(trace: Trace, tmp_path: Path) -> None:
    folder = store.save(trace, tmp_path / "groups.tracekit")
    path = folder / "intervals.parquet"
    plain = pa.schema(
        [f.with_type(pa.string()) if f.name in ("state", "reason") else f for f in arrow_schema("intervals")]
    )
    pq.write_table(trace.tables["intervals"].cast(plain), path, row_group_size=1)
    accept_as_written(path)
    loaded = store.load(folder).tables["intervals"]
    assert loaded.column("state").combine_chunks().indices.to_pylist() == [0, 2]
    assert loaded.to_pylist() == trace.tables["intervals"].to_pylist()


def test_an_existing_bundle_is_replaced_only_by_force(trace: Trace, folder: Path) -> None:
    trace.meta["host"] = "elsewhere"
    with pytest.raises(StoreError, match=r"exists already.*--force"):
        store.save(trace, folder)
    assert store.load(folder).meta["host"] == "somewhere"
    store.save(trace, folder, force=True)
    assert store.load(folder).meta["host"] == "elsewhere"
    assert names_in(folder.parent) == {"some.tracekit"}


def test_force_never_replaces_what_is_no_bundle(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").touch()
    (tmp_path / "a-file").write_text("mine")
    for name in ("photos", "a-file"):
        with pytest.raises(StoreError, match="no tracekit bundle"):
            store.save(trace, tmp_path / name, force=True)
    assert (tmp_path / "photos" / "one.jpg").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupted_save_leaves_what_was_there(
    trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException, existing: bool
) -> None:
    if existing:
        store.save(trace, tmp_path / "b.tracekit")

    def interrupted(*_: object) -> None:
        raise stop

    monkeypatch.setattr(store, "write_meta", interrupted)
    with pytest.raises((KeyboardInterrupt, StoreError)):
        store.save(trace, tmp_path / "b.tracekit", force=True)
    assert names_in(tmp_path) == ({"b.tracekit"} if existing else set())


def test_a_folder_that_can_not_be_written_is_named(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/x\.tracekit: can't write there"):
        store.save(trace, tmp_path / "file" / "x.tracekit")
    assert names_in(tmp_path) == {"file"}


def accept_as_written(path: Path) -> None:
    """Make a changed table pass the digest, to reach the checks behind it."""
    header = json.loads((path.parent / "meta.json").read_text())
    tables = header["tables"]
    tables[path.stem]["sha256"] = store._digest(path)
    change_header(path.parent, tables=tables)


def change_header(folder: Path, **changes: object) -> None:
    header = json.loads((folder / "meta.json").read_text())
    changed = {key: value for key, value in (header | changes).items() if key != "sha256"}
    changed["sha256"] = store._header_digest(changed)
    (folder / "meta.json").write_text(json.dumps(changed))


def cut(folder: Path) -> None:
    path = folder / "intervals.parquet"
    path.write_bytes(path.read_bytes()[:-10])


def cut_unnoticed(folder: Path) -> None:
    cut(folder)
    accept_as_written(folder / "intervals.parquet")


def flip(folder: Path) -> None:
    path = folder / "tasks.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x10
    path.write_bytes(bytes(data))


def change_number(folder: Path) -> None:
    path = folder / "meta.json"
    path.write_text(path.read_text().replace('"cpus": 2', '"cpus": 3'))


def swap_tables(folder: Path) -> None:
    shutil.copy(folder / "wakeups.parquet", folder / "intervals.parquet")
    accept_as_written(folder / "intervals.parquet")


def change_type(folder: Path) -> None:
    path = folder / "tasks.parquet"
    tasks = pq.read_table(path)
    pq.write_table(tasks.set_column(0, "task_id", pa.array(["0", "1"])), path)
    accept_as_written(path)


def unknown_word(folder: Path) -> None:
    path = folder / "intervals.parquet"
    intervals = pq.read_table(path)
    states = pa.array(["RUNNING", "NAPPING"]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))
    pq.write_table(intervals.set_column(3, "state", states), path)
    accept_as_written(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            cut,
            r"intervals\.parquet: damaged bundle: intervals\.parquet is not as it was written; make the bundle again",
        ),
        (cut_unnoticed, r"intervals\.parquet: damaged bundle \("),
        (flip, r"tasks\.parquet is not as it was written"),
        (swap_tables, r"wrong columns in intervals\.parquet"),
        (change_type, r"column task_id is string, not int32"),
        (unknown_word, r"column state holds an unknown word; upgrade tracekit"),
        (lambda f: (f / "gaps.parquet").unlink(), r"damaged bundle: gaps\.parquet is missing"),
        (lambda f: (f / "meta.json").unlink(), r"not a tracekit bundle \(no meta\.json\)"),
        (lambda f: (f / "meta.json").write_text('{"name": "my-website"}'), r"meta\.json is something else's"),
        (lambda f: (f / "meta.json").write_text("[" * 100_000), r"meta\.json can't be read"),
        (lambda f: (f / "meta.json").write_bytes(b"\xff\xfe"), r"meta\.json can't be read"),
        (lambda f: change_header(f, schema_version=SCHEMA_VERSION + 1), r"newer tracekit.*upgrade tracekit"),
        (change_number, r"meta\.json is not as tracekit writes it; make the bundle again"),
        (lambda f: change_header(f, kind="holiday"), r"not as tracekit writes it"),
        (lambda f: change_header(f, tables={}), r"is not as it was written"),
    ],
)
def test_damage_is_one_clear_error(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    with pytest.raises(StoreError, match=message) as caught:
        store.load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_missing_folder_and_a_file_are_no_bundles(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(StoreError, match="not a tracekit bundle"):
            store.load(tmp_path / name)


def test_several_bundles_are_saved_all_or_none(trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = store.save_all({"thread": trace, "process": trace}, tmp_path / "a.runs")
    assert list(store.load_all(folder)) == ["process", "thread"]
    with pytest.raises(StoreError, match="exists already"):
        store.save_all({"thread": trace}, folder)
    store.save_all({"thread": trace}, folder, force=True)
    assert names_in(folder) == {"thread.tracekit"}

    writes = iter([None])
    monkeypatch.setattr(store, "write_meta", lambda *_: next(writes))
    with pytest.raises(StopIteration):
        store.save_all({"one": trace, "two": trace}, folder, force=True)
    assert names_in(tmp_path) == {"a.runs"}
    assert names_in(folder) == {"thread.tracekit"}


def test_a_folder_with_other_things_is_no_collection(trace: Trace, tmp_path: Path) -> None:
    folder = store.save_all({"thread": trace}, tmp_path / "a.runs")
    (folder / "notes.txt").touch()
    with pytest.raises(StoreError, match="not a folder of tracekit bundles"):
        store.load_all(folder)
    with pytest.raises(StoreError, match="no tracekit bundle"):
        store.save_all({"thread": trace}, folder, force=True)
