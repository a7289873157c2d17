"""Operations and the computing between them, woven into a segments table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tracekit.program.arrays import NULL, Ints, starts_of
from tracekit.program.extract.pieces import Pieces
from tracekit.tables.build import table
from tracekit.vocabulary import SEGMENTS

_COMPUTE = SEGMENTS["compute"]


def weave(pieces: Pieces, task: Ints, columns: Mapping[str, Ints], compute: Ints) -> pa.Table:
    """The segments table: piece, operation, piece, operation … of each task; pieces of no length are left out.

    `task` and `columns` (kind and the other segment columns) describe operations in order of (task, place);
    `compute` has one length per piece.
    """
    before = pieces.before_op + np.arange(len(task))
    after_all = pieces.final + pieces.per_task[1:]
    size = pieces.count + len(task)
    tasks, durations = np.empty(size, np.int64), np.full(size, NULL)
    kinds = np.full(size, _COMPUTE)
    tasks[before], tasks[before + 1], tasks[after_all] = task, task, np.arange(len(after_all))
    durations[before], durations[after_all] = compute[pieces.before_op], compute[pieces.final]
    durations[before + 1], kinds[before + 1] = columns["duration_ns"], columns["kind"]
    keep = (kinds != _COMPUTE) | (durations > 0)
    woven = {"task_id": tasks[keep], "kind": kinds[keep], "duration_ns": durations[keep]}
    for name in ("object_id", "target_id", "bytes", "count"):
        values = np.full(size, NULL)
        values[before + 1] = columns.get(name, NULL)
        woven[name] = values[keep]
    woven["ordinal"] = ordinals(woven["task_id"])
    narrow = {name: values.astype(np.int32) for name, values in woven.items() if name not in ("duration_ns", "bytes")}
    return table("segments", {**woven, **narrow})


def ordinals(task: Ints) -> Ints:
    """0, 1, 2 … within each task; rows of a task are neighbours."""
    rows = np.arange(len(task))
    return rows - np.maximum.accumulate(np.where(starts_of(task), rows, 0))
