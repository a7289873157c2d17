"""A run on its way out of the engine: held in memory while it is small, and beyond that written as it comes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tracekit.engine.recorder import BUFFERS, Chunks
from tracekit.metrics.streaming import RunMeter
from tracekit.tables.build import empty
from tracekit.tables.bundle import Program, Run
from tracekit.tables.stream import BundleWriter

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

ROWS_IN_MEMORY = 20_000_000  # of all tables of a run; its tables and what measures them take about 100 bytes a row


class RunSink:
    """`with RunSink(folder, program) as sink:` replay into it, then `finish`.

    The bundle appears in `folder` only if the run has more than `rows_in_memory` rows, and is measured on the way there.
    """

    def __init__(self, folder: Path, program: Program, rows_in_memory: int = ROWS_IN_MEMORY) -> None:
        self.folder = folder
        self._own = program.tables["tasks"]["converted"].to_numpy(zero_copy_only=False)
        self._limit = rows_in_memory
        self._rows = 0
        self._held: list[tuple[str, pa.Table]] = []
        self._writer: BundleWriter | None = None
        self._meter: RunMeter | None = None
        self._stack = ExitStack()

    def __enter__(self) -> RunSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def append(self, name: str, table: pa.Table) -> None:
        """Take rows of the table `name`."""
        self._held.append((name, table))
        self._rows += table.num_rows
        if self._writer is None and self._rows > self._limit:
            self._writer = self._stack.enter_context(BundleWriter(self.folder, "run"))
            self._meter = RunMeter(self._own)
        if self._writer is not None and self._meter is not None:
            for held_name, held in self._held:
                self._writer.append(held_name, held)
                self._meter.append(held_name, held)
            self._held = []

    def finish(self, run: Run) -> tuple[Run, pl.DataFrame | None]:
        """The run with all its rows; or, when they are on disk, as the engine gave it, and its metrics."""
        if self._writer is None or self._meter is None:
            return self._whole(run.meta), None
        self._writer.finish(run.meta)
        return run, self._meter.measured(run.tables["tasks"], run.meta)

    def _whole(self, meta: dict[str, Any]) -> Run:
        chunks = Chunks()
        for name, table in self._held:
            chunks.append(name, table)
        self._held = []
        tables = {name: chunks.whole(name) for name in ("tasks", *BUFFERS)}
        return Run({**tables, "gaps": empty("gaps")}, meta)
