"""The laws that tables keep, checked all at once on whole columns. By the name that a finding carries:

* `schema`: columns, types and words are as declared, and only nullable columns hold nulls
* `order`: rows are sorted by `ORDER`; tasks, objects, ranges and stacks are numbered by row, segments within their task
* `times`: no time is negative; an interval is not empty, and nothing else ends before it starts
* `ids`: every id refers to a row, or is null where it may be
* `one_task_per_cpu`: RUNNING intervals of a CPU do not overlap
* `one_state_per_task`: intervals of a task do not overlap
* `wakeup_first`: no wakeup finds its wakee in the middle of a RUNNING or RUNNABLE interval (inferred ones aside)
* `lifetime`: nothing is RUNNING before its task's start or after its end
* `arguments`: a segment has the columns that its kind uses and no others; it uses an object of a fitting kind
* `spawned_once`: a task starts at its own time, or by exactly one spawn
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from tracekit.errors import TableError
from tracekit.tables.bundle import Bundle
from tracekit.tables.order import ORDER
from tracekit.tables.schema import BUNDLES, TABLES, Column, arrow_type
from tracekit.vocabulary import SEGMENT_KINDS

# Which table of the same bundle an id column counts rows of. thread_id and cpu number things without a table.
_REFERS = {"task_id": "tasks", "process_id": "tasks", "parent_id": "tasks", "target_id": "tasks",
           "waker_id": "tasks", "wakee_id": "tasks", "object_id": "objects",
           "stack_id": "stacks", "caller_id": "stacks", "enclosing_id": "ranges"}  # fmt: skip

# Tables whose first id is the row's number.
_NUMBERED = (("tasks", "task_id"), ("objects", "object_id"), ("ranges", "range_id"), ("stacks", "stack_id"))

# Which object kinds a segment kind can use.
_LOCKS, _EVENTS = ("mutex", "rwmutex"), ("event", "semaphore")
USES_OBJECT = {
    "lock": _LOCKS, "unlock": _LOCKS, "read_lock": ("rwmutex",), "read_unlock": ("rwmutex",),
    "send": ("channel",), "recv": ("channel",), "close": ("channel",), "wait": _EVENTS, "signal": _EVENTS,
    "wait_group_add": ("wait_group",), "wait_group_done": ("wait_group",), "wait_group_wait": ("wait_group",),
    "read": ("variable",), "write": ("variable",), "atomic": ("variable",),
}  # fmt: skip

Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Finding:
    """One broken law in one table: how many rows break it, and the first of them."""

    table: str
    law: str
    row: int
    count: int
    detail: str

    def __str__(self) -> str:
        rows = "row" if self.count == 1 else "rows"
        return f"{self.table}: {self.law}: {self.detail} ({self.count} {rows}, first {self.row})"


def check(bundle: Bundle) -> list[Finding]:
    """Every law that the bundle breaks, in the order of the module's list; empty for a sound bundle."""
    findings = [f for name, declared in BUNDLES[bundle.kind].items() for f in _schema(name, declared, bundle)]
    if findings:
        return findings  # the other laws are about columns that are there
    frames = {name: bundle.frame(name).with_row_index("row") for name in bundle.tables}
    for law in (_order, _numbered, _times, _ids):
        findings += law(bundle.kind, frames)
    for law_of_kind in _PROGRAM_LAWS if bundle.kind == "program" else _TRACE_LAWS:
        findings += law_of_kind(frames)
    return findings


def ensure(bundle: Bundle) -> None:
    """Raise TableError naming the first broken laws, if any."""
    findings = check(bundle)
    if findings:
        more = f"; and {len(findings) - 3} more" if len(findings) > 3 else ""
        raise TableError("; ".join(map(str, findings[:3])) + more)


def _broken(table: str, law: str, bad: pl.DataFrame, detail: str) -> Iterator[Finding]:
    if bad.height:
        yield Finding(table, law, int(bad["row"][0]), bad.height, detail)


def _schema(name: str, declared: str, bundle: Bundle) -> Iterator[Finding]:
    table = bundle.tables[name]
    wanted = [column.name for column in TABLES[declared]]
    if table.column_names != wanted:
        yield Finding(name, "schema", 0, table.num_rows, f"columns are {table.column_names}, not {wanted}")
        return
    for column in TABLES[declared]:
        values, expected = table.column(column.name), arrow_type(column)
        if values.type != expected:
            yield Finding(name, "schema", 0, table.num_rows, f"{column.name} is {values.type}, not {expected}")
        elif values.null_count and not column.nullable:
            yield Finding(name, "schema", _first_null(values), values.null_count, f"{column.name} is null")
        elif not _known_words(column, values):
            yield Finding(name, "schema", 0, table.num_rows, f"{column.name} holds words not in its vocabulary")


def _first_null(values: pa.ChunkedArray) -> int:
    return int(values.is_null().index(True).as_py())


def _known_words(column: Column, values: pa.ChunkedArray) -> bool:
    if column.vocabulary is None:
        return True
    return all(word in column.vocabulary for word in values.unique().cast(pa.string()).to_pylist() if word is not None)


def _order(kind: str, frames: Frames) -> Iterator[Finding]:
    for name, frame in frames.items():
        keys = ORDER[BUNDLES[kind][name]]
        rows = frame.sort(keys, maintain_order=True, nulls_last=False)["row"]
        yield from _broken(name, "order", frame.filter(rows != frame["row"]), f"not sorted by {', '.join(keys)}")


def _numbered(kind: str, frames: Frames) -> Iterator[Finding]:
    """Ids that are row numbers are, so that joining is indexing."""
    for name, key in _NUMBERED:
        if name in frames:
            bad = frames[name].filter(pl.col(key) != pl.col("row"))
            yield from _broken(name, "order", bad, f"{key} is not the row number")
    if "stacks" in frames:
        bad = frames["stacks"].filter(pl.col("caller_id") >= pl.col("stack_id"))
        yield from _broken("stacks", "order", bad, "a caller stands after what it calls")
    if kind == "program":
        expected = pl.int_range(pl.len()).over("task_id")
        bad = frames["segments"].filter(pl.col("ordinal") != expected)
        yield from _broken("segments", "order", bad, "ordinals of a task are not 0, 1, 2 …")


def _times(kind: str, frames: Frames) -> Iterator[Finding]:
    for name, frame in frames.items():
        amounts = [c.name for c in TABLES[BUNDLES[kind][name]] if c.unit in ("ns", "bytes", "count")]
        if amounts:
            negative = frame.filter(pl.any_horizontal(pl.col(amounts) < 0))
            yield from _broken(name, "times", negative, f"one of {', '.join(amounts)} is negative")
        if "end_ns" in frame.columns:
            ended = (
                pl.col("end_ns") <= pl.col("start_ns") if name == "intervals" else pl.col("end_ns") < pl.col("start_ns")
            )
            yield from _broken(name, "times", frame.filter(ended), "ends before it starts, or is empty")


def _ids(kind: str, frames: Frames) -> Iterator[Finding]:
    for name, frame in frames.items():
        for column in TABLES[BUNDLES[kind][name]]:
            target = _REFERS.get(column.name)
            if column.name in ("cpu", "target_cpu", "thread_id"):
                yield from _broken(name, "ids", frame.filter(pl.col(column.name) < 0), f"{column.name} is negative")
            elif target in frames:
                rows = frames[target].height
                bad = frame.filter((pl.col(column.name) < 0) | (pl.col(column.name) >= rows))
                yield from _broken(name, "ids", bad, f"{column.name} is no row of {target}")


def _overlapping(frame: pl.DataFrame, of: str) -> pl.DataFrame:
    """Rows that start before an earlier row with the same `of` has ended."""
    return (
        frame.sort(of, "start_ns", "end_ns")
        .with_columns(until=pl.col("end_ns").cum_max().shift().over(of))
        .filter(pl.col("start_ns") < pl.col("until"))
    )


def _one_task_per_cpu(frames: Frames) -> Iterator[Finding]:
    running = frames["intervals"].filter((pl.col("state") == "RUNNING") & pl.col("cpu").is_not_null())
    yield from _broken("intervals", "one_task_per_cpu", _overlapping(running, "cpu"), "two tasks RUNNING on one cpu")


def _one_state_per_task(frames: Frames) -> Iterator[Finding]:
    bad = _overlapping(frames["intervals"], "task_id")
    yield from _broken("intervals", "one_state_per_task", bad, "a task in two states at once")


def _wakeup_first(frames: Frames) -> Iterator[Finding]:
    able = frames["intervals"].filter(
        pl.col("state").cast(pl.String).is_in(["RUNNING", "RUNNABLE"]) & ~pl.col("inferred")
    )
    asked = frames["wakeups"].select(task_id="wakee_id", at="at_ns", row="row")
    begun = able.select("task_id", at="start_ns", until="end_ns")
    # A wakeup at the very start of an interval may have made it: it sorts before, and sees the interval before that.
    merged = pl.concat([asked, begun], how="diagonal").sort(
        "task_id", "at", pl.col("row").is_null(), maintain_order=True
    )
    bad = merged.with_columns(pl.col("until").forward_fill().over("task_id")).filter(
        pl.col("row").is_not_null() & (pl.col("at") < pl.col("until"))
    )
    yield from _broken("wakeups", "wakeup_first", bad.sort("row"), "the wakee was already RUNNING or RUNNABLE")


def _lifetime(frames: Frames) -> Iterator[Finding]:
    lives = frames["tasks"].select("task_id", born="start_ns", died="end_ns")
    running = frames["intervals"].filter(pl.col("state") == "RUNNING").join(lives, on="task_id")
    bad = running.filter((pl.col("start_ns") < pl.col("born")) | (pl.col("end_ns") > pl.col("died")))
    yield from _broken("intervals", "lifetime", bad, "RUNNING outside its task's life")


def _arguments(frames: Frames) -> Iterator[Finding]:
    segments = frames["segments"].with_columns(pl.col("kind").cast(pl.String))
    for argument in ("duration_ns", "object_id", "target_id", "bytes", "count"):
        users = [kind for kind, spec in SEGMENT_KINDS.items() if argument in spec.uses]
        bad = segments.filter(pl.col("kind").is_in(users) != pl.col(argument).is_not_null())
        yield from _broken("segments", "arguments", bad, f"{argument} is given where not used, or missing")
    used = segments.join(frames["objects"].select("object_id", used=pl.col("kind").cast(pl.String)), on="object_id")
    for kind, fitting in USES_OBJECT.items():
        bad = used.filter((pl.col("kind") == kind) & ~pl.col("used").is_in(list(fitting)))
        yield from _broken("segments", "arguments", bad, f"{kind} needs a {' or '.join(fitting)}")


def _spawned_once(frames: Frames) -> Iterator[Finding]:
    spawns = frames["segments"].filter(pl.col("kind") == "spawn").group_by("target_id").agg(spawns=pl.len())
    tasks = frames["tasks"].join(spawns, left_on="task_id", right_on="target_id", how="left").sort("row")
    wanted = pl.when(pl.col("start_ns").is_null()).then(1).otherwise(0)
    bad = tasks.filter(pl.col("spawns").fill_null(0) != wanted)
    yield from _broken("tasks", "spawned_once", bad, "starts by itself and is spawned, or neither, or is spawned twice")


_Law = Callable[[Frames], Iterator[Finding]]
_TRACE_LAWS: tuple[_Law, ...] = (_one_task_per_cpu, _one_state_per_task, _wakeup_first, _lifetime)
_PROGRAM_LAWS: tuple[_Law, ...] = (_arguments, _spawned_once)
