"""A trace becomes a program, by the rules of `extract`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from tracekit import __version__
from tracekit.machine.profile import FormCosts
from tracekit.program.arrays import NULL, Flags, Ints, codes, ints
from tracekit.program.extract.assemble import weave
from tracekit.program.extract.operations import Lives, Operations, Spawns, fresh, operations
from tracekit.program.extract.outside import inside
from tracekit.program.extract.overheads import Besides, recorded_compute, take_out
from tracekit.program.extract.pieces import Pieces
from tracekit.program.extract.selection import select
from tracekit.program.extract.timeline import BLOCKED, NEW, UNKNOWN, Timeline
from tracekit.program.extract.waits import Waits, Wakeups, find_waits, untold_interrupts
from tracekit.program.objects import object_groups
from tracekit.tables.build import table
from tracekit.tables.bundle import Program, Run, Trace
from tracekit.vocabulary import OBJECT_KINDS, REASONS, SEGMENTS, TASK_KINDS

_GOROUTINE = TASK_KINDS["goroutine"]
_SPAWN, _COROUTINE = REASONS["spawn"], REASONS["coroutine"]
_WAIT, _SIGNAL = SEGMENTS["wait"], SEGMENTS["signal"]


def from_recording(
    bundle: Trace | Run, costs: FormCosts | None, process: Sequence[int | str] | None, open_arrivals: bool
) -> Program:
    """The program of a trace, or of a run that has no operations."""
    whole = _timeline(bundle)
    converted, chosen = select(bundle, process, np.diff(whole.before[whole.first_run]))
    part, converted = inside(bundle, converted, recorder=costs is not None)
    line = whole if part is bundle else _timeline(part)
    removed = {"others": int(whole.before[-1] - line.before[-1])}
    bundle, tasks = part, part.tables["tasks"]
    wakeups = Wakeups(bundle.tables["wakeups"], line)
    waits = find_waits(line, wakeups, codes(tasks, "kind", TASK_KINDS) == TASK_KINDS["kernel"])
    spawns = _spawns(line, tasks)
    lives = Lives(ints(tasks, "parent_id"), ints(tasks, "end_ns") != NULL)
    ops = operations(line, wakeups, waits, spawns, lives, open_arrivals=open_arrivals,
                     slack_ns=costs.timer_slack_ns if costs else 0)  # fmt: skip
    pieces = Pieces(ops.task, tasks.num_rows)
    compute = recorded_compute(line, ops, pieces)
    if costs is not None:
        ended = ints(tasks, "end_ns") != NULL
        besides = Besides(
            wakeups.interrupts(line), wakeups.sent(line), waits.kernel_locks, wakeups.by.take(waits.lock_wakes),
            fresh(spawns, ints(tasks, "end_ns"), line.goroutines), untold_interrupts(line, waits),
        )  # fmt: skip
        compute, taken = take_out(line, ops, pieces, compute, ended, besides, _recorded(bundle, costs))
        removed |= taken
    events = _event_ids(ops, len(wakeups.at))
    objects = _events(int(events.max(initial=NULL)) + 1)
    columns = {"kind": ops.kind, "duration_ns": ops.duration, "object_id": events, "target_id": ops.target}
    tables = {
        "tasks": _task_table(line, waits, spawns, tasks, converted),
        "segments": weave(pieces, ops.task, columns, compute),
        "objects": objects,
    }
    policies = _policies(bundle, line, waits, ops, converted, chosen)
    return Program(tables, _meta(bundle, _coverage(waits, converted), removed, policies, objects))


def _timeline(bundle: Trace | Run) -> Timeline:
    goroutines = codes(bundle.tables["tasks"], "kind", TASK_KINDS) == _GOROUTINE
    return Timeline(bundle.tables["intervals"], goroutines, "join" in bundle.meta)


def _recorded(bundle: Trace | Run, costs: FormCosts) -> FormCosts:
    """Costs with the recorder's events as they came: some recorders tell of each switch and wakeup more than once, and
    of switches not where in the kernel they were."""
    if not bundle.meta.get("callchains"):
        below = replace(costs.below, recorder_callchain_ns=0) if costs.below else None
        costs = replace(costs, recorder_callchain_ns=0, below=below)
    events, repeats = bundle.meta.get("events") or 0, bundle.meta.get("repeats") or 0
    if not 0 < repeats < events:
        return costs
    return replace(costs, recorder_event_ns=costs.recorder_event_ns * events // (events - repeats))


def _spawns(line: Timeline, tasks: pa.Table) -> Spawns:
    """Tasks whose first row is their creation, by a parent that had run by then."""
    rows = np.flatnonzero(line.first)
    child, at = line.task[rows], line.start[rows]
    created = (line.state[rows] == NEW) | (line.reason[rows] == _SPAWN)
    created |= (line.state[rows] == BLOCKED) & (line.reason[rows] == _COROUTINE)
    parent = ints(tasks, "parent_id")[child]
    run = line.first_run[parent]
    begun = np.append(line.run_start, np.iinfo(np.int64).max)[run]
    ran = (run < line.first_run[parent + 1]) & ((begun < at) | ((begun == at) & (parent < child)))
    keep = created & (parent != NULL) & ran
    return Spawns(child[keep], parent[keep], at[keep])


def _event_ids(ops: Operations, wakeups: int) -> Ints:
    """A fresh event for each wait and its signal, numbered in the order of the wakeups."""
    used = np.zeros(wakeups + 1, np.bool_)
    used[ops.wake] = True
    used[NULL] = False
    return np.where(ops.wake == NULL, NULL, (np.cumsum(used) - 1)[ops.wake])


def _events(count: int) -> pa.Table:
    kinds = np.full(count, OBJECT_KINDS["event"], np.int8)
    return table("objects", {"object_id": np.arange(count, dtype=np.int32), "kind": kinds})


def _task_table(line: Timeline, waits: Waits, spawns: Spawns, tasks: pa.Table, converted: Flags) -> pa.Table:
    starts = ints(tasks, "start_ns").clip(min=0)
    rows = np.flatnonzero(line.first)
    starts[line.task[rows]] = np.where(line.state[rows] == NEW, line.end[rows], line.start[rows])
    # Who is first seen when a task wakes it was there before, and waited.
    first_seen = np.full(tasks.num_rows, NULL)
    first_seen[line.task[rows]] = line.start[rows]
    starts[waits.task[waits.zero & (waits.start == first_seen[waits.task])]] = 0
    starts[spawns.child] = NULL
    has_rows = np.zeros(tasks.num_rows, np.bool_)
    has_rows[line.task] = True
    columns = {name: tasks[name] for name in ("task_id", "name", "kind", "process_id", "parent_id", "source_id")}
    return table("program_tasks", {**columns, "start_ns": starts, "converted": converted & has_rows})


def _coverage(waits: Waits, converted: Flags) -> float:
    """The share of blocked time of converted tasks that is explained; 1 when they were never blocked.

    Blocked time is that of BLOCKED intervals that ended within the recording, without Go's short system calls.
    Explained is what ended by a recorded wakeup, be it by a task or by an interrupt, or without one by a timer or
    device that the interval's reason names. The rest is replayed as recorded, by duration, without a cause.
    """
    counted = waits.known & converted[waits.task]
    lasted = (waits.end - waits.start) * counted
    total = int(lasted.sum())
    return float(lasted[waits.explained].sum() / total) if total else 1.0


def _policies(
    bundle: Trace | Run, line: Timeline, waits: Waits, ops: Operations, converted: Flags, chosen: str
) -> list[dict[str, Any]]:
    by_task = waits.waker != NULL
    interrupt = ~by_task & (waits.wake != NULL)
    unexplained = ~by_task & (waits.reason == NULL)
    counts = [
        ("tasks that are converted", chosen, int(converted.sum())),
        ("a wait that a task ended", "wait, and signal where that task was", int((ops.kind == _WAIT).sum())),
        ("a wait that a child's end ended", "join", int((ops.kind == SEGMENTS["join"]).sum())),
        ("a wait that a timer or an interrupt ended", "lasts as recorded", int(interrupt.sum())),
        ("a wait that nothing recorded ended", "lasts as recorded", int((~by_task & ~interrupt).sum())),
        ("such a wait without a recorded reason", "network: ended from outside", int(unexplained.sum())),
        ("a wait that was over at once, or began before the recording", "wait", int(waits.zero.sum())),
        ("time in a state that is not known", "a wait", int((line.state == UNKNOWN).sum())),
        ("a wait that the recording ends in", "dropped", waits.unended),
        ("a wait for a lock inside the kernel", "dropped: the form's own", len(waits.kernel_locks.task)),
        ("a Go system call shorter than 20 µs that kept its P", "compute", int(line.short_syscall.sum())),
        ("intervals with an inferred bound", "taken as recorded", _inferred(bundle)),
    ]
    made = [{"policy": policy, "choice": choice, "count": count} for policy, choice, count in counts if count]
    return [*bundle.meta.get("policies", []), *made]


def _inferred(bundle: Trace | Run) -> int:
    return int(bundle.frame("intervals")["inferred"].sum())


def _meta(
    bundle: Trace | Run, coverage: float, removed: dict[str, int], policies: list[dict[str, Any]], objects: pa.Table
) -> dict[str, Any]:
    source = bundle.meta.get("source") or {}
    name = str(source.get("path", "")).replace("\\", "/").rsplit("/", 1)[-1]
    return {
        "origin": "trace", "name": name or None, "form": bundle.meta.get("form"), "source": source, "seed": None,
        "cpus": bundle.meta.get("cpus"), "coverage": coverage, "removed_ns": removed, "main_returns": False, "policies": policies,
        "objects": object_groups(objects), "tool_version": __version__,
    }  # fmt: skip
