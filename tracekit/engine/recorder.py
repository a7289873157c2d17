"""The engine's record buffers become Arrow tables, chunk by chunk, and go to a sink."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tracekit.engine import state as st
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Program
from tracekit.tables.order import canonical
from tracekit.tables.schema import TABLES
from tracekit.vocabulary import SEGMENT_KINDS, SEGMENTS, TASK_KINDS

BUFFERS = ("intervals", "wakeups", "overheads", "memory", "operations")
_ARGUMENTS = {"duration_ns": "duration", "bytes": "bytes", "object_id": "object", "target_id": "target",
              "count": "count"}  # fmt: skip
# by argument: does the segment kind (by code) use it?
_USES = {name: np.array([name in SEGMENT_KINDS[kind].uses for kind in SEGMENTS.names]) for name in _ARGUMENTS}


class Sink(Protocol):
    """What takes the rows of a run as they come: `tables.stream.BundleWriter`, or `Chunks`."""

    def append(self, name: str, table: pa.Table) -> None:
        """Take rows of the run's table `name`: in the order in which they were written, which is not the table's."""


class Chunks:
    """A sink in memory."""

    def __init__(self) -> None:
        self._chunks: dict[str, list[pa.Table]] = {}

    def append(self, name: str, table: pa.Table) -> None:
        """Keep rows of the table `name`."""
        self._chunks.setdefault(name, []).append(table)

    def whole(self, name: str) -> pa.Table:
        """All rows of one table, in its one order."""
        chunks = self._chunks.pop(name, None)
        return canonical(name, pa.concat_tables(chunks).combine_chunks()) if chunks else empty(name)


class Recorder:
    """Empties the buffers of `sim` into `sink`. `starts` is where each task's segments begin."""

    def __init__(self, sim: st.Sim, starts: Any, sink: Sink) -> None:
        self._sim = sim
        self._starts = starts
        self._sink = sink

    def flush(self) -> None:
        """Hand over what is in the buffers."""
        world = self._sim.world
        for name in BUFFERS:
            count = int(world[name][0])
            if count:
                rows = getattr(self._sim, name)[:count]
                columns = self._operations(rows) if name == "operations" else _columns(name, rows)
                self._sink.append(name, table(name, columns, rows=count))
                world[name][:] = 0

    def _operations(self, rows: Any) -> dict[str, Any]:
        segment = self._sim.segments[rows.segment]
        kind = segment.kind
        columns = {name: rows[name].copy() for name in ("at_ns", "task_id", "cpu")}
        columns["ordinal"] = rows.segment - self._starts[rows.task_id]
        columns["kind"] = kind.astype(np.int8)
        for name, field in _ARGUMENTS.items():
            columns[name] = np.where(_USES[name][kind], segment[field], st.NONE)
        return columns


def _columns(name: str, rows: Any) -> dict[str, Any]:
    known = {column.name for column in TABLES[name]} & set(rows.dtype.names)
    return {column: rows[column].copy() for column in known}


def task_table(program: Program, form: str, sim: st.Sim) -> pa.Table:
    """The run's tasks: the program's, with what became of them."""
    given = program.tables["tasks"]
    converted = sim.tasks.converted.astype(bool)
    ids = np.arange(len(converted), dtype=np.int32)
    kind = np.where(converted, TASK_KINDS[form], TASK_KINDS["kernel"]).astype(np.int8)
    process = given["process_id"].combine_chunks().fill_null(st.NONE).to_numpy(zero_copy_only=False)
    first = int(np.argmax(converted)) if converted.any() else st.NONE
    process = np.where(converted, ids if form == "process" else first, process).astype(np.int32)
    columns = {name: given[name] for name in ("task_id", "name", "source_id")}
    return table("tasks", {
        **columns,
        "kind": kind,
        "process_id": process,
        "parent_id": sim.tasks.parent.copy(),
        "start_ns": sim.tasks.start.copy(),
        "end_ns": sim.tasks.ended.copy(),
        "exit_reason": np.where(sim.tasks.state == st.EXITED, sim.tasks.exit_reason, st.NONE).astype(np.int8),
    }, rows=len(ids))  # fmt: skip
