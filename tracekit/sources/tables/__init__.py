"""Tables of intervals: Parquet, Arrow IPC (file, stream, Feather) and CSV, and frames in memory.

A row is one state of one task from start to end. `columns` says by which names a column is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.digest import sha256_of
from tracekit.tables.bundle import Trace

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET, _ARROW, _STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
MOST_ROWS = 14_000_000  # in a file: a row takes 280 bytes on the way (measured), and all of them are held, up to 4 GB
_STATE_COLUMNS = ("state", "thread_state", "status")


class Tables:
    """The source. `read` raises SourceError naming row and column, or what the file lacks."""

    name = "table"
    title = "table of intervals (Parquet, Arrow or CSV)"
    how_to_record = "any tool that writes task, start, end and state"

    def matches(self, head: bytes) -> bool:
        """Whether it is Parquet or Arrow, or its first line names columns of a table of intervals."""
        return head.startswith((_PARQUET, _ARROW, _STREAM)) or _is_csv(head)

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Each row as an interval."""
        digest = sha256_of(path)
        _refuse_large(path)
        form, table = _table(path)
        size = path.stat().st_size
        options.progress(size, size)
        source = {"path": str(path), "format": form, "version": None, "sha256": digest, "size_bytes": size}
        return _trace(table, None, str(path), source)


def frame_trace(frame: object, *, unit: str | None = None, where: str = "frame") -> Trace:
    """The trace of a polars or pandas frame, a pyarrow table, or what has the Arrow C stream interface."""
    import pyarrow as pa

    try:
        if isinstance(frame, pa.Table):
            table = frame
        elif hasattr(frame, "__arrow_c_stream__"):
            table = pa.table(frame)
        elif hasattr(frame, "to_arrow"):
            table = frame.to_arrow()
        elif isinstance(frame, dict):
            table = pa.table(frame)
        else:
            table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{type(frame).__name__} is no table ({_reason(error)})", where=where) from None
    source = {"path": where, "format": "table", "version": None, "sha256": None, "size_bytes": None}
    return _trace(table, unit, where, source)


def _trace(table: pa.Table, unit: str | None, where: str, source: dict[str, Any]) -> Trace:
    from tracekit.sources.tables.columns import given
    from tracekit.sources.tables.trace import make_trace

    try:
        return make_trace(given(table, unit, where), source)
    except UnicodeDecodeError:
        raise _not_text(where) from None


def _not_text(where: str) -> SourceError:
    """A damaged Parquet file gives any bytes as a column's name or text."""
    return SourceError("a damaged table (text that is not UTF-8)", where=where, remedy="write it again")


def _table(path: Path) -> tuple[str, pa.Table]:
    """Format and contents. Raises SourceError for a damaged file."""
    import pyarrow as pa
    from pyarrow import csv, ipc, parquet

    with path.open("rb") as file:
        head = file.read(8)
    try:
        if head.startswith(_PARQUET):
            return "Parquet", parquet.ParquetFile(path).read()
        with pa.memory_map(str(path)) as source:
            if head.startswith(_ARROW):
                return "Arrow", ipc.open_file(source).read_all()
            if head.startswith(_STREAM):
                return "Arrow stream", ipc.open_stream(source).read_all()
        return "CSV", csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=_delimiter(path)))
    except UnicodeDecodeError:
        raise _not_text(str(path)) from None
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"a damaged table ({_reason(error)})", where=str(path), remedy="write it again") from None


def _refuse_large(path: Path) -> None:
    """Raise SourceError for more rows than are held; of a file that is damaged, the reader says so."""
    import pyarrow as pa

    try:
        rows = _rows(path)
    except (pa.ArrowException, OSError):
        return
    if rows > MOST_ROWS:
        what = f"a table of {rows:,} rows, of which at most {MOST_ROWS:,} are held in memory at once"
        raise SourceError(what, where=str(path), remedy="give a shorter span of time")


def _rows(path: Path) -> int:
    """How many rows a file has, without its columns; at least so many lines, for CSV."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    with path.open("rb") as file:
        head = file.read(8)
        if head.startswith(_PARQUET):
            return int(parquet.read_metadata(path).num_rows)
        if not head.startswith((_ARROW, _STREAM)):
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 24), b""))
    with pa.memory_map(str(path)) as source:
        if head.startswith(_STREAM):
            return sum(batch.num_rows for batch in ipc.open_stream(source))
        with ipc.open_file(source) as batches:
            return sum(batches.get_batch(number).num_rows for number in range(batches.num_record_batches))


def _is_csv(head: bytes) -> bool:
    """Whether the first line is a header with a state, a start and an end."""
    line = head.split(b"\n", 1)[0]
    try:
        header = line.decode("utf-8-sig").lower()
    except UnicodeDecodeError:
        return False
    names = [name.strip().strip('"') for name in header.replace(";", ",").replace("\t", ",").split(",")]
    return len(names) >= 4 and any(name in _STATE_COLUMNS for name in names) and any(
        name.split("_")[0] in ("start", "begin", "ts", "from") for name in names
    )  # fmt: skip


def _delimiter(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline(1 << 16)
    return max((",", ";", "\t"), key=lambda sign: line.count(sign.encode()))


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


SOURCE = Tables()
