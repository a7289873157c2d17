"""The metrics of a run whose rows are too many to hold: taken from the rows as they come.

The same numbers as `measure`, in memory that grows with the tasks and not with the rows. Percentiles are exact up to
EXACT values of a kind; beyond, a value is known to its bin, whose middle is given: at most 1 part in 2,000 off (maximum
and total stay exact).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from tracekit.jit import cached_njit
from tracekit.metrics.activity import NS_PER_S
from tracekit.metrics.catalog import METRICS, PERCENTILES, TOTAL
from tracekit.metrics.measure import SCHEMA, Row
from tracekit.vocabulary import OFF_TASK_OVERHEADS, OVERHEADS, REASONS, SEGMENTS, STATES

EXACT = 1 << 20
_RUNNING, _RUNNABLE, _BLOCKED = STATES["RUNNING"], STATES["RUNNABLE"], STATES["BLOCKED"]
_PREEMPTED = REASONS["preempted"]
_BITS = 10  # of a value that tell its bin: 1,024 bins for each power of two
_NONE = -1

TASK = np.dtype([
    ("state", "i8"), ("end", "i8"), ("cpu", "i8"), ("woken", "i8"), ("queued", "i8"), ("why", "i8"), ("own", "i8"),
])  # fmt: skip
SUMS = np.dtype([
    ("running_ns", "i8"), ("voluntary", "i8"), ("involuntary", "i8"), ("migrations", "i8"), ("last_run_ns", "i8"),
    ("runs", "i8"),
])  # fmt: skip


class Distribution:
    """Values of ns: as they are while there are at most EXACT, in bins from then on."""

    def __init__(self, exact: int = EXACT) -> None:
        self.count = self.total = self.largest = 0
        self._exact = exact
        self._values: list[Any] = []
        self._bins: Any = None

    def add(self, values: Any) -> None:
        """Take an array of values."""
        if not len(values):
            return
        self.count += len(values)
        self.total += int(values.sum())
        self.largest = max(self.largest, int(values.max()))
        self._values.append(values.copy())
        if self.count > self._exact:
            self._fold()

    def _fold(self) -> None:
        if self._bins is None:
            self._bins = np.zeros(_bin(np.array([1 << 62]))[0] + 1, np.int64)
        for values in self._values:
            counts = np.bincount(_bin(values))
            self._bins[: len(counts)] += counts
        self._values = []

    def percentiles(self) -> dict[str, int]:
        """Nearest-rank percentiles by label, as metrics.latency gives them; empty without values."""
        if not self.count:
            return {}
        ranks = {label: (self.count * level + 999) // 1000 - 1 for label, level in PERCENTILES.items()}
        if self._bins is None:
            ascending = np.sort(np.concatenate(self._values))
            return {label: int(ascending[rank]) for label, rank in ranks.items()}
        below = np.cumsum(self._bins)
        found = {label: _middle(int(np.searchsorted(below, rank, side="right"))) for label, rank in ranks.items()}
        return {label: min(value, self.largest) for label, value in found.items()} | {"max": self.largest}


def _bin(values: Any) -> Any:
    """Each value's bin: its own below 2^(_BITS + 1), and the leading bits of what is larger."""
    exponent = np.maximum(np.frexp(values.astype(np.float64))[1] - 1 - _BITS, 0)
    return (exponent << _BITS) + (values >> exponent)


def _middle(place: int) -> int:
    if place < 2 << _BITS:
        return place
    exponent = (place >> _BITS) - 1
    low = (place - (exponent << _BITS)) << exponent
    return low + (1 << exponent) // 2


def _walk(
    tasks: Any, sums: Any, rows: Any, wakeups: Any, latencies: Any, delays: Any, preemptions: Any, counts: Any
) -> int:
    """Move every task on over its next intervals (`rows`: task, start, end, state, reason, cpu by column).

    Intervals come in the order of their ends, wakeups (at, wakee) in theirs: a wakeup counts for the first run that
    begins at or after it, if the task's last run had ended by then (metrics.latency.wakeup_latencies). Gives the number
    of wakeups before the last end; the others are for the next walk.
    """
    place = 0
    for i in range(rows.shape[1]):
        task, start, end, state, reason, cpu = rows[0, i], rows[1, i], rows[2, i], rows[3, i], rows[4, i], rows[5, i]
        while place < wakeups.shape[1] and wakeups[0, place] < end:
            w = tasks[wakeups[1, place]]
            if w["woken"] < 0:
                w["woken"] = wakeups[0, place]
            place += 1
        t = tasks[task]
        if t["own"] == 0:
            continue
        if t["state"] == _RUNNING:
            if state == _RUNNABLE:
                sums[0]["involuntary"] += 1
            elif state == _BLOCKED:
                sums[0]["voluntary"] += 1
        if t["state"] == _RUNNABLE and not (state == _RUNNABLE and t["end"] == start):
            delays[counts[1]] = t["end"] - t["queued"]
            counts[1] += 1
            if t["why"] == _PREEMPTED and state == _RUNNING:
                preemptions[counts[2]] = t["end"] - t["queued"]
                counts[2] += 1
        if state == _RUNNABLE and not (t["state"] == _RUNNABLE and t["end"] == start):
            t["queued"] = start
            t["why"] = reason
        if state == _RUNNING:
            sums[0]["running_ns"] += end - start
            sums[0]["runs"] += 1
            sums[0]["last_run_ns"] = max(sums[0]["last_run_ns"], end)
            if t["cpu"] >= 0 and t["cpu"] != cpu:
                sums[0]["migrations"] += 1
            t["cpu"] = cpu
            if 0 <= t["woken"] <= start:
                latencies[counts[0]] = start - t["woken"]
                counts[0] += 1
            t["woken"] = _NONE
        t["state"] = state
        t["end"] = end
    return place


class _Pending:
    """Stretches of busy time that may reach beyond the makespan: kept until it is known to be later."""

    def __init__(self) -> None:
        self.settled_ns = 0
        self._open = np.zeros((2, 0), np.int64)

    def add(self, starts: Any, ends: Any, makespan_ns: int) -> None:
        both = np.concatenate([self._open, np.stack([starts, ends])], axis=1)
        done = both[1] <= makespan_ns
        self.settled_ns += int((both[1] - both[0])[done].sum())
        self._open = both[:, ~done]

    def until(self, makespan_ns: int) -> int:
        starts, ends = self._open
        within = starts < makespan_ns
        return self.settled_ns + int((np.minimum(ends, makespan_ns) - starts)[within].sum())


class RunMeter:
    """A sink of `engine.replay` that measures: `append` the rows as they come, then `measured`.

    `own` says by task_id which tasks count: those that are not of kind kernel.
    """

    def __init__(self, own: Any, exact: int = EXACT) -> None:
        self._tasks = np.zeros(len(own), TASK)
        for field in ("state", "cpu", "woken"):
            self._tasks[field] = _NONE
        self._tasks["own"] = own
        self._sums = np.zeros(1, SUMS)
        self._wakeups = np.zeros((2, 0), np.int64)
        self._intervals: list[pa.Table] = []
        self._latencies, self._delays, self._preemptions = (Distribution(exact) for _ in range(3))
        self._busy = _Pending()
        self._by_kind = np.zeros((2, len(OVERHEADS.names)), np.int64)  # off and on the task
        self._overheads = np.zeros(2, np.int64)  # rows, and rows that count
        self._kinds = np.zeros(len(OVERHEADS.names), np.int64)
        self._operations = np.zeros(len(SEGMENTS.names), np.int64)
        self._peaks = np.full(2, _NONE, np.int64)
        self._walk: Any = cached_njit(_walk)

    def append(self, name: str, table: pa.Table) -> None:
        """Take rows of one table. Of what is flushed together, intervals come before wakeups."""
        take = getattr(self, f"_take_{name}", None)
        if take is not None and table.num_rows:
            take(table)

    def _take_intervals(self, table: pa.Table) -> None:
        self._settle()
        self._intervals = [table]

    def _take_wakeups(self, table: pa.Table) -> None:
        came = np.stack([_integers(table, "at_ns"), _integers(table, "wakee_id")])
        self._wakeups = np.concatenate([self._wakeups, came], axis=1)
        self._settle()

    def _settle(self) -> None:
        """Walk over the intervals at hand, and the wakeups that came with them."""
        columns = ("task_id", "start_ns", "end_ns", "state", "reason", "cpu")
        tables, self._intervals = self._intervals, []
        found = [np.stack([_integers(table, name) for name in columns]) for table in tables]
        rows = found[0] if found else np.zeros((len(columns), 0), np.int64)
        space = rows.shape[1]
        kept = [np.empty(space, np.int64) for _ in range(3)]
        counts = np.zeros(3, np.int64)
        place = self._walk(self._tasks, self._sums, rows, self._wakeups, *kept, counts)
        self._wakeups = np.ascontiguousarray(self._wakeups[:, place:])
        for kind, values, count in zip(
            (self._latencies, self._delays, self._preemptions), kept, counts.tolist(), strict=True
        ):
            kind.add(values[:count])
        running = rows[3] == _RUNNING
        self._busy.add(rows[1][running], rows[2][running], self._makespan_ns)

    @property
    def _makespan_ns(self) -> int:
        return int(self._sums["last_run_ns"][0])

    def _take_overheads(self, table: pa.Table) -> None:
        task, kind, at, duration = (_integers(table, name) for name in ("task_id", "kind", "at_ns", "duration_ns"))
        off = np.isin(kind, [OVERHEADS[name] for name in OFF_TASK_OVERHEADS])
        counts = (task < 0) | (self._tasks["own"][np.maximum(task, 0)] == 1)
        for on in (0, 1):
            chosen = counts & (((task >= 0) & ~off) == bool(on))
            self._by_kind[on] += np.bincount(kind[chosen], duration[chosen], self._by_kind.shape[1]).astype(np.int64)
        self._kinds += np.bincount(kind[counts], minlength=len(self._kinds))
        self._overheads += (len(task), int(counts.sum()))
        idle = (task < 0) | off
        self._busy.add(at[idle], at[idle] + duration[idle], self._makespan_ns)

    def _take_operations(self, table: pa.Table) -> None:
        kind = _integers(table, "kind")[self._tasks["own"][_integers(table, "task_id")] == 1]
        self._operations += np.bincount(kind, minlength=len(self._operations))

    def _take_memory(self, table: pa.Table) -> None:
        highest = [int(_integers(table, f"{name}_bytes").max()) for name in ("resident", "virtual")]
        self._peaks = np.maximum(self._peaks, highest)

    def measured(self, tasks: pa.Table, meta: dict[str, Any]) -> pl.DataFrame:
        """All metrics of the run, as `measure` gives them: metric, label, value, unit. `tasks` and `meta` are the run's."""
        self._settle()
        found = {(metric, label): value for metric, label, value in self._rows(tasks, meta)}
        rows = [
            (metric.name, label, found[metric.name, label], metric.unit)
            for metric in METRICS.values()
            for label in metric.labels
            if (metric.name, label) in found
        ]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    def _rows(self, tasks: pa.Table, meta: dict[str, Any]) -> Iterator[Row]:
        ends = _integers(tasks, "end_ns")[self._tasks["own"] == 1]
        sums = {name: int(self._sums[name][0]) for name in SUMS.names or ()}
        if sums["runs"] or ends.max(initial=_NONE) >= 0:
            yield from self._over_time(sums, ends, meta)
            yield from self._switches(sums, _integers(tasks, "end_ns"))
        for name, count in (meta.get("counters") or {}).items():
            if name in METRICS and name != "migrations" and count is not None:
                yield name, "", count
        yield from self._latency_rows()
        for metric, peak in zip(("peak_resident", "peak_virtual"), self._peaks.tolist(), strict=True):
            if peak >= 0:
                yield metric, "", peak

    def _over_time(self, sums: dict[str, int], ends: Any, meta: dict[str, Any]) -> Iterator[Row]:
        makespan_ns = max(self._makespan_ns, int(ends.max(initial=0)))
        yield "makespan", "", makespan_ns
        yield from self._times(sums["running_ns"])
        if meta.get("cpus") and makespan_ns:
            yield "utilization", "", self._busy.until(makespan_ns) / (meta["cpus"] * makespan_ns)
        operations = {f"{name}s_per_s": int(self._operations[SEGMENTS[kind]])
                      for name, kind in (("message", "recv"), ("request", "request"))}  # fmt: skip
        for metric, count in {"tasks_per_s": int((ends >= 0).sum()), **operations}.items():
            if count and makespan_ns:
                yield metric, "", count * NS_PER_S / makespan_ns

    def _times(self, running_ns: int) -> Iterator[Row]:
        off_ns, on_ns = (int(kinds.sum()) for kinds in self._by_kind)
        cpu_ns = running_ns + off_ns
        yield "running_time", "", running_ns
        yield "cpu_time", "", cpu_ns
        if not self._overheads[1]:
            return
        yield "compute_time", "", running_ns - on_ns
        by_kind = {OVERHEADS.names[i]: int(self._by_kind[:, i].sum()) for i in np.flatnonzero(self._kinds)}
        for label, duration_ns in {**by_kind, TOTAL: on_ns + off_ns}.items():
            yield "overhead_time", label, duration_ns
            if cpu_ns:
                yield "overhead_share", label, duration_ns / cpu_ns

    def _switches(self, sums: dict[str, int], ends: Any) -> Iterator[Row]:
        if not sums["runs"]:
            return
        tasks = self._tasks
        ended = (tasks["own"] == 1) & (tasks["state"] == _RUNNING) & (tasks["end"] == ends)
        yield "task_switches_voluntary", "", sums["voluntary"] + int(ended.sum())
        yield "task_switches_involuntary", "", sums["involuntary"]
        yield "migrations", "", sums["migrations"]

    def _latency_rows(self) -> Iterator[Row]:
        tasks = self._tasks
        left = (tasks["own"] == 1) & (tasks["state"] == _RUNNABLE)
        self._delays.add((tasks["end"] - tasks["queued"])[left])  # cut off by the end of the run
        tasks["state"][left] = _NONE
        for metric, kind in (("wakeup_latency", self._latencies), ("preemption_latency", self._preemptions),
                             ("run_queue_delay", self._delays)):  # fmt: skip
            for label, value in kind.percentiles().items():
                yield metric, label, value
        if self._delays.count:
            yield "run_queue_delay", TOTAL, self._delays.total


def _integers(table: pa.Table, column: str) -> Any:
    """A column as int64; of words the codes; null is -1."""
    values = table.column(column).combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    if pa.types.is_dictionary(values.type):
        values = values.indices
    if values.null_count:
        values = values.fill_null(_NONE)
    return values.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
