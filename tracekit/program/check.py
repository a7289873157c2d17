"""What makes a program impossible to run, found before it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tracekit.errors import TableError
from tracekit.program.arrays import NULL, Ints, codes, ints, starts_of
from tracekit.tables.bundle import Program
from tracekit.tables.checks import ensure
from tracekit.vocabulary import SEGMENTS

_LOCK_STEPS = {"lock": (1, 0), "unlock": (-1, 0), "read_lock": (1, 1), "read_unlock": (-1, 1)}  # (taken, as reader)


@dataclass(frozen=True)
class Problem:
    """One thing wrong: in a row of segments, or with a task as a whole."""

    what: str
    task: int
    row: int | None = None


def check(program: Program) -> None:
    """Raise TableError for a program that no model can run.

    Beyond the laws of `tables.checks` (ids resolve, ordinals are dense, objects fit, started exactly once):
    a cycle of spawns, locks not taken and released in turn, a wait group below zero, a channel closed twice or sent into
    by the task that closed it.
    """
    ensure(program)
    problem = find_problem(program)
    if problem is not None:
        ordinal = "" if problem.row is None else f", segment {program.tables['segments']['ordinal'][problem.row]}"
        raise TableError(problem.what, where=f"task {problem.task}{ordinal}")


def find_problem(program: Program) -> Problem | None:
    """The first thing that makes it impossible to run, or None. Ids must resolve."""
    segments = program.tables["segments"]
    kinds = codes(segments, "kind", SEGMENTS)
    return (
        _starting(program, segments, kinds)
        or _locks(program, segments, kinds)
        or _below_zero(program, segments, kinds)
        or _closed_before(program, segments, kinds)
    )  # fmt: skip


def name_of(program: Program, table: str, row: int) -> str:
    """What a task or object is called."""
    name = program.tables[table]["name"][row].as_py()
    return str(name) if name else f"{table[:-1]} {row}"


def _starting(program: Program, segments: pa.Table, kinds: Ints) -> Problem | None:
    tasks = program.tables["tasks"]
    rows = np.flatnonzero(kinds == SEGMENTS["spawn"])
    targets, spawners = ints(segments, "target_id")[rows], ints(segments, "task_id")[rows]
    starts = ints(tasks, "start_ns")
    order = np.argsort(targets, kind="stable")
    again = order[1:][targets[order][1:] == targets[order][:-1]]
    for extra, reason in ((again, "a second time"), (np.flatnonzero(starts[targets] != NULL), "but has a start")):
        if len(extra):
            at = extra.min()
            return Problem(f"{name_of(program, 'tasks', targets[at])} is spawned {reason}", spawners[at], rows[at])
    parents = np.arange(tasks.num_rows)
    parents[targets] = spawners
    orphans = np.flatnonzero((starts == NULL) & ~np.isin(parents, targets) & (parents == np.arange(len(parents))))
    joined = _bad_join(program, segments, kinds, orphans)
    if joined is not None:
        return joined
    if len(orphans):
        return Problem(f"{name_of(program, 'tasks', orphans[0])} never starts: it has no start, and nothing spawns it",
                       int(orphans[0]))  # fmt: skip
    return _cycles(program, parents, starts)


def _bad_join(program: Program, segments: pa.Table, kinds: Ints, orphans: Ints) -> Problem | None:
    """A join that waits for ever: of a task that nothing starts, or of itself."""
    rows = np.flatnonzero(kinds == SEGMENTS["join"])
    targets, joiners = ints(segments, "target_id")[rows], ints(segments, "task_id")[rows]
    for wrong, what in ((np.isin(targets, orphans), "which nothing spawns"), (targets == joiners, "by itself")):
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            return Problem(f"join of {name_of(program, 'tasks', targets[at])}, {what}", int(joiners[at]), int(rows[at]))
    return None


def _cycles(program: Program, parents: Ints, starts: Ints) -> Problem | None:
    ancestors = parents
    for _ in range(max(len(parents), 1).bit_length()):  # each round doubles how far back it looks
        ancestors = ancestors[ancestors]
    lost = np.flatnonzero(starts[ancestors] == NULL)
    if not len(lost):
        return None
    task = int(lost[0])
    return Problem(f"{name_of(program, 'tasks', task)} never starts: it is spawned by a task that it spawns", task)


def _locks(program: Program, segments: pa.Table, kinds: Ints) -> Problem | None:
    step = np.zeros(len(SEGMENTS), np.int64)
    reader = np.zeros(len(SEGMENTS), np.int64)
    for kind, (change, as_reader) in _LOCK_STEPS.items():
        step[SEGMENTS[kind]], reader[SEGMENTS[kind]] = change, as_reader
    rows = np.flatnonzero(step[kinds])
    tasks, objects = ints(segments, "task_id")[rows], ints(segments, "object_id")[rows]
    key = (tasks * program.tables["objects"].num_rows + objects) * 2 + reader[kinds[rows]]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    first = starts_of(key)
    place = np.arange(len(key)) - np.maximum.accumulate(np.where(first, np.arange(len(key)), 0))
    wrong = rows[step[kinds[rows]] != np.where(place % 2, -1, 1)]
    if not len(wrong):
        return None
    row = int(wrong.min())
    name = name_of(program, "objects", segments["object_id"][row].as_py())
    kind = SEGMENTS.names[kinds[row]]
    what = "without having taken it" if step[kinds[row]] < 0 else "which it already holds: it would wait for itself"
    return Problem(f"{kind} of {name} {what}", segments["task_id"][row].as_py(), row)


def _below_zero(program: Program, segments: pa.Table, kinds: Ints) -> Problem | None:
    objects, size = ints(segments, "object_id"), program.tables["objects"].num_rows
    adds, dones = (np.flatnonzero(kinds == SEGMENTS[kind]) for kind in ("wait_group_add", "wait_group_done"))
    added = np.bincount(objects[adds], ints(segments, "count")[adds], minlength=size)
    done = np.bincount(objects[dones], minlength=size)
    wrong = np.flatnonzero(done > added)
    if not len(wrong):
        return None
    row = int(dones[objects[dones] == wrong[0]][0])
    what = (
        f"{name_of(program, 'objects', wrong[0])} goes below zero: {done[wrong[0]]} done, {added[wrong[0]]:.0f} added"
    )
    return Problem(what, segments["task_id"][row].as_py(), row)


def _closed_before(program: Program, segments: pa.Table, kinds: Ints) -> Problem | None:
    """A channel that is closed twice, or sent into by the task that closed it: a sure fault."""
    tasks, objects = ints(segments, "task_id"), ints(segments, "object_id")
    closed_by: dict[int, int] = {}
    for row in np.flatnonzero(kinds == SEGMENTS["close"]).tolist():
        task, item = int(tasks[row]), int(objects[row])
        name = name_of(program, "objects", item)
        if item in closed_by:
            return Problem(f"close of {name}, which {name_of(program, 'tasks', closed_by[item])} closes too", task, row)
        closed_by[item] = task
        sends = np.flatnonzero((kinds == SEGMENTS["send"]) & (objects == item) & (tasks == task))
        if len(sends) and sends[-1] > row:
            return Problem(f"send into {name}, which it has closed", task, int(sends[-1]))
    return None
