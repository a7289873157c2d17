"""Rows of a foreign table in order of their start: none may overlap another, and what is between them is UNKNOWN."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracekit.sources.tables.columns import NULL, Given
from tracekit.tables.build import table
from tracekit.vocabulary import STATES

Column = npt.NDArray[Any]
Rows = dict[str, Column]
_COPIED = ("task_id", "cpu", "thread_id", "state", "start_ns", "end_ns", "reason", "inferred")


class Ordered:
    """What is carried from block to block: until when each task and each CPU is taken (-1: not yet)."""

    def __init__(self, names: list[str], cpus: list[int], first: Given) -> None:
        """`names` of the tasks, `cpus` that there are, `first` any piece of the table: it says what is wrong."""
        self.filled = 0
        self._names, self._cpus, self._given = names, np.array(cpus, np.int64), first
        self._task_ends, self._cpu_ends = np.full(len(names), -1, np.int64), np.full(len(cpus), -1, np.int64)

    def intervals(self, block: pa.Table) -> pa.Table:
        """A block's rows, and one of state UNKNOWN wherever a task has none between two of its own.

        Raises SourceError where a row begins before another of its task, or one RUNNING on its CPU, has ended.
        """
        rows = {name: block.column(name).to_numpy() for name in block.column_names}
        at = np.arange(len(rows["task_id"]))
        order, before = _before(rows, at, rows["task_id"], self._task_ends)
        for row in _first(rows, order[rows["start_ns"][order] < before]):
            self._refuse(rows, row, f"another row of task {self._names[rows['task_id'][row]]}")
        running = np.flatnonzero((rows["state"] == STATES["RUNNING"]) & (rows["cpu"] >= 0))
        places = np.searchsorted(self._cpus, rows["cpu"][running])
        on_cpu, taken_until = _before(rows, running, places, self._cpu_ends)
        for row in _first(rows, on_cpu[rows["start_ns"][on_cpu] < taken_until]):
            self._refuse(rows, row, f"another RUNNING row of cpu {rows['cpu'][row]}")
        gaps = (before >= 0) & (rows["start_ns"][order] > before)
        return table("intervals", self._with_unknown(rows, order[gaps], before[gaps]))

    def _with_unknown(self, rows: Rows, after: Column, since_ns: Column) -> Rows:
        self.filled += len(after)
        new = {name: np.full(len(after), NULL, rows[name].dtype) for name in _COPIED if name != "inferred"}
        new |= {"task_id": rows["task_id"][after], "start_ns": since_ns, "end_ns": rows["start_ns"][after],
                "inferred": np.zeros(len(after), np.bool_)}  # fmt: skip
        new["state"] = np.full(len(after), STATES["UNKNOWN"], np.int8)
        return {name: np.concatenate((rows[name], new[name])) for name in _COPIED}

    def _refuse(self, rows: Rows, row: int, what: str) -> NoReturn:
        self._given.fail(f"overlaps {what}", "start", int(rows["row"][row]))


def _first(rows: Rows, chosen: Column) -> list[int]:
    """The one of the chosen rows that comes first in the table, if there is any."""
    return chosen[rows["row"][chosen].argsort()[:1]].tolist()  # type: ignore[no-any-return]


def _before(rows: Rows, chosen: Column, owner: Column, ends: Column) -> tuple[Column, Column]:
    """The chosen rows by owner and time, and when the one before each of the same owner ended; `ends` is carried on."""
    order = np.lexsort((rows["end_ns"][chosen], rows["start_ns"][chosen], owner))
    owners, until = owner[order], rows["end_ns"][chosen[order]]
    first = np.append(True, owners[1:] != owners[:-1])[: len(owners)]
    before = np.append(-1, until[:-1])[: len(owners)]
    before[first] = ends[owners[first]]
    last = np.append(first[1:], True)[: len(owners)]
    ends[owners[last]] = until[last]
    return chosen[order], before
