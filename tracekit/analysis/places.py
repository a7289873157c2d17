"""What a BLOCKED interval waited on: an object of the program in a run, a place in the program in a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, History, Lives, codes, grouped, ints
from tracekit.jit import cached_njit
from tracekit.tables.build import NULL
from tracekit.tables.bundle import Run, Trace
from tracekit.vocabulary import REASONS, SEGMENT_KINDS, SEGMENTS

# by segment kind: the reason of the BLOCKED interval it can cause
_BLOCKS_AS = np.array([REASONS[kind.blocks_as] if kind.blocks_as else NULL for kind in SEGMENT_KINDS.values()], np.int8)
_OWN = ("runtime.", "runtime/", "internal/", "sync.", "sync/", "syscall.", "time.", "net.", "os.")


def waited_on(seen: History) -> tuple[Any, list[str]]:
    """By interval, which of the names it was BLOCKED on (NULL where that is not known), and the names."""
    if isinstance(seen.bundle, Run) and seen.bundle.tables["operations"].num_rows:
        objects = _objects(seen, seen.bundle)
        return objects, object_names(seen.bundle, int(objects.max(initial=-1)) + 1)
    stacks = np.where(seen.lives.state == BLOCKED, seen.stack_of, NULL)
    return stacks, place_names(seen.bundle)


def _objects(seen: History, run: Run) -> Any:
    """A step that has to wait is written down when it begins to: the task's last step before its interval."""
    table = run.tables["operations"]
    task = ints(table.column("task_id"), np.int32)
    order, first = grouped(task, run.tables["tasks"].num_rows)
    at = ints(table.column("at_ns"), np.int64)[order]
    thing = ints(table.column("object_id"), np.int32)[order]
    kind = codes(table.column("kind"), SEGMENTS)[order]
    return _last_step(seen.lives, first, at, thing, _BLOCKS_AS[kind])


@cached_njit
def _last_step(lives: Lives, first: Any, at: Any, thing: Any, blocks_as: Any) -> Any:
    found = np.full(len(lives.task), -1, np.int64)
    for k in range(len(lives.first) - 1):
        w = first[k]
        for i in range(lives.first[k], lives.first[k + 1]):
            while w < first[k + 1] and at[w] <= lives.start[i]:
                w += 1
            if lives.state[i] == BLOCKED and w > first[k] and blocks_as[w - 1] == lives.reason[i]:
                found[i] = thing[w - 1]
    return found


def object_names(run: Trace | Run, count: int) -> list[str]:
    """The names of the program's objects by id, as far as the run knows its program."""
    names: list[str] = []
    for known in (run.meta.get("program") or {}).get("objects") or ():
        name, many = str(known.get("name") or known.get("kind")), int(known.get("count") or 1)
        names += [name.replace("[]", f"[{i}]") for i in range(many)]
    return [*names, *(f"object {i}" for i in range(len(names), count))]


def place_names(bundle: Trace | Run) -> list[str]:
    """By stack_id: the innermost function that is not the runtime's or a library's own, with file and line."""
    stacks = bundle.frame("stacks").select("caller_id", "function", "file", "line")
    callers, functions, files, lines = (stacks[name].to_list() for name in stacks.columns)
    names = []
    for row in range(stacks.height):
        place: int | None = row
        while place is not None and (functions[place] or "").startswith(_OWN) and callers[place] is not None:
            place = callers[place]
        place = row if place is None else place
        file = (files[place] or "").rsplit("/", 1)[-1]
        names.append(f"{functions[place] or '?'} ({file}:{lines[place]})" if file else functions[place] or "?")
    return names


def named(codes_column: pl.Expr, names: list[str]) -> pl.Expr:
    """Names for codes; NULL becomes null."""
    return codes_column.replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
