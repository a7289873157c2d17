"""`races` of a bundle: a run's steps in the order in which they took effect, and what the detector finds in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import History, codes, ints
from tracekit.analysis.places import object_names
from tracekit.analysis.races.detector import CODES, KINDS, MOST_RACES, Operations, detect
from tracekit.analysis.races.effect import in_effect
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.tables.bundle import Run
from tracekit.vocabulary import SEGMENTS

_ACCESSES = ("read", "write", "atomic")
_TRACE = (
    "A recording has no accesses to variables; races are found in runs of programs with read, write and atomic steps."
)
_NONE = "The run has no read, write or atomic steps, so there is nothing that could race."
_PROCESSES = "As processes each task has its own copy of a variable: nothing races, and nobody sees another's writes."

_KIND = np.array([CODES.get({"close": "signal"}.get(name, name), -1) for name in SEGMENTS.names], np.int8)


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
    history, at = operations_of(run)
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


def operations_of(run: Run) -> tuple[Operations, Any]:
    """The run's steps in the order in which they took effect, and when, in ns (races.effect)."""
    table = run.tables["operations"]
    steps = codes(table.column("kind"), SEGMENTS)
    kind = _KIND[steps]
    task, began = ints(table.column("task_id"), np.int32), ints(table.column("at_ns"), np.int64)
    thing, target = (ints(table.column(name), np.int32) for name in ("object_id", "target_id"))
    about = np.where(thing >= 0, thing, target)
    chosen = np.flatnonzero((kind >= 0) & (about >= 0))
    kind, task, about, began = kind[chosen], task[chosen], about[chosen], began[chosen]
    room, there = _capacities(run, int(thing.max(initial=-1)) + 1)
    _end_by_close(kind, about, steps[chosen] == SEGMENTS["close"], len(room))
    room, there = (np.concatenate((column, np.zeros_like(column))) for column in (room, there))
    order, at = in_effect(kind, task, about, began, run.tables["tasks"].num_rows, room, there)
    return Operations(kind[order], task[order], about[order], room), at[order]


def _end_by_close(kind: Any, about: Any, closes: Any, objects: int) -> None:
    """A close orders as a signal does, before the receives that it ends (the Go memory model): those beyond the sends, as
    messages are received in the order of asking. Both get a number of their own, `objects` above the channel's."""
    for channel in np.unique(about[closes]):
        here = about == channel
        sends = np.count_nonzero(here & (kind == CODES["send"]))
        ended = np.flatnonzero(here & (kind == CODES["recv"]))[sends:]
        kind[ended] = CODES["wait"]
        about[ended] += objects
        about[here & closes] += objects


def _capacities(run: Run, count: int) -> tuple[Any, Any]:
    """By object its room, and what is there at first: a semaphore starts with its capacity.

    A channel that is a pipe, as between threads, has more room than the program asks for.
    """
    room: list[int] = []
    there: list[int] = []
    for thing in (run.meta.get("program") or {}).get("objects") or ():
        many, capacity = int(thing.get("count") or 1), int(thing.get("capacity") or 0)
        room += [capacity] * many
        there += [capacity if thing.get("kind") == "semaphore" else 0] * many
    parameters = run.meta.get("parameters") or {}
    least = max((int(value) for name, value in parameters.items() if name.endswith(".min_capacity")), default=0)
    more = [0] * (count - len(room))
    return np.maximum(np.array([*room, *more], np.int64), least), np.array([*there, *more], np.int64)
