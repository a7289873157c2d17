"""Laws of the store: what is saved is loaded, any bundle; and a flipped bit anywhere is noticed or does not matter."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tracekit.errors import StoreError
from tracekit.tables import store
from tracekit.tables.build import table
from tracekit.tables.bundle import KINDS, Bundle
from tracekit.tables.schema import BUNDLES, TABLES, Column, arrow_type

MAX_ROWS = 5
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "string": st.text(max_size=9),
}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


def values(column: Column, rows: int) -> st.SearchStrategy[list[Any]]:
    one = st.sampled_from(column.vocabulary.names) if column.vocabulary else _VALUES[column.dtype]
    return st.lists(one | st.none() if column.nullable else one, min_size=rows, max_size=rows)


def array(column: Column, cells: list[Any]) -> Any:
    return cells if column.vocabulary else pa.array(cells, arrow_type(column))


@st.composite
def tables(draw: st.DrawFn, name: str) -> pa.Table:
    rows = draw(st.integers(0, MAX_ROWS))
    return table(name, {c.name: array(c, draw(values(c, rows))) for c in TABLES[name]}, rows=rows)


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    kind = draw(st.sampled_from(sorted(KINDS)))
    columns = {name: draw(tables(declared)) for name, declared in BUNDLES[kind].items()}
    return KINDS[kind](columns, draw(st.dictionaries(st.text(max_size=9), _JSON, max_size=4)))


def same(one: Bundle, other: Bundle) -> bool:
    return (one.kind, one.meta) == (other.kind, other.meta) and all(
        one.tables[name].to_pylist() == other.tables[name].to_pylist() for name in one.tables
    )


@given(bundles())
def test_what_is_saved_is_loaded(bundle: Bundle) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert same(bundle, store.load(store.save(bundle, Path(folder) / "b.tracekit")))


@cache
def one_bundle() -> tuple[Bundle, dict[str, bytes]]:
    """A small trace, and the files that it is saved as."""
    columns: dict[str, dict[str, Any]] = {
        "tasks": {"task_id": [0, 1], "name": ["A", "B"], "kind": ["thread", None]},
        "intervals": {"task_id": [0, 1], "state": ["RUNNING", "BLOCKED"], "start_ns": [0, 3], "end_ns": [3, 5]},
        "wakeups": {"at_ns": [3], "wakee_id": [0]},
        "gaps": {"start_ns": [0], "end_ns": [5], "cause": ["truncated"]},
    }
    bundle = KINDS["trace"]({name: table(name, cells) for name, cells in columns.items()}, {"cpus": 2, "host": "h"})
    with tempfile.TemporaryDirectory() as folder:
        saved = store.save(bundle, Path(folder) / "b.tracekit")
        return bundle, {path.name: path.read_bytes() for path in sorted(saved.iterdir())}


@given(st.data())
def test_a_flipped_bit_is_an_error_or_changes_nothing(data: st.DataObject) -> None:
    bundle, files = one_bundle()
    name = data.draw(st.sampled_from(sorted(files)))
    bit = data.draw(st.integers(0, 8 * len(files[name]) - 1))
    damaged = bytearray(files[name])
    damaged[bit // 8] ^= 1 << bit % 8
    assert_noticed(bundle, files | {name: bytes(damaged)})


@given(st.data())
def test_a_cut_file_is_an_error(data: st.DataObject) -> None:
    bundle, files = one_bundle()
    name = data.draw(st.sampled_from(sorted(files)))
    cut = data.draw(st.integers(0, len(files[name]) - 1))
    assert_noticed(bundle, files | {name: files[name][:cut]})


def assert_noticed(bundle: Bundle, files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            assert same(bundle, store.load(folder))
        except StoreError as error:
            assert "\n" not in error.line() and folder in error.line()
