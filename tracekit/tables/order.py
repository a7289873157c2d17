"""The one order that the rows of each table have. Rows equal in these columns keep the order in which things happened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

ORDER: dict[str, tuple[str, ...]] = {
    "tasks": ("task_id",),
    "intervals": ("start_ns", "task_id"),
    "wakeups": ("at_ns",),
    "gaps": ("start_ns", "end_ns", "cpu"),
    "ranges": ("start_ns", "range_id"),
    "counters": ("at_ns",),
    "stacks": ("stack_id",),
    "overheads": ("at_ns",),
    "memory": ("at_ns",),
    "operations": ("at_ns",),
    "program_tasks": ("task_id",),
    "segments": ("task_id", "ordinal"),
    "objects": ("object_id",),
}

Rows = npt.NDArray[np.int64]


def canonical(name: str, table: pa.Table) -> pa.Table:
    """The declared table `name` in its one order (stable, nulls first)."""
    if _in_order(name, table):
        return table
    rows = _sorted_rows([key for column in ORDER[name] for key in _keys(table.column(column))])
    return table if rows is None else table.take(pa.array(rows))


def first_key(name: str, table: pa.Table) -> Rows:
    """What the table is sorted by before all else: a time or an id, never null."""
    return np.asarray(table.column(ORDER[name][0]), dtype=np.int64)


def _in_order(name: str, table: pa.Table) -> bool:
    """Whether the rows stand in order: a look at the first key, and at the others only where that does not rise."""
    first = first_key(name, table)
    level = np.flatnonzero(first[1:] <= first[:-1])
    if len(level) > len(first) // 8 or bool((first[level + 1] < first[level]).any()):
        return False
    before, after = table.take(pa.array(level)), table.take(pa.array(level + 1))
    undecided = np.ones(len(level), np.bool_)
    for column in ORDER[name][1:]:
        together = pa.chunked_array([*before.column(column).chunks, *after.column(column).chunks])
        for key in _keys(together):
            lower, higher = key[: len(level)], key[len(level) :]
            if bool((undecided & (lower > higher)).any()):
                return False
            undecided &= lower == higher
    return True


def _keys(column: pa.ChunkedArray) -> list[Rows]:
    """The column as integers; before them, where there are nulls, whether there is a value."""
    if not column.null_count:
        return [np.asarray(column, dtype=np.int64)]
    return [np.asarray(column.is_valid(), dtype=np.int64), np.asarray(pc.fill_null(column, 0), dtype=np.int64)]


def _sorted_rows(keys: list[Rows]) -> Rows | None:
    """Rows in order; None when they are in order already."""
    key = _combined(keys)
    if key is None:
        return np.lexsort(keys[::-1])
    if bool((key[1:] >= key[:-1]).all()):
        return None
    return np.argsort(key, kind="stable")  # timsort, which is fast at what is nearly sorted


def _combined(keys: list[Rows]) -> Rows | None:
    """One key instead of several, where all fit into 63 bits."""
    combined = keys[0]
    for key in keys[1:]:
        if not len(key):
            return key
        low, high = int(key.min()), int(key.max())
        factor = high - low + 1
        if max(abs(int(combined.max())), abs(int(combined.min()))) + 1 >= (1 << 63) // factor:
            return None
        combined = combined * factor + (key - low)
    return combined
