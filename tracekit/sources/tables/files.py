"""A table file in pieces of some rows each, as often as asked for: Parquet, Arrow IPC, CSV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv, ipc, parquet

from tracekit.errors import SourceError

PARQUET, ARROW, STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
PIECE_ROWS = 1 << 17
_BLOCK_BYTES = 16 << 20  # of CSV at once; no line is longer
_READ_BYTES = 1 << 20  # of a Parquet column at once, instead of all that a row group has of it
# Times that rise take some bits each even when their differences are packed; a file that says more is damaged.
_MOST_ROWS_PER_BYTE = 8
_LEAST_ROWS = 1 << 20  # which may be of any size


def form_of(path: Path) -> str:
    """The name of the file's format."""
    with path.open("rb") as file:
        head = file.read(8)
    forms = {PARQUET: "Parquet", ARROW: "Arrow", STREAM: "Arrow stream"}
    return next((form for magic, form in forms.items() if head.startswith(magic)), "CSV")


def pieces(path: Path, form: str) -> Iterator[pa.Table]:
    """The rows in order; of a file without any one table without rows. Raises SourceError for a damaged file."""
    read = {"Parquet": _parquet, "Arrow": _arrow, "Arrow stream": _stream, "CSV": _csv}[form]
    try:
        yield from read(path)
    except UnicodeDecodeError:
        raise not_text(str(path)) from None
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"a damaged table ({reason(error)})", where=str(path), remedy="write it again") from None


def not_text(where: str) -> SourceError:
    """A damaged Parquet file gives any bytes as a column's name or text."""
    return SourceError("a damaged table (text that is not UTF-8)", where=where, remedy="write it again")


def reason(error: BaseException) -> str:
    """What a library says, in one line."""
    return " ".join(str(error).split())[:200]


def _parquet(path: Path) -> Iterator[pa.Table]:
    with parquet.ParquetFile(path, buffer_size=_READ_BYTES, pre_buffer=False) as file:
        rows, size = file.metadata.num_rows, path.stat().st_size
        if rows > max(_LEAST_ROWS, size * _MOST_ROWS_PER_BYTE):
            raise pa.ArrowInvalid(f"{rows} rows in {size} bytes")
        yield file.schema_arrow.empty_table()
        for batch in file.iter_batches(batch_size=PIECE_ROWS):
            yield pa.Table.from_batches([batch])


def _arrow(path: Path) -> Iterator[pa.Table]:
    with pa.OSFile(str(path)) as source, ipc.open_file(source) as file:
        yield file.schema.empty_table()
        for number in range(file.num_record_batches):
            yield from _sliced(file.get_batch(number))


def _stream(path: Path) -> Iterator[pa.Table]:
    with pa.OSFile(str(path)) as source, ipc.open_stream(source) as batches:
        yield batches.schema.empty_table()
        for batch in batches:
            yield from _sliced(batch)


def _sliced(batch: pa.RecordBatch) -> Iterator[pa.Table]:
    for at in range(0, batch.num_rows, PIECE_ROWS):
        yield pa.Table.from_batches([batch.slice(at, PIECE_ROWS)])


def _csv(path: Path) -> Iterator[pa.Table]:
    parsing = csv.ParseOptions(delimiter=_delimiter(path))
    types = _csv_types(path, parsing)
    reading = csv.ReadOptions(block_size=_BLOCK_BYTES)
    with csv.open_csv(path, reading, parsing, csv.ConvertOptions(column_types=types)) as batches:
        yield batches.schema.empty_table()
        for batch in batches:
            yield from _sliced(batch)


def _delimiter(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline(1 << 16)
    return max((",", ";", "\t"), key=lambda sign: line.count(sign.encode()))


def _csv_types(path: Path, parsing: csv.ParseOptions) -> dict[str, pa.DataType]:
    """The type of each column that fits all of its values: what is empty or a number at first may be more later."""
    types: dict[str, pa.DataType] = {}
    names: list[str] | None = None
    with path.open("rb") as file:
        for lines in _blocks(file):
            table = csv.read_csv(pa.BufferReader(lines), csv.ReadOptions(column_names=names), parsing)
            names = table.column_names
            for name, kind in zip(names, table.schema.types, strict=True):
                types[name] = _common(types.get(name, kind), kind)
    return types


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines, some megabytes at once. Raises ArrowInvalid for a line that is longer."""
    while block := file.read(_BLOCK_BYTES):
        rest = file.readline(_BLOCK_BYTES)
        if len(rest) == _BLOCK_BYTES and not rest.endswith(b"\n"):
            raise pa.ArrowInvalid(f"a line of more than {_BLOCK_BYTES} bytes")
        yield block + rest


def _common(one: Any, other: Any) -> Any:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other) and one.tz == other.tz:
        return pa.timestamp("ns", one.tz)
    return pa.string()
