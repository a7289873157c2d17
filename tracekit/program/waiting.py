"""Waits that no step of the program can ever end, seen from totals alone: a sure deadlock, before any replay.

Totals prove that some task waits for ever; that they match proves nothing, and a replay may still find a deadlock.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tracekit.program.arrays import Ints, codes, ints
from tracekit.program.check import Problem, name_of
from tracekit.tables.bundle import Program
from tracekit.vocabulary import SEGMENTS


def never_satisfied(program: Program) -> Problem | None:
    """The first wait that outnumbers what could end it, or None."""
    segments = program.tables["segments"]
    kinds, objects = codes(segments, "kind", SEGMENTS), ints(segments, "object_id")
    spare = ints(program.tables["objects"], "capacity").clip(min=0)
    size = len(spare)

    def total(kind: str) -> Ints:
        return np.bincount(objects[kinds == SEGMENTS[kind]], minlength=size)

    sends, receives, signals, waits = map(total, ("send", "recv", "signal", "wait"))
    adds = kinds == SEGMENTS["wait_group_add"]
    open_groups = np.bincount(objects[adds], ints(segments, "count")[adds], minlength=size) > total("wait_group_done")
    open_ones = total("close") == 0  # else a receive is over at once, and a send faults
    cases = (
        ("recv", (receives > sends) & open_ones, "waits for ever: {receives} receive, {sends} send"),
        (
            "send",
            (sends > receives + spare) & open_ones,
            "waits for ever: {sends} send, {receives} receive, room for {spare}",
        ),
        ("wait", waits > signals + spare, "waits for ever: {waits} wait, {signals} signal, {spare} at the start"),
        ("wait_group_wait", open_groups, "waits for ever: fewer are done than are added"),
    )
    for kind, stuck, text in cases:
        row = _first(kinds, objects, kind, stuck)
        if row is not None:
            at = int(objects[row])
            figures = {"sends": sends[at], "receives": receives[at], "signals": signals[at], "waits": waits[at],
                       "spare": spare[at]}  # fmt: skip
            return _problem(program, segments, row, f"{kind} of {name_of(program, 'objects', at)} "
                            + text.format(**figures))  # fmt: skip
    return None


def _first(kinds: Ints, objects: Ints, kind: str, stuck: np.ndarray) -> int | None:
    rows = np.flatnonzero(kinds == SEGMENTS[kind])
    rows = rows[stuck[objects[rows]]]
    return int(rows[0]) if len(rows) else None


def _problem(program: Program, segments: pa.Table, row: int, what: str) -> Problem:
    return Problem(what, segments["task_id"][row].as_py(), row)
