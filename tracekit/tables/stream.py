"""Bundles written while their tables are made, in bounded memory.

Tables come in pieces that are roughly in order: an interval that was long comes late. What does not fit into memory
is spilled as sorted runs, in the folder that the bundle is written in, and the runs are merged in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tracekit.errors import TableError
from tracekit.tables import store
from tracekit.tables.build import empty
from tracekit.tables.bundle import KINDS, Bundle
from tracekit.tables.schema import BUNDLES, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY_BYTES = 32 << 20  # of tables held back; sorting them takes as much again, twice
_BLOCK_ROWS = 1 << 15  # of a run in memory at once, while runs are merged
_RUNS = "runs"


class BundleWriter:
    """`with BundleWriter(folder) as writer:` append tables as they are made, then `finish` with the bundle's meta.

    The folder appears when the block is left after `finish`; otherwise nothing does. `append` and `finish` raise
    StoreError when the disk is full, entering the block does as `store.save`.
    """

    def __init__(
        self, folder: Path | str, kind: str = "trace", *, force: bool = False, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        self.folder, self.kind = Path(folder), kind
        self.appended = False
        self._memory_bytes = memory_bytes
        self._whole = store.whole(self.folder, force)
        self._finished = False

    def __enter__(self) -> BundleWriter:
        self._partial = self._whole.__enter__()
        self._spools = {
            name: _Spool(name, declared, self._partial / _RUNS) for name, declared in BUNDLES[self.kind].items()
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is None and not self._finished:
            self._abandon()
            return None
        return self._whole.__exit__(kind, error, trace)

    def _abandon(self) -> None:
        with suppress(_UnfinishedError):
            self._whole.__exit__(_UnfinishedError, _UnfinishedError(), None)

    def append(self, name: str, table: pa.Table, *, ahead: bool = False) -> None:
        """Add rows to table `name`, in any order. `ahead`: before others that are equal in the table's order."""
        self.appended = True
        self._spools[name].add(table, ahead)
        if sum(spool.held_bytes for spool in self._spools.values()) > self._memory_bytes:
            with store.writing(self.folder):
                max(self._spools.values(), key=lambda spool: spool.held_bytes).spill()

    def finish(self, meta: dict[str, Any]) -> Bundle | None:
        """Write all tables. Gives the bundle when it fitted into memory, as it is at hand then."""
        give_back()
        with store.writing(self.folder):
            noted = {
                name: store.write_table(spool.tables(), arrow_schema(spool.declared), self._partial / f"{name}.parquet")
                for name, spool in self._spools.items()
            }
            store.discard(self._partial / _RUNS)
            store.write_meta(self.kind, meta, noted, self._partial)
        self._finished = True
        if any(spool.runs for spool in self._spools.values()):
            return None
        return KINDS[self.kind]({name: spool.held() for name, spool in self._spools.items()}, meta)


class _UnfinishedError(Exception):
    """The block was left without `finish`: what is there is no bundle."""


class Collector:
    """The same in memory: tables in pieces, each whole and in order in the end."""

    def __init__(self, kind: str = "trace") -> None:
        self._spools = {name: _Spool(name, declared, Path()) for name, declared in BUNDLES[kind].items()}

    def append(self, name: str, table: pa.Table, *, ahead: bool = False) -> None:
        """Add rows to table `name`, as `BundleWriter.append` does."""
        self._spools[name].add(table, ahead)

    def tables(self) -> dict[str, pa.Table]:
        """All tables, empty where nothing was appended."""
        return {name: spool.held() for name, spool in self._spools.items()}


class _Spool:
    """One table's rows: pieces in memory, and sorted runs on disk that are older than those."""

    def __init__(self, name: str, declared: str, folder: Path) -> None:
        self.name, self.declared, self.folder = name, declared, folder
        self.held_bytes = 0
        self.runs: list[Path] = []
        self._ahead: list[pa.Table] = []
        self._pieces: list[pa.Table] = []

    def add(self, table: pa.Table, ahead: bool) -> None:
        if table.schema != arrow_schema(self.declared):
            table = _as_declared(table, self.declared)
        if ahead:
            self._ahead.append(table)
        elif table.num_rows:
            self._pieces.append(table)
            self.held_bytes += table.nbytes

    def spill(self) -> None:
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{self.name}-{len(self.runs)}"
        store_run(path, self._in_order(self._pieces))
        self.runs.append(path)
        self._pieces, self.held_bytes = [], 0
        give_back()

    def held(self) -> pa.Table:
        """What is in memory, in order."""
        table = self._in_order(self._ahead + self._pieces)
        self._ahead, self._pieces = [], [table]
        return table

    def tables(self) -> Iterator[pa.Table]:
        """All rows in order: at once, or merged block by block."""
        if not self.runs:
            yield self.held()
            return
        from tracekit.tables.merging import merged

        ahead, pieces = self._in_order(self._ahead), self._in_order(self._pieces)
        yield from merged(self.declared, [blocks(ahead), *map(stored, self.runs), blocks(pieces)])

    def _in_order(self, pieces: list[pa.Table]) -> pa.Table:
        import pyarrow as pa

        from tracekit.tables.order import canonical

        if not pieces:
            return empty(self.declared)
        return canonical(self.declared, pa.concat_tables(pieces).combine_chunks())


def give_back() -> None:
    """Free memory goes back to the system: allocators keep what was freed, and so hold the peaks of every stage at once."""
    import ctypes

    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # glibc's own; others need none
        ctypes.CDLL(None).malloc_trim(0)


def _as_declared(table: pa.Table, declared: str) -> pa.Table:
    """A table whose columns are right but for their order or flags. Raises TableError."""
    import pyarrow as pa

    schema = arrow_schema(declared)
    try:
        return table.select(schema.names).cast(schema)
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise TableError(f"no rows for the table {declared}: {' '.join(str(error).split())}") from None


def store_run(path: Path, table: pa.Table) -> None:
    """Write rows that are in order to a file of which `stored` gives one block after the other."""
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=_BLOCK_ROWS)


def blocks(table: pa.Table) -> Iterator[pa.Table]:
    """The rows of a table, as many at once as `stored` gives."""
    return (table.slice(at, _BLOCK_ROWS) for at in range(0, table.num_rows, _BLOCK_ROWS))


def stored(path: Path) -> Iterator[pa.Table]:
    """The blocks of a run, each read when it is asked for."""
    import pyarrow as pa

    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_file(file) as run:
        for place in range(run.num_record_batches):
            yield pa.Table.from_batches([run.get_batch(place)])
