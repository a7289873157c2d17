"""Who the tasks of a foreign table are: what a pass over all of its rows finds before any of them is placed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tracekit.sources.tables.columns import LIMIT_NS, NULL, Given, coded
from tracekit.tables.build import table
from tracekit.vocabulary import TASK_KINDS

Numbers = npt.NDArray[np.int64]


class Tasks:
    """Numbered by their ids where there are ids that are numbers, else as they are first seen. Fields are by number."""

    def __init__(self, parts: Iterable[Given]) -> None:
        """Raises SourceError for a row without a task or a time, and for a table without rows."""
        self._seen: dict[Any, int] = {}
        self.rows, self.origin_ns = 0, LIMIT_NS
        self._numeric = self._by_id = False
        self._names: list[str | None] = []
        self._facts: dict[str, list[Any]] = {"kind": [], "source_id": [], "process": []}
        for part in parts:
            self._take(part)
            self.rows += part.table.num_rows
        if not self.rows:
            part.fail("no rows")
        if part.found["start"].lower() == "start_ns":  # times of a trace are from its beginning on
            self.origin_ns = min(self.origin_ns, 0)
        self._settle()

    def numbers(self, part: Given) -> Numbers:
        """Each row's task."""
        keys = part.values(_key(part))
        unique = pc.unique(keys)
        local = np.array([self._seen[key] for key in unique.to_pylist()], np.int64)
        found: Numbers = local[pc.index_in(keys, value_set=unique).to_numpy(zero_copy_only=False)]
        return found

    def by_word(self) -> dict[str, int]:
        """Task by its id or its name, as text; the id counts first, and of one name the first task."""
        found = {name: number for number, name in reversed(list(enumerate(self.names)))}
        return found | {str(key): number for number, key in enumerate(self.keys)}

    def table(self, first_ns: Numbers, last_ns: Numbers, exited: npt.NDArray[np.bool_]) -> pa.Table:
        """The tasks table, by when each task's first row begins, its last one ends, and whether it says EXITED."""
        columns: dict[str, Any] = {
            "task_id": np.arange(len(self.names), dtype=np.int32), "name": self.names, "start_ns": first_ns,
        }  # fmt: skip
        if self._facts["kind"]:
            columns["kind"] = np.array(self._facts["kind"], np.int8)
        if self._facts["source_id"]:
            columns["source_id"] = np.array(self._facts["source_id"], np.int64)
        elif self._numeric:
            columns["source_id"] = pa.array(self.keys, pa.int64())
        if self._facts["process"]:
            columns["process_id"] = self._processes()
        return table("tasks", columns)

    def _take(self, part: Given) -> None:
        key = _key(part)
        part.refuse(part.nulls(key), key, "no task")
        keys = part.values(key)
        if pa.types.is_nested(keys.type):
            part.fail(f"{keys.type} is no name of a task", key)
        self._numeric = pa.types.is_integer(keys.type)
        self._by_id = self._numeric and key == "task_id"
        if len(keys):
            self.origin_ns = min(self.origin_ns, int(part.times_ns("start").min()))
        unique = pc.unique(keys)
        new = [number for number, value in enumerate(unique.to_pylist()) if value not in self._seen]
        if not new:
            return
        self._seen.update((value, len(self._seen)) for value in unique.take(pa.array(new)).to_pylist())
        rows = pc.index_in(unique.take(pa.array(new)), value_set=keys)
        self._names += part.texts("task" if part.has("task") else key).take(rows).to_pylist()
        for column, values in (("kind", _kinds), ("source_id", _ids), ("process", _words)):
            if part.has(column):
                self._facts[column] += values(part, column, rows)

    def _settle(self) -> None:
        """Numbers, and what is known by number, from the order of first sight to the final one."""
        keys = list(self._seen)
        order = sorted(range(len(keys)), key=keys.__getitem__) if self._by_id else list(range(len(keys)))
        self.keys = [keys[place] for place in order]
        self._seen = {key: number for number, key in enumerate(self.keys)}
        names = [self._names[place] for place in order]
        self.names = [str(number) if name is None else name for number, name in zip(self.keys, names, strict=True)]
        self._facts = {name: [told[place] for place in order if told] for name, told in self._facts.items()}

    def _processes(self) -> Numbers:
        """The task of each task's process: the one whose id it names, else the first that names the same."""
        by_id = {str(key): number for number, key in enumerate(self.keys)}
        first: dict[str | None, int] = {}
        for number, process in enumerate(self._facts["process"]):
            first.setdefault(process, number)
        found = [NULL if process is None else by_id.get(process, first[process]) for process in self._facts["process"]]
        return np.array(found, np.int64)


def _key(part: Given) -> str:
    return "task_id" if part.has("task_id") else "task"


def _kinds(part: Given, column: str, rows: pa.Array) -> list[int]:
    found: list[int] = coded(part, column, TASK_KINDS)[rows.to_numpy()].tolist()
    return found


def _ids(part: Given, column: str, rows: pa.Array) -> list[int]:
    found: list[int] = part.integers(column, LIMIT_NS)[rows.to_numpy()].tolist()
    return found


def _words(part: Given, column: str, rows: pa.Array) -> list[str | None]:
    found: list[str | None] = part.texts(column).take(rows).to_pylist()
    return found
