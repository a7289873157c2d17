"""The files between tracekit and its runners: a program in, what happened out. Both are int64 in the machine's order.

Program: the number of tasks, segments and objects, and 1 if the end of the first task is the program's; then per task (first segment, end segment, start_ns or -1, how
many segments join it, 1 if that is one and its creator's); per segment (kind, duration_ns, object or -1, target or
-1, bytes, count); per object (kind, capacity, bytes of its largest message). A lock or unlock of a rwmutex has
count 1, of a mutex 0.

Result: CLOCK_MONOTONIC of time 0, CPU time in ns, voluntary and involuntary context switches, whether it was
logged, spins per millisecond; then per task (started, ended); and if logged per segment (entered, left), all of
CLOCK_MONOTONIC in ns, 0 where it never happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracekit.errors import ExecutionError
from tracekit.program.arrays import codes, flags, ints
from tracekit.tables.bundle import Program
from tracekit.vocabulary import OBJECT_KINDS, SEGMENTS

Numbers = npt.NDArray[np.int64]
_HEAD = 6


@dataclass(frozen=True)
class Result:
    """What a runner measured. Times of tasks and segments count from time 0; -1 where it never happened."""

    zero_ns: int
    cpu_ns: int
    voluntary: int
    involuntary: int
    started_ns: Numbers
    ended_ns: Numbers
    entered_ns: Numbers  # by segment; empty when not logged
    left_ns: Numbers

    @property
    def makespan_ns(self) -> int:
        """From time 0 to the end of the last task."""
        return int(self.ended_ns.max(initial=0))


def write_program(program: Program, path: Path) -> None:
    """The program in the runners' form.

    Raises ExecutionError for a step that the runners have no way to take. Tasks that are not converted do not run: the machine has its own. Signals that they give are there from the start.
    """
    table = program.tables["segments"]
    kind = codes(table, "kind", SEGMENTS)
    _refuse(kind)
    owner, target = ints(table, "task_id"), ints(table, "target_id")
    count = program.tables["tasks"].num_rows
    objects = _objects(program)
    segments = np.stack(
        [
            kind,
            np.maximum(ints(table, "duration_ns"), 0),
            ints(table, "object_id"),
            target,
            np.maximum(ints(table, "bytes"), 0),
            _counts(table, kind, objects),
        ],
        axis=1,
    )
    bounds = np.searchsorted(owner, np.arange(count + 1))
    tasks = np.stack([bounds[:-1], bounds[1:], _starts(program), *_joins(kind, owner, target, count)], axis=1)
    head = np.array([count, len(segments), len(objects), int(bool(program.meta.get("main_returns")))], np.int64)
    path.write_bytes(b"".join(part.astype(np.int64).tobytes() for part in (head, tasks, segments, objects)))


def _refuse(kind: Numbers) -> None:
    """What the runners have no way to do: their pipes have no end that all writers agree on, as Go's close has."""
    if (kind == SEGMENTS["close"]).any():
        raise ExecutionError(
            "the runners can't close a channel: a pipe ends when its last writer has ended",
            remedy="replay the program, or end it by as many receives as there are sends",
        )


def _starts(program: Program) -> Numbers:
    tasks = program.tables["tasks"]
    return np.where(flags(tasks, "converted"), ints(tasks, "start_ns"), -1)


def _counts(table: pa.Table, kind: Numbers, objects: Numbers) -> Numbers:
    count, item = ints(table, "count"), ints(table, "object_id")
    locks = np.isin(kind, [SEGMENTS["lock"], SEGMENTS["unlock"]])
    rw = np.zeros(len(kind), np.int64)
    rw[locks] = objects[item[locks], 0] == OBJECT_KINDS["rwmutex"]
    return np.where(locks, rw, count)


def _joins(kind: Numbers, owner: Numbers, target: Numbers, tasks: int) -> tuple[Numbers, Numbers]:
    """How many segments join each task, and whether that is one, of its creator."""
    joins, spawns = kind == SEGMENTS["join"], kind == SEGMENTS["spawn"]
    joined = np.bincount(target[joins], minlength=tasks)
    creator, joiner = np.full(tasks, -1, np.int64), np.full(tasks, -2, np.int64)
    creator[target[spawns]] = owner[spawns]
    joiner[target[joins]] = owner[joins]
    return joined, ((joined == 1) & (creator == joiner)).astype(np.int64)


def _objects(program: Program) -> Numbers:
    table, segments = program.tables["objects"], program.tables["segments"]
    largest = np.zeros(table.num_rows, np.int64)
    item, size = ints(segments, "object_id"), ints(segments, "bytes")
    used = item >= 0
    np.maximum.at(largest, item[used], size[used])
    kind, capacity = codes(table, "kind", OBJECT_KINDS), np.maximum(ints(table, "capacity"), 0)
    foreign = ~flags(program.tables["tasks"], "converted")[ints(segments, "task_id")]
    given = foreign & (codes(segments, "kind", SEGMENTS) == SEGMENTS["signal"])
    np.add.at(capacity, item[given], 1)
    return np.stack([kind, capacity, largest], axis=1)


def read_result(path: Path, program: Program, form: str) -> Result:
    """What a runner wrote. Raises ExecutionError when it is not whole. Who had not ended when main returned never did."""
    words = np.fromfile(path, np.int64)
    tasks, segments = program.tables["tasks"].num_rows, program.tables["segments"].num_rows
    logged = len(words) >= _HEAD and words[4] == 1
    if len(words) != _HEAD + 2 * tasks + (2 * segments if logged else 0):
        raise ExecutionError("the runner's result is not whole", remedy="execute again")
    zero = int(words[0])
    lives = words[_HEAD : _HEAD + 2 * tasks].reshape(-1, 2)
    if program.meta.get("main_returns") and form != "process":
        lives[lives[:, 1] > lives[0, 1], 1] = 0
    stamps = words[_HEAD + 2 * tasks :].reshape(-1, 2)
    return Result(
        zero, int(words[1]), int(words[2]), int(words[3]),
        *(np.where(column > 0, column - zero, -1) for column in (*lives.T, *stamps.T)),
    )  # fmt: skip
