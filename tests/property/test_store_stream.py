"""A bundle written in pieces, whatever the pieces and however little fits into memory, is the bundle saved whole."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_store_roundtrip import same
from tracekit.errors import StoreError, TableError
from tracekit.tables import merging, store, stream
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Bundle, Trace
from tracekit.tables.order import ORDER, canonical
from tracekit.tables.schema import BUNDLES, TABLES
from tracekit.tables.stream import BundleWriter, Collector


def rows_of(name: str, rows: int, seed: int, spread: int) -> pa.Table:
    """Random rows of a table, many of them equal in what it is sorted by when `spread` is small."""
    chance = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for column in TABLES[name]:
        if column.vocabulary is not None:
            columns[column.name] = chance.integers(0, len(column.vocabulary), rows)
        elif column.dtype == "string":
            columns[column.name] = [f"{name} {number}" for number in chance.integers(0, 99, rows)]
        elif column.dtype == "bool":
            columns[column.name] = chance.integers(0, 2, rows) == 1
        else:
            low = -1 if column.nullable else 0
            high = min(spread, 1 << (31 if column.dtype == "int32" else 62)) if column.name in ORDER[name] else 1000
            columns[column.name] = chance.integers(low, high, rows)
    return table(name, columns, rows=rows)


def pieces(whole: pa.Table, seed: int, size: int) -> list[pa.Table]:
    """The rows in the order given, in pieces of up to `size` rows, some empty."""
    chance, at, cut = random.Random(seed), 0, []
    while at < whole.num_rows:
        step = chance.randint(0, size)
        cut.append(whole.slice(at, step))
        at += step
    return cut


def write(
    folder: Path, kind: str, tables: dict[str, list[pa.Table]], meta: dict[str, object], memory_bytes: int
) -> Bundle | None:
    with BundleWriter(folder, kind, memory_bytes=memory_bytes) as writer:
        for name, cut in tables.items():
            for piece in cut:
                writer.append(name, piece)
        return writer.finish(meta)


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(BUNDLES)),
    st.integers(0, 300),
    st.integers(0, 2**32),
    st.sampled_from([3, 40, 10**6, 10**12]),
    st.integers(1, 100),
    st.sampled_from([0, 2000, 10**9]),
)
def test_any_pieces_make_the_same_bundle(
    kind: str, rows: int, seed: int, spread: int, size: int, memory_bytes: int
) -> None:
    given_rows = {name: rows_of(declared, rows, seed, spread) for name, declared in BUNDLES[kind].items()}
    expected = stream.KINDS[kind](
        {name: canonical(BUNDLES[kind][name], whole) for name, whole in given_rows.items()}, {"seed": seed}
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "_BLOCK_ROWS", 1 + seed % 9)
        patch.setattr(store, "ROW_GROUP_ROWS", 64)
        saved = store.save(expected, Path(folder) / "saved.tracekit")
        streamed = Path(folder) / "streamed.tracekit"
        cut = {name: pieces(whole, seed, size) for name, whole in given_rows.items()}
        at_hand = write(streamed, kind, cut, {"seed": seed}, memory_bytes)
        assert {path.name: path.read_bytes() for path in streamed.iterdir()} == {
            path.name: path.read_bytes() for path in saved.iterdir()
        }
        assert same(store.load(streamed), expected)
        assert at_hand is None or same(at_hand, expected)
        assert at_hand is not None or memory_bytes < 10**9


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 9), max_size=30), min_size=1, max_size=5), st.integers(1, 4))
def test_rows_that_are_equal_in_their_order_stay_in_the_order_of_the_runs(runs: list[list[int]], block: int) -> None:
    numbered = iter(range(10**6))
    tables = [
        table("wakeups", {"at_ns": np.sort(np.array(run, np.int64)), "wakee_id": [next(numbered) for _ in run]})
        for run in runs
    ]
    blocks = [iter([t.slice(at, block) for at in range(0, t.num_rows, block)]) for t in tables]
    got = pa.concat_tables([empty("wakeups"), *merging.merged("wakeups", blocks)])
    expected = canonical("wakeups", pa.concat_tables([empty("wakeups"), *tables]).combine_chunks())
    assert got.to_pylist() == expected.to_pylist()


def wakeups(*times: int) -> pa.Table:
    return table("wakeups", {"at_ns": np.array(times, np.int64), "wakee_id": np.zeros(len(times), np.int32)})


def test_what_is_ahead_comes_first_among_equals() -> None:
    collected = Collector()
    collected.append("gaps", table("gaps", {"start_ns": [5], "end_ns": [5], "cause": ["inferred_switch"]}))
    collected.append("gaps", table("gaps", {"start_ns": [5], "end_ns": [5], "cause": ["lost_records"]}), ahead=True)
    assert collected.tables()["gaps"]["cause"].to_pylist() == ["lost_records", "inferred_switch"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_a_bundle_that_was_not_finished(tmp_path: Path, stop: type[BaseException]) -> None:
    folder = tmp_path / "b.tracekit"
    with pytest.raises(stop), BundleWriter(folder, memory_bytes=0) as writer:
        writer.append("wakeups", wakeups(3, 1))
        raise stop
    with BundleWriter(folder, memory_bytes=0) as writer:
        writer.append("wakeups", wakeups(3, 1))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_of_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pa, "OSFile", full)
    with pytest.raises(StoreError, match=r"b\.tracekit: can't write the bundle \(No space left on device\)"):
        write(tmp_path / "b.tracekit", "trace", {"wakeups": [wakeups(1)]}, {}, 0)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bundle_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = store.save(Trace({name: empty(name) for name in BUNDLES["trace"]}), tmp_path / "b.tracekit")
    with pytest.raises(StoreError, match="exists already"), BundleWriter(folder):
        pass
    with BundleWriter(folder, force=True) as writer:
        writer.append("wakeups", wakeups(1))
        writer.finish({})
    assert store.load(folder).tables["wakeups"].num_rows == 1


def test_rows_of_another_table_are_refused() -> None:
    with pytest.raises(TableError, match="no rows for the table gaps"):
        Collector().append("gaps", wakeups(1))
