"""The contracts: every table's columns, once, with dtype, unit and meaning.

Times are int64 nanoseconds since the trace began, ids are int32, unknown is null. A `words` column is an
Arrow dictionary of strings over one vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tracekit import vocabulary as words

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 2  # 2: ranges, counters, stacks, and stack_id in intervals and wakeups


@dataclass(frozen=True)
class Column:
    """One column. `dtype` is an Arrow type name, or `words` for a dictionary over `vocabulary`.

    `since` is the schema version that brought it: in an older bundle it is null throughout.
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    nullable: bool = False
    vocabulary: words.Words | None = None
    since: int = 1


def _time(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "int64", "ns", meaning, nullable)


def _id(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "int32", "id", meaning, nullable)


def _word(name: str, vocabulary: words.Words, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "words", "word", meaning, nullable, vocabulary)


_STACK = Column("stack_id", "int32", "id", "where in the program, where recorded; row of stacks", True, None, 2)

_TASK_COLUMNS = (
    _id("task_id", "row number in this table; every other table refers to it"),
    Column("name", "string", "text", "what the recorder or the workload calls it"),
    _word("kind", words.TASK_KINDS, "process, thread, goroutine or kernel; null in a synthetic program", nullable=True),
    _id("process_id", "task_id of the process whose address space it is in", nullable=True),
    _id("parent_id", "the task that created it", nullable=True),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "tasks": (
        *_TASK_COLUMNS,
        Column("source_id", "int64", "id", "thread id or goroutine id in the recording", True),
        _time("start_ns", "created, or first seen", nullable=True),
        _time("end_ns", "ended; null when it outlived the recording", nullable=True),
        _word("exit_reason", words.EXIT_REASONS, "how it ended", nullable=True),
    ),
    "intervals": (
        _id("task_id", "whose state"),
        _id("cpu", "where it runs or is queued; null when neither or not recorded", nullable=True),
        _id("thread_id", "kernel thread that carries it (the M, for goroutines)", nullable=True),
        _word("state", words.STATES, "the task's state throughout"),
        _time("start_ns", "first nanosecond in the state"),
        _time("end_ns", "first nanosecond after it"),
        _word("reason", words.REASONS, "why it is in this state", nullable=True),
        Column("inferred", "bool", "flag", "a bound was inferred, not recorded; see gaps"),
        _STACK,
    ),
    "wakeups": (
        _time("at_ns", "when the wakee became runnable"),
        _id("waker_id", "who woke it; null for a timer or an interrupt", nullable=True),
        _id("wakee_id", "who was woken"),
        _id("cpu", "where the wakeup happened", nullable=True),
        _id("target_cpu", "where the wakee was queued", nullable=True),
        _word("reason", words.REASONS, "what the wakee had waited for", nullable=True),
        _STACK,
    ),
    "gaps": (
        _id("cpu", "the CPU concerned; null for the whole recording", nullable=True),
        Column("stream", "string", "text", "the part of the file concerned, where that is no CPU", True),
        _time("start_ns", "earliest time concerned"),
        _time("end_ns", "latest time concerned"),
        Column("lost_events", "int64", "count", "how many events were lost; null when unknown", True),
        _word("cause", words.GAP_CAUSES, "what happened"),
    ),
    "ranges": (
        _id("range_id", "row number in this table"),
        _word("kind", words.RANGES, "what goes on"),
        Column("name", "string", "text", "what the program or the runtime calls it, or why it is", True),
        Column("text", "string", "text", "what a log line says", True),
        _id("task_id", "who does it; null for the runtime or the kernel as a whole", nullable=True),
        _id("cpu", "where, for what is bound to a CPU", nullable=True),
        _time("start_ns", "when it begins"),
        _time("end_ns", "when it has ended; for a log line, when it was written"),
        _id("enclosing_id", "the range that it is a part of", nullable=True),
        Column("bytes", "int64", "bytes", "memory reclaimed, for a sweep", True),
        Column("inferred", "bool", "flag", "it began before or ended after the recording"),
        _STACK,
    ),
    "counters": (
        _time("at_ns", "from this time on"),
        _word("kind", words.COUNTERS, "what is counted"),
        Column("value", "int64", "count", "how much, in the unit that the kind says"),
    ),
    "stacks": (
        _id("stack_id", "row number in this table: a place in the program, and how it was reached"),
        _id("caller_id", "row of the caller; null for the outermost function", nullable=True),
        Column("function", "string", "text", "the function", True),
        Column("file", "string", "text", "its source file", True),
        Column("line", "int32", "count", "the line within the file", True),
    ),
    "overheads": (
        _time("at_ns", "when it was charged"),
        _id("task_id", "the task it delayed; null for a runtime's own work", nullable=True),
        _id("cpu", "where the time passes"),
        _word("kind", words.OVERHEADS, "what the time goes to"),
        _time("duration_ns", "how long"),
    ),
    "memory": (
        _time("at_ns", "from this time on"),
        Column("resident_bytes", "int64", "bytes", "physical memory held"),
        Column("virtual_bytes", "int64", "bytes", "address space reserved"),
    ),
    "operations": (
        _time("at_ns", "when it took effect"),
        _id("task_id", "who did it"),
        _id("cpu", "where", nullable=True),
        _id("ordinal", "the segment's ordinal in the program"),
        _word("kind", words.SEGMENTS, "which step"),
        _time("duration_ns", "as the segment asked", nullable=True),
        _id("object_id", "on which object", nullable=True),
        _id("target_id", "on which task", nullable=True),
        Column("bytes", "int64", "bytes", "message size, stack depth", True),
        Column("count", "int32", "count", "how many", True),
    ),
    "program_tasks": (
        *_TASK_COLUMNS,
        Column("source_id", "int64", "id", "thread id or goroutine id in the recording", True),
        _time("start_ns", "starts by itself at this time; null when a spawn segment starts it", nullable=True),
        Column("converted", "bool", "flag", "takes the model's form; false: stays a kernel thread that competes"),
        Column("nice", "int32", "count", "nice value, -20 to 19; null: 0", True, since=2),
        Column("footprint_bytes", "int64", "bytes", "memory it uses again and again; null: the profile's", True, since=2),
    ),
    "segments": (
        _id("task_id", "whose step"),
        _id("ordinal", "0, 1, 2 … within the task"),
        _word("kind", words.SEGMENTS, "which step"),
        _time("duration_ns", "how long, for the kinds that take a time", nullable=True),
        _id("object_id", "the object, for the kinds that use one", nullable=True),
        _id("target_id", "the task spawned or joined", nullable=True),
        Column("bytes", "int64", "bytes", "message size, stack depth", True),
        Column("count", "int32", "count", "how many, for wait_group_add", True),
    ),
    "objects": (
        _id("object_id", "row number in this table"),
        _word("kind", words.OBJECT_KINDS, "which object"),
        Column("capacity", "int32", "count", "channel capacity, semaphore start; null otherwise", True),
        Column("name", "string", "text", "what the workload calls it", True),
    ),
}  # fmt: skip

# Tables that came with a later schema version: a bundle that has none of it, or is older, has them empty.
TABLES_SINCE: dict[str, int] = {"ranges": 2, "counters": 2, "stacks": 2}

# Which tables make a bundle of each kind, under the file name they have on disk. A run has all of a trace's.
_TRACE_TABLES = {name: name for name in ("tasks", "intervals", "wakeups", "gaps", *TABLES_SINCE)}
BUNDLES: dict[str, dict[str, str]] = {
    "trace": _TRACE_TABLES,
    "program": {"tasks": "program_tasks", "segments": "segments", "objects": "objects"},
    "run": {**_TRACE_TABLES, **{name: name for name in ("overheads", "memory", "operations")}},
}


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column; `words` become a dictionary of strings with int8 codes."""
    import pyarrow as pa

    if column.dtype == "words":
        return pa.dictionary(pa.int8(), pa.string())
    return {"int64": pa.int64(), "int32": pa.int32(), "bool": pa.bool_(), "string": pa.string()}[column.dtype]


@cache
def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of a declared table, with unit and meaning as field metadata."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(c.name, arrow_type(c), c.nullable, metadata={"unit": c.unit, "meaning": c.meaning})
            for c in TABLES[table]
        ]
    )
