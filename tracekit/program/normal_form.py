"""The form in which two programs are the same exactly when their tables are equal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tracekit.program.arrays import NULL, Flags, Ints, codes, ints, starts_of
from tracekit.program.extract.assemble import ordinals
from tracekit.tables.build import table
from tracekit.tables.bundle import Program
from tracekit.vocabulary import SEGMENTS

_COMPUTE, _EXIT, _SPAWN = SEGMENTS["compute"], SEGMENTS["exit"], SEGMENTS["spawn"]


def normal_form(program: Program) -> Program:
    """The same program, written in one way. `extract(replay(p))` gives `normal_form(p)` back.

    * Neighbouring computes are one; computes of no length are left out; ordinals are dense.
    * `exit`, and what stands behind it, is left out: a task ends after its last segment.
    * Objects stay as they are, used or not, so that ids keep their meaning.
    * `kind`, `process_id` and `source_id` of tasks are null, as a model gives its own; `parent_id` is the task
      that spawns it, null when it starts by itself.
    """
    segments = program.tables["segments"]
    kinds, task = codes(segments, "kind", SEGMENTS), ints(segments, "task_id")
    rows = np.flatnonzero(_before_exit(task, kinds))
    duration = ints(segments, "duration_ns")[rows]
    rows_kept = (kinds[rows] != _COMPUTE) | (duration > 0)
    rows, duration = rows[rows_kept], duration[rows_kept]
    computing, task = kinds[rows] == _COMPUTE, task[rows]
    first = starts_of(task) | ~computing
    first[1:] |= ~computing[:-1]
    if len(rows):
        duration = np.where(computing[first], np.add.reduceat(duration, np.flatnonzero(first)), duration[first])
    merged = segments.take(pa.array(rows[first]))
    columns = {name: merged[name] for name in merged.column_names}
    columns["ordinal"] = ordinals(task[first]).astype(np.int32)
    columns["duration_ns"] = duration
    tables = {
        "tasks": _tasks(program.tables["tasks"], kinds, segments),
        "segments": table("segments", columns),
        "objects": program.tables["objects"],
    }
    return Program(tables, dict(program.meta))


def _before_exit(task: Ints, kinds: Ints) -> Flags:
    """Which segments stand before the first exit of their task."""
    exits = np.cumsum(kinds == _EXIT)
    at_start = np.where(starts_of(task), exits - (kinds == _EXIT), 0)
    before: Flags = exits == np.maximum.accumulate(at_start)
    return before


def _tasks(tasks: pa.Table, kinds: Ints, segments: pa.Table) -> pa.Table:
    spawns = kinds == _SPAWN
    parents = np.full(tasks.num_rows, NULL)
    parents[ints(segments, "target_id")[spawns]] = ints(segments, "task_id")[spawns]
    kept = {name: tasks[name] for name in ("task_id", "name", "start_ns", "converted")}
    return table("program_tasks", {**kept, "parent_id": parents})
