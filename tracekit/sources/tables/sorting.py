"""Any number of rows in order of their start, with few of them in memory: the others wait in sorted runs on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tracekit.tables.merging import merged
from tracekit.tables.order import canonical
from tracekit.tables.stream import blocks, give_back, store_run, stored

MEMORY_BYTES = 32 << 20  # of rows held back; sorting them takes as much again, twice
_ORDER = "intervals"  # by start and task, whatever other columns there are


class Sorter:
    """`with Sorter() as sorter:` add tables of one schema that has the order's columns, then take `ordered` once."""

    def __init__(self, memory_bytes: int | None = None) -> None:
        self._memory_bytes = MEMORY_BYTES if memory_bytes is None else memory_bytes
        self._pieces: list[pa.Table] = []
        self._bytes = 0
        self.runs: list[Path] = []

    def __enter__(self) -> Sorter:
        self._folder = tempfile.TemporaryDirectory(prefix="tracekit-rows-")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def add(self, table: pa.Table) -> None:
        """More rows, in any order."""
        self._pieces.append(table)
        self._bytes += table.nbytes
        if self._bytes > self._memory_bytes:
            path = Path(self._folder.name) / str(len(self.runs))
            store_run(path, self._held())
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
