"""`races` of a bundle: a run's steps in the order in which they took effect, and what the detector finds in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, RUNNING, History, Lives, codes, grouped, ints
from tracekit.analysis.places import object_names
from tracekit.analysis.races.detector import CODES, KINDS, MOST_RACES, Operations, detect
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.jit import cached_njit
from tracekit.tables.bundle import Run
from tracekit.vocabulary import REASONS, SEGMENT_KINDS, SEGMENTS

_ACCESSES = ("read", "write", "atomic")
_TRACE = (
    "A recording has no accesses to variables; races are found in runs of programs with read, write and atomic steps."
)
_NONE = "The run has no read, write or atomic steps, so there is nothing that could race."
_PROCESSES = "As processes each task has its own copy of a variable: nothing races, and nobody sees another's writes."

_KIND = np.array([CODES.get(name, -1) for name in SEGMENTS.names], np.int8)
_BLOCKS_AS = np.array([REASONS[kind.blocks_as] if kind.blocks_as else -1 for kind in SEGMENT_KINDS.values()], np.int8)
_NEVER = 1 << 62
_TAKEN_WHEN_RUNNING = np.isin(SEGMENTS.names, ("lock", "read_lock"))


def races(seen: History) -> Analysis:
    """`variables`: races by variable; `races`: both accesses of each, with task and time."""
    run = seen.bundle
    if not isinstance(run, Run):
        return Analysis("races", {}, {}, (_TRACE,))
    kinds = codes(run.tables["operations"].column("kind"), SEGMENTS)
    accessing = np.isin(kinds, [SEGMENTS[name] for name in _ACCESSES if name in SEGMENTS])
    if not accessing.any():
        return Analysis("races", {}, {}, (_NONE,))
    values = _values(run)
    if run.meta.get("form") == "process":
        return Analysis("races", {"accesses": int(accessing.sum()), "races": 0}, values, (), (_PROCESSES,))
    history, at = operations_of(seen, run)
    found = detect(history, run.tables["tasks"].num_rows)
    names, known = object_names(run, len(history.capacity)), labels(run)
    variables = np.flatnonzero(found.count)
    facts = {"accesses": int(accessing.sum()), "races": int(found.count.sum()), "variables_with_races": len(variables)}
    by_variable = pl.DataFrame({"variable": [names[i] for i in variables], "races": found.count[variables]},
                               schema={"variable": pl.String, "races": pl.Int64})  # fmt: skip
    notes = () if facts["races"] <= MOST_RACES else (f"Only the first {MOST_RACES} races are listed.",)
    return Analysis("races", facts, {
        "variables": Table("Races by variable", by_variable.sort("races", "variable", descending=[True, False])),
        "races": Table("Each race: two accesses that nothing orders", _pairs(found.pairs, history, at, names, known),
                       ("first_task_id", "second_task_id")),
        **values,
    }, (), notes)  # fmt: skip


def _values(run: Run) -> dict[str, Table]:
    """What variables end with, and what each of the first tasks sees in them, where the run knows."""
    ends = run.meta.get("variables") or ()
    totals = [(str(v["name"]), int(v["asked"]), int(v["value"]), int(v["lost"])) for v in ends]
    seen = [(str(v["name"]), str(task), int(value)) for v in ends for task, value in v["by_task"].items()]
    named = {"variable": pl.String}
    return {
        "values": Table("What variables end with: asked for, there, and lost", pl.DataFrame(
            totals, schema=named | dict.fromkeys(("asked", "value", "lost"), pl.Int64), orient="row")),
        "copies": Table("What each task sees at the end", pl.DataFrame(
            seen, schema=named | {"task": pl.String, "value": pl.Int64}, orient="row")),
    }  # fmt: skip


def _pairs(pairs: Any, history: Operations, at: Any, names: list[str], known: pl.DataFrame) -> pl.DataFrame:
    columns: dict[str, Any] = {"variable": pl.Series([names[i] for i in history.thing[pairs[:, 1]]], dtype=pl.String)}
    for place, which in enumerate(("first", "second")):
        rows = pairs[:, place]
        columns[f"{which}_task_id"] = history.task[rows].astype(np.int32)
        columns[f"{which}_access"] = pl.Series([KINDS[code] for code in history.kind[rows]], dtype=pl.String)
        columns[f"{which}_at_ns"] = at[rows]
    frame = pl.DataFrame(columns)
    for which in ("first", "second"):
        frame = labelled(frame, known, f"{which}_task_id", f"{which}_task")
    order = [f"{which}_{name}" for which in ("first", "second") for name in ("task_id", "task", "access", "at_ns")]
    return frame.select("variable", *order)


def operations_of(seen: History, run: Run) -> tuple[Operations, Any]:
    """The run's steps in the order in which they took effect, and when, in ns.

    The table has a step when it begins to wait. It came through when the wait was over: when the task was woken, and
    for a lock, which another could take meanwhile, when the task ran. Of steps at one time, one that waited comes right
    before its task's next step, which the engine did only then, or last of all.
    """
    table = run.tables["operations"]
    kind = codes(table.column("kind"), SEGMENTS)
    task, began = ints(table.column("task_id"), np.int32), ints(table.column("at_ns"), np.int64)
    thing, target = (ints(table.column(name), np.int32) for name in ("object_id", "target_id"))
    order, first = grouped(task, run.tables["tasks"].num_rows)
    at, place = began.copy(), 2 * np.arange(len(began))
    _come_through(seen.lives, order, first, began, _BLOCKS_AS[kind], _TAKEN_WHEN_RUNNING[kind], at, place)
    about = np.where(thing >= 0, thing, target)
    chosen = np.flatnonzero((_KIND[kind] >= 0) & (about >= 0))
    chosen = chosen[np.lexsort((place[chosen], at[chosen]))]
    capacity = _capacities(run, int(thing.max(initial=-1)) + 1)
    return Operations(_KIND[kind[chosen]], task[chosen], about[chosen], capacity), at[chosen]


def _capacities(run: Run, count: int) -> Any:
    """By object; a channel that is a pipe, as between threads, has more room than the program asks for."""
    known: list[int] = []
    for thing in (run.meta.get("program") or {}).get("objects") or ():
        known += [int(thing.get("capacity") or 0)] * int(thing.get("count") or 1)
    parameters = run.meta.get("parameters") or {}
    least = max((int(value) for name, value in parameters.items() if name.endswith(".min_capacity")), default=0)
    return np.maximum(np.array([*known, *[0] * (count - len(known))], np.int64), least)


@cached_njit
def _come_through(lives: Lives, order: Any, first: Any, began: Any, blocks_as: Any, when_running: Any, at: Any, place: Any) -> None:  # fmt: skip
    """Move each step that waited to the end of its wait: the last BLOCKED interval for its reason before the next step."""
    for k in range(len(first) - 1):
        i = lives.first[k]
        for n in range(first[k], first[k + 1]):
            step, following = order[n], order[n + 1] if n + 1 < first[k + 1] else -1
            until, waited, woken = began[following] if following >= 0 else _NEVER, False, False
            while i < lives.first[k + 1] and lives.start[i] < until:
                if lives.start[i] >= began[step] and blocks_as[step] >= 0:
                    if lives.state[i] == BLOCKED and lives.reason[i] == blocks_as[step]:
                        at[step], waited, woken = lives.end[i], True, True
                    elif woken and when_running[step] and lives.state[i] == RUNNING:
                        at[step], woken = lives.start[i], False
                i += 1
            if waited:
                place[step] = 2 * following - 1 if following >= 0 and until == at[step] else _NEVER
