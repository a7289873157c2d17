"""Any number of rows in order of their start, with few of them in memory: the others wait in sorted runs on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tracekit.errors import SourceError
from tracekit.sources.wrapped import MORE_ROOM
from tracekit.tables.merging import merged
from tracekit.tables.order import canonical
from tracekit.tables.stream import blocks, give_back, store_run, stored

MEMORY_BYTES = 32 << 20  # of rows held back; sorting them takes as much again, twice
_ORDER = "intervals"  # by start and task, whatever other columns there are


class Sorter:
    """`with Sorter(where) as sorter:` add tables of one schema with the order's columns, then take `ordered` once.

    `where` is the file that they are of.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._pieces: list[pa.Table] = []
        self._bytes = 0
        self.runs: list[Path] = []

    def __enter__(self) -> Sorter:
        self._folder = tempfile.TemporaryDirectory(prefix="tracekit-rows-")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def add(self, table: pa.Table) -> None:
        """More rows, in any order. Raises SourceError when the disk has no room for them."""
        self._pieces.append(table)
        self._bytes += table.nbytes
        if self._bytes > MEMORY_BYTES:
            path = Path(self._folder.name) / str(len(self.runs))
            try:
                store_run(path, self._held())
            except OSError as error:
                raise SourceError(
                    f"can't write to {path.parent} ({error})", where=self._where, remedy=MORE_ROOM
                ) from None
            self.runs.append(path)
            self._pieces, self._bytes = [], 0
            give_back()

    def ordered(self) -> Iterator[pa.Table]:
        """All rows, table by table; those of one start are in one table."""
        if not self.runs:
            yield self._held()
            return
        rest = [blocks(self._held())] if self._pieces else []
        yield from merged(_ORDER, [*map(stored, self.runs), *rest])

    def _held(self) -> pa.Table:
        return canonical(_ORDER, pa.concat_tables(self._pieces).combine_chunks())
