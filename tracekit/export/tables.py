"""One table of a bundle as a file that pandas, polars, DuckDB or a spreadsheet reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracekit.errors import UsageError
from tracekit.tables.bundle import Bundle

if TYPE_CHECKING:
    import pyarrow as pa

# The table that says most, by kind of bundle.
MAIN_TABLE = {"trace": "intervals", "run": "intervals", "program": "segments"}
_OF_TASK = ("name", "kind", "process_id", "source_id")


def flat_table(bundle: Bundle, name: str | None = None) -> pa.Table:
    """A table of the bundle with words as plain text; rows about a task begin with its name, kind, process and id.

    Raises UsageError for a table that this kind of bundle has not.
    """
    import pyarrow as pa

    name = name or MAIN_TABLE[bundle.kind]
    if name not in bundle.tables:
        raise UsageError(f"a {bundle.kind} has no table {name!r}", remedy=f"one of {', '.join(bundle.tables)}")
    table = bundle.tables[name]
    columns = {column: _plain(table[column]) for column in table.column_names}
    if name in MAIN_TABLE.values():
        tasks = bundle.tables["tasks"].take(table["task_id"])
        told = {{"name": "task"}.get(column, column): _plain(tasks[column]) for column in _OF_TASK}
        columns = {"task_id": columns.pop("task_id"), **told, **columns}
    return pa.table(columns)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def write_table(bundle: Bundle, path: Path, form: str, name: str | None = None) -> None:
    """Write one table as `form`: csv, parquet or arrow (an IPC file). Raises UsageError as `flat_table` does."""
    from pyarrow import csv, feather, parquet

    table = flat_table(bundle, name)
    if form == "csv":
        csv.write_csv(table, path)
    elif form == "parquet":
        parquet.write_table(table, path, compression="zstd")
    else:
        feather.write_feather(table, str(path), compression="zstd")
