"""The rows of a foreign table as a Trace: who is there, then each row checked and put in order, then what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tracekit import __version__
from tracekit.sources.base import Sink
from tracekit.sources.state_words import state_of
from tracekit.sources.tables.columns import LIMIT_NS, NULL, Given, coded
from tracekit.sources.tables.ordered import Ordered
from tracekit.sources.tables.sorting import Sorter
from tracekit.sources.tables.tasks import Tasks
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.tables.schema import BUNDLES
from tracekit.tables.stream import Collector
from tracekit.vocabulary import REASONS, STATES

Parts = Callable[[], Iterator[Given]]  # the table from its beginning, in pieces
Column = npt.NDArray[Any]


def make_trace(parts: Parts, source: dict[str, Any], sink: Sink | None, report: Callable[[int, int], None]) -> Trace:
    """Tasks in the order of their ids, or in which they are first seen; without rows where `sink` has them.

    `report` is told how many rows are read, of how many. Raises SourceError naming row and column.
    """
    collected = Collector()
    tasks = Tasks(parts())
    with Sorter(source["path"]) as sorter:
        rows = _Rows(tasks, sorter, collected if sink is None else sink)
        for part in parts():
            rows.take(part)
            report(rows.read, tasks.rows)
        ordered = Ordered(tasks.names, rows.cpus, next(parts()))
        for block in sorter.ordered():
            rows.sink.append("intervals", ordered.intervals(block))
    made = tasks.table(rows.first_ns, rows.last_ns, rows.exited)
    rows.sink.append("tasks", made)
    policies = [
        ("rows that take no time", "left out", rows.read - rows.kept),
        ("time of a task between its rows", "UNKNOWN", ordered.filled),
        ("wakers", "a wakeup when a RUNNABLE row begins that names one", rows.wakeups),
    ]
    meta = {
        "source": source, "clock": {"name": None, "origin_ns": tasks.origin_ns, "wall_origin_ns": None}, "host": None,
        "kernel": None, "cpus": rows.cpus[-1] + 1 if rows.cpus else None, "end_ns": int(rows.last_ns.max()),
        "events": tasks.rows, "form": _form(made),
        "policies": [{"policy": p, "choice": c, "count": n} for p, c, n in policies if n], "tool_version": __version__,
    }  # fmt: skip
    return Trace(collected.tables() if sink is None else {name: empty(name) for name in BUNDLES["trace"]}, meta)


class _Rows:
    """The second pass: each row is checked alone, and those that take time are put in order by `sorter`."""

    def __init__(self, tasks: Tasks, sorter: Sorter, sink: Sink) -> None:
        count = len(tasks.names)
        self.first_ns, self.last_ns = np.full(count, LIMIT_NS), np.zeros(count, np.int64)
        self.exited = np.zeros(count, np.bool_)
        self.cpus: list[int] = []
        self.read = self.kept = self.wakeups = 0
        self.sink = sink
        self._tasks, self._sorter = tasks, sorter
        self._words: dict[str, int] | None = None

    def take(self, part: Given) -> None:
        """A piece of the table."""
        start, end = part.times_ns("start"), part.times_ns("end")
        part.refuse(end < start, "end", "before its start")
        state, told = _states(part)
        rows: dict[str, Column] = {
            "task_id": self._tasks.numbers(part), "cpu": _numbers(part, "cpu"), "thread_id": _numbers(part, "thread_id"),
            "state": state, "start_ns": start - self._tasks.origin_ns, "end_ns": end - self._tasks.origin_ns,
            "reason": _reasons(part, told), "inferred": _flags(part),
            "row": np.arange(part.first_row, part.first_row + len(start)),
        }  # fmt: skip
        self._note(rows)
        if part.has("waker"):
            self._wake(part, rows)
        self.read += len(start)
        kept = np.flatnonzero(end > start)
        self.kept += len(kept)
        self._sorter.add(pa.table({name: values[kept] for name, values in rows.items()}))

    def _note(self, rows: dict[str, Column]) -> None:
        """What the rows say about their tasks, and which CPUs there are."""
        np.minimum.at(self.first_ns, rows["task_id"], rows["start_ns"])
        np.maximum.at(self.last_ns, rows["task_id"], rows["end_ns"])
        self.exited[rows["task_id"][rows["state"] == STATES["EXITED"]]] = True
        found = np.unique(rows["cpu"])
        self.cpus = sorted({*self.cpus, *found[found >= 0].tolist()})

    def _wake(self, part: Given, rows: dict[str, Column]) -> None:
        """Where a row names a waker: a wakeup of its task when it begins."""
        if self._words is None:
            self._words = self._tasks.by_word()
        named = part.texts("waker").dictionary_encode()
        known = [NULL if word == "" else self._words.get(word, -2) for word in named.dictionary.to_pylist()]
        places = pc.fill_null(named.indices, len(known)).to_numpy(zero_copy_only=False)
        told = np.array([*known, NULL], np.int64)[places]
        part.refuse(told == -2, "waker", "no task of this table")
        at = np.flatnonzero((told >= 0) & (rows["state"] == STATES["RUNNABLE"]))
        self.wakeups += len(at)
        columns = {"at_ns": rows["start_ns"][at], "waker_id": told[at], "wakee_id": rows["task_id"][at],
                   "target_cpu": rows["cpu"][at]}  # fmt: skip
        self.sink.append("wakeups", table("wakeups", columns))


def _states(given: Given) -> tuple[Column, Column]:
    """Each row's state as a code, and the code of the reason that the word itself gives."""
    words = given.texts("state").dictionary_encode()
    given.refuse(given.nulls("state"), "state", "no state")
    known = [state_of(word) for word in words.dictionary.to_pylist()]
    indices = words.indices.to_numpy(zero_copy_only=False)
    unknown = np.array([meaning is None for meaning in known], np.bool_)
    given.refuse(
        unknown[indices], "state", f"unknown state; known are {', '.join(STATES)} and customary words for them"
    )
    meanings = [meaning for meaning in known if meaning]
    codes = np.array([STATES[state] for state, _ in meanings], np.int8)
    reasons = np.array([NULL if reason is None else REASONS[reason] for _, reason in meanings], np.int8)
    return codes[indices], reasons[indices]


def _reasons(given: Given, by_word: Column) -> Column:
    if not given.has("reason"):
        return by_word
    codes = coded(given, "reason", REASONS)
    return np.where(codes == NULL, by_word, codes)


def _numbers(given: Given, column: str) -> Column:
    found: Column = given.integers(column, 1 << 31) if given.has(column) else np.full(given.table.num_rows, NULL)
    return found.astype(np.int32)


def _flags(given: Given) -> Column:
    if not given.has("inferred"):
        return np.zeros(given.table.num_rows, np.bool_)
    values = given.values("inferred")
    if not (pa.types.is_boolean(values.type) or pa.types.is_null(values.type)):
        given.fail(f"{values.type} is neither true nor false", "inferred")
    found: Column = pc.fill_null(values.cast(pa.bool_()), False).to_numpy(zero_copy_only=False)
    return found


def _form(tasks: pa.Table) -> str | None:
    kinds = [kind for kind in tasks["kind"].to_pylist() if kind in ("process", "thread", "goroutine")]
    return max(sorted(set(kinds)), key=kinds.count) if kinds else None
