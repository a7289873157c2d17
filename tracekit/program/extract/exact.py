"""The program of a run, from the operations it recorded: exact, because the engine says what it charged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tracekit import __version__
from tracekit.program.arrays import NULL, Ints, codes, ints
from tracekit.program.extract.assemble import weave
from tracekit.program.extract.grouped import by_group, count_until
from tracekit.program.extract.pieces import Pieces
from tracekit.program.extract.timeline import Timeline
from tracekit.program.objects import object_groups, objects_of
from tracekit.tables.build import table
from tracekit.tables.bundle import Program, Run
from tracekit.tables.checks import USES_OBJECT
from tracekit.vocabulary import OBJECT_KINDS, OFF_TASK_OVERHEADS, OVERHEADS, SEGMENTS, TASK_KINDS


def from_operations(run: Run) -> Program:
    """The program that `run` replayed, up to `normal_form`.

    An operation's row says when it took effect or began to wait. The compute before it is the on-CPU time since
    the operation before, without the overheads charged to the task since then. Objects come from the program's
    meta that the run carries; without it, only those are known that were used, and no capacities.
    """
    tasks = run.tables["tasks"]
    done = _in_order(run.tables["operations"])
    line = Timeline(run.tables["intervals"], np.zeros(tasks.num_rows, np.bool_))
    task, at = ints(done, "task_id"), ints(done, "at_ns")
    pieces = Pieces(task, tasks.num_rows)
    charged = _Charged(run.tables["overheads"], line)
    on_cpu = pieces.between(line.moments(task, at).offset, line.before[line.first_run])
    overhead = pieces.between(charged.until(task, at), charged.at_starts)
    columns = {name: ints(done, name) for name in ("duration_ns", "object_id", "target_id", "bytes", "count")}
    columns["kind"] = codes(done, "kind", SEGMENTS)
    objects = _objects(run, columns)
    tables = {
        "tasks": _task_table(tasks, columns),
        "segments": weave(pieces, task, columns, (on_cpu - overhead).clip(min=0)),
        "objects": objects,
    }
    return Program(tables, {**run.meta.get("program", {}), "objects": object_groups(objects),
                            "tool_version": __version__})  # fmt: skip


def _in_order(operations: pa.Table) -> pa.Table:
    order = np.lexsort((ints(operations, "ordinal"), ints(operations, "task_id")))
    return operations.take(pa.array(order))


class _Charged:
    """On-CPU overheads of each task, summed in order of time.

    One that names no task, the runtime's own work, passes before the runtime picks a task; if a task runs on its
    CPU by then, it passes in that task's interval.
    """

    def __init__(self, overheads: pa.Table, line: Timeline) -> None:
        task, at = ints(overheads, "task_id"), ints(overheads, "at_ns")
        cpu = ints(overheads, "cpu")
        task = np.where(task == NULL, line.running_on(cpu, at), task)
        off_task = np.isin(codes(overheads, "kind", OVERHEADS), [OVERHEADS[kind] for kind in OFF_TASK_OVERHEADS])
        last_run = np.append(line.run_end, 0)[line.first_run[task + 1] - 1]
        rows = np.flatnonzero((task != NULL) & ~off_task & (at < last_run))
        rows = rows[np.argsort(at[rows], kind="stable")]
        by_task, self._bounds = by_group(task[rows], len(line.first_run) - 1)
        rows = rows[by_task]
        self._at = at[rows]
        self._sums = np.concatenate(([0], np.cumsum(ints(overheads, "duration_ns")[rows])))
        self.at_starts = self._sums[self._bounds]

    def until(self, task: Ints, time: Ints) -> Ints:
        """What was charged before `time`, counted through all earlier tasks."""
        result: Ints = self._sums[count_until(self._bounds, self._at, task, time - 1)]
        return result


def _task_table(tasks: pa.Table, columns: dict[str, Ints]) -> pa.Table:
    spawns = columns["target_id"][columns["kind"] == SEGMENTS["spawn"]]
    starts = ints(tasks, "start_ns").clip(min=0)
    starts[spawns] = NULL
    kept = {name: tasks[name] for name in ("task_id", "name", "parent_id", "source_id")}
    converted = codes(tasks, "kind", TASK_KINDS) != TASK_KINDS["kernel"]
    return table("program_tasks", {**kept, "start_ns": starts, "converted": converted})


def _objects(run: Run, columns: dict[str, Ints]) -> pa.Table:
    groups = run.meta.get("program", {}).get("objects")
    if groups is not None:
        return objects_of(groups)
    used = columns["object_id"]
    kinds = np.full(int(used.max(initial=NULL)) + 1, OBJECT_KINDS["event"], np.int8)
    fitting = np.full(len(SEGMENTS), OBJECT_KINDS["event"], np.int8)
    # Kinds of segment that fit several kinds of object come first, so that the more telling ones overwrite them.
    for kind, objects in sorted(USES_OBJECT.items(), key=lambda item: -len(item[1])):
        fitting[SEGMENTS[kind]] = OBJECT_KINDS[objects[0]]
    several = np.array([len(USES_OBJECT.get(kind, ())) for kind in SEGMENTS])[columns["kind"]]
    for count in (2, 1):
        rows = several == count
        kinds[used[rows]] = fitting[columns["kind"][rows]]
    return table("objects", {"object_id": np.arange(len(kinds), dtype=np.int32), "kind": kinds})
