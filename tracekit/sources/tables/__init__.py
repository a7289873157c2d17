"""Tables of intervals: Parquet, Arrow IPC (file, stream, Feather) and CSV, and frames in memory.

A row is one state of one task from start to end. `columns` says by which names a column is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracekit.errors import SourceError
from tracekit.sources.base import Progress, ReadOptions, Sink, no_progress
from tracekit.sources.digest import sha256_of
from tracekit.tables.bundle import Trace

if TYPE_CHECKING:
    import pyarrow as pa

_MAGICS = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")  # Parquet, Arrow, Arrow's stream
_STATE_COLUMNS = ("state", "thread_state", "status")


class Tables:
    """The source. `read` raises SourceError naming row and column, or what the file lacks."""

    name = "table"
    title = "table of intervals (Parquet, Arrow or CSV)"
    how_to_record = "any tool that writes task, start, end and state"

    def matches(self, head: bytes) -> bool:
        """Whether it is Parquet or Arrow, or its first line names columns of a table of intervals."""
        return head.startswith(_MAGICS) or _is_csv(head)

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Each row as an interval."""
        from tracekit.sources.tables.files import form_of, pieces

        form, size = form_of(path), path.stat().st_size
        source = {
            "path": str(path), "format": form, "version": None, "sha256": sha256_of(path), "size_bytes": size,
        }  # fmt: skip

        def report(done: int, rows: int) -> None:
            options.progress(size * done // rows, size)

        return _trace(lambda: pieces(path, form), None, source, options.sink, report)


def frame_trace(frame: object, *, unit: str | None = None, where: str = "frame") -> Trace:
    """The trace of a polars or pandas frame, a pyarrow table, or what has the Arrow C stream interface."""
    import pyarrow as pa

    from tracekit.sources.tables.files import reason

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
        raise SourceError(f"{type(frame).__name__} is no table ({reason(error)})", where=where) from None
    source = {"path": where, "format": "table", "version": None, "sha256": None, "size_bytes": None}
    return _trace(lambda: iter([table]), unit, source, None, no_progress)


def _trace(
    pieces: Callable[[], Iterator[pa.Table]],
    unit: str | None,
    source: dict[str, Any],
    sink: Sink | None,
    report: Progress,
) -> Trace:
    from tracekit.sources.tables.columns import Given, given
    from tracekit.sources.tables.files import not_text
    from tracekit.sources.tables.trace import make_trace

    where = str(source["path"])

    def parts() -> Iterator[Given]:
        row = 0
        for table in pieces():
            yield given(table, unit, where, row)
            row += table.num_rows

    try:
        return make_trace(parts, source, sink, report)
    except UnicodeDecodeError:
        raise not_text(where) from None


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


SOURCE = Tables()
