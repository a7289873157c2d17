"""A bundle's intervals as arrays, task by task, with what made each of them begin. All analyses start from here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tracekit.jit import cached_njit, njit
from tracekit.tables.build import NULL
from tracekit.tables.bundle import Run, Trace
from tracekit.vocabulary import REASONS, STATES, Words

RUNNING, RUNNABLE, BLOCKED = (STATES[name] for name in ("RUNNING", "RUNNABLE", "BLOCKED"))


class Lives(NamedTuple):
    """Intervals in order of task and start, as compiled code takes them. NULL (-1) is unknown.

    `first[k]` to `first[k + 1]` are task k's. `lead[i]` is where the unbroken RUNNABLE time before a RUNNING interval
    i begins (i itself without any), `before_on_cpu[i]` the RUNNING interval before i on its CPU. `ended_by[i]` is the
    wakeup that ended interval i, of those off the CPU and out of the queues, and `born_by[k]` the one that task k begins
    with; both are places in `Wakes`.
    """

    first: Any
    task: Any
    cpu: Any
    state: Any
    reason: Any
    start: Any
    end: Any
    lead: Any
    before_on_cpu: Any
    ended_by: Any
    born_by: Any


class Wakes(NamedTuple):
    """Wakeups in order of wakee and time. `source[w]` is the waker's interval: RUNNING, or (where the waker's stay on
    the CPU took no time) one that ends with the wakeup. NULL where no task woke.
    """

    first: Any
    at: Any
    waker: Any
    source: Any


@dataclass(frozen=True)
class History:
    """A bundle's intervals and wakeups, lined up once. `rows` are the intervals' rows in the bundle's table."""

    bundle: Trace | Run
    lives: Lives
    wakes: Wakes
    rows: Any
    by_start: Any
    chosen: Any

    @cached_property
    def last(self) -> int:
        """The interval, of the tasks that count, that ends last: RUNNING, or with its task; NULL without any."""
        return self.last_of(self.chosen)

    def last_of(self, tasks: Any) -> int:
        """As `last`, for tasks given as flags."""
        lives = self.lives
        final = lives.first[1:][lives.first[1:] > lives.first[:-1]] - 1
        ended = ints(self.bundle.tables["tasks"].column("end_ns"), np.int64)[lives.task[final]]
        places = np.concatenate([np.flatnonzero(lives.state == RUNNING), final[ended == lives.end[final]]])
        places = places[tasks[lives.task[places]]]
        return int(places[np.argmax(lives.end[places])]) if len(places) else NULL

    @property
    def end_ns(self) -> int:
        """When the last of the tasks that count ended, or last ran; 0 when none ever ran."""
        return int(self.lives.end[self.last]) if self.last >= 0 else 0

    @property
    def recorded_ns(self) -> int:
        """When the recording, or the run, ends."""
        last = int(self.lives.end.max()) if len(self.lives.end) else 0
        return max(last, int(self.bundle.meta.get("end_ns") or 0))

    @cached_property
    def stack_of(self) -> Any:
        """stack_id of each interval, NULL where none was recorded."""
        stacks = self.bundle.tables["intervals"].column("stack_id")
        return ints(stacks, np.int32)[self.rows] if stacks.null_count < len(stacks) else np.full(len(self.rows), NULL)

    @cached_property
    def cpu_runs(self) -> tuple[Any, Any]:
        """RUNNING intervals by CPU and start: their places, and where each CPU's begin."""
        cpu = np.where(self.lives.state == RUNNING, self.lives.cpu, NULL)[self.by_start]
        order, first = grouped(cpu, int(cpu.max(initial=-1)) + 1)
        return self.by_start[order], first


def ints(column: pa.ChunkedArray, dtype: Any) -> Any:
    """An integer column as an array; null becomes NULL."""
    from pyarrow import compute

    full = compute.fill_null(column, NULL) if column.null_count else column
    return np.asarray(full.to_numpy(), dtype)


def codes(column: pa.ChunkedArray, words: Words) -> Any:
    """A word column as the vocabulary's codes, whatever order a file's own dictionary has; null becomes NULL."""
    parts = [np.empty(0, np.int8)]
    for chunk in column.chunks:
        known = np.array([*(words[word] for word in chunk.dictionary.to_pylist()), NULL], np.int8)
        parts.append(known[chunk.indices.fill_null(NULL).to_numpy(zero_copy_only=False)])
    return np.concatenate(parts)


@cached_njit
def grouped(keys: Any, groups: int) -> Any:
    """Places of the rows by key, equal keys in order, and where each key's begin. Rows with a negative key are left out."""
    first = np.zeros(groups + 1, np.int64)
    for key in keys:
        if key >= 0:
            first[key + 1] += 1
    first = np.cumsum(first)
    free = first[:-1].copy()
    order = np.empty(first[groups], np.int64)
    for row in range(len(keys)):
        if keys[row] >= 0:
            order[free[keys[row]]] = row
            free[keys[row]] += 1
    return order, first


def history(bundle: Trace | Run, tasks: Collection[int] | None = None) -> History:
    """Line up a bundle. `tasks` are the task_ids that count (default: all that are not of kind kernel)."""
    table = bundle.tables["intervals"]
    count = bundle.tables["tasks"].num_rows
    start, task = ints(table.column("start_ns"), np.int64), ints(table.column("task_id"), np.int32)
    order, first = grouped(task, count)
    if np.any((np.diff(start[order]) < 0) & (np.diff(task[order]) == 0)):
        order = np.lexsort((start, task))
    columns = {
        name: ints(table.column(name), dtype)[order] for name, dtype in (("cpu", np.int32), ("end_ns", np.int64))
    }
    words = {"state": STATES, "reason": REASONS}
    columns |= {name: codes(table.column(name), known)[order] for name, known in words.items()}
    start, task = start[order], task[order]
    by_start = np.empty(len(order), np.int64)
    by_start[order] = np.arange(len(order))
    if np.any(np.diff(start[by_start]) < 0):
        by_start = np.argsort(start, kind="stable")
    lead, before = _leads(task, columns["state"], columns["cpu"], start, columns["end_ns"], by_start)
    wakes = _wakes(bundle, count)
    ended_by, born_by, source = _makers(
        first, columns["state"], start, columns["end_ns"], wakes.first, wakes.at, wakes.waker
    )
    lives = Lives(first, task, columns["cpu"], columns["state"], columns["reason"], start, columns["end_ns"], lead, before,
                  ended_by, born_by)  # fmt: skip
    return History(bundle, lives, wakes._replace(source=source), order, by_start, _counting(bundle, tasks))


def _counting(bundle: Trace | Run, tasks: Collection[int] | None) -> Any:
    from tracekit.vocabulary import TASK_KINDS

    if tasks is None:
        return np.asarray(codes(bundle.tables["tasks"].column("kind"), TASK_KINDS) != TASK_KINDS["kernel"])
    chosen = np.zeros(bundle.tables["tasks"].num_rows, np.bool_)
    chosen[list(tasks)] = True
    return chosen


def _wakes(bundle: Trace | Run, tasks: int) -> Wakes:
    table = bundle.tables["wakeups"]
    order, first = grouped(ints(table.column("wakee_id"), np.int32), tasks)
    at = ints(table.column("at_ns"), np.int64)[order]
    waker = ints(table.column("waker_id"), np.int32)[order]
    return Wakes(first, at, waker, waker)


@njit
def at_time(first: Any, start: Any, end: Any, task: int, at: int) -> int:
    """The task's interval that `at` ends or is within; NULL where it has none."""
    low, high = first[task], first[task + 1]
    while low < high:  # the first that starts at `at` or later
        middle = (low + high) // 2
        if start[middle] < at:
            low = middle + 1
        else:
            high = middle
    found = low - 1
    return found if found >= first[task] and end[found] >= at else -1


@cached_njit
def _leads(task: Any, state: Any, cpu: Any, start: Any, end: Any, by_start: Any) -> Any:
    """For RUNNING intervals: where the RUNNABLE time before begins, and who had the CPU before."""
    lead, before = np.empty(len(task), np.int64), np.full(len(task), -1, np.int64)
    for i in range(len(task)):
        queued = i > 0 and task[i - 1] == task[i] and state[i - 1] == RUNNABLE and end[i - 1] == start[i]
        lead[i] = lead[i - 1] if queued and state[i] in (RUNNING, RUNNABLE) else i
    last = np.full(max(0, cpu.max()) + 1 if len(cpu) else 1, -1, np.int64)
    for i in by_start:
        if state[i] == RUNNING and cpu[i] >= 0:
            before[i] = last[cpu[i]]
            last[cpu[i]] = i
    return lead, before


@cached_njit
def _makers(first: Any, state: Any, start: Any, end: Any, wake_first: Any, at: Any, waker: Any) -> Any:
    """The wakeups that intervals end with and tasks begin with, and the interval in which each one's waker was."""
    ended_by, born_by = np.full(len(start), -1, np.int64), np.full(len(first) - 1, -1, np.int64)
    for k in range(len(first) - 1):
        w = wake_first[k]
        if first[k + 1] > first[k]:
            while w < wake_first[k + 1] and at[w] <= start[first[k]]:
                born_by[k] = w
                w += 1
        for i in range(first[k], first[k + 1]):
            while w < wake_first[k + 1] and at[w] <= end[i]:
                if at[w] > start[i] and state[i] != RUNNING and state[i] != RUNNABLE:
                    ended_by[i] = w
                w += 1
    source = np.full(len(at), -1, np.int64)
    for w in range(len(at)):
        if waker[w] >= 0:
            found = at_time(first, start, end, waker[w], at[w])
            if found >= 0 and (state[found] == RUNNING or end[found] == at[w]):
                source[w] = found
    return ended_by, born_by, source
