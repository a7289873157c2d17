"""The whole check of some workloads: execute, predict, compare; from the program and, where asked, from recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import polars as pl

from tracekit.errors import TracekitError
from tracekit.machine.profile import Profile
from tracekit.native.execute import TIME_LIMIT_S, Prepared
from tracekit.program.extract import extract
from tracekit.tables.bundle import Program
from tracekit.verify.cells import Cell, measure
from tracekit.verify.compare import PROGRAM, SCHEMA, misses, orders, rows_of, summary
from tracekit.verify.predict import RECORDERS, predict, quantities
from tracekit.verify.recording import GOROUTINE, PROCESS, record
from tracekit.vocabulary import FORMS

RECORDINGS = 3  # of each cell for its latencies, and where asked as many that tell more, to predict from each

Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Workload:
    """What to check: a program, on so many CPUs, and whether also from recordings."""

    name: str
    program: Program
    cpus: int
    recorded: bool = False


@dataclass
class Checked:
    """The long table (`compare.SCHEMA`), and what could not be done, by cell."""

    table: pl.DataFrame
    profile: Profile
    notes: list[str] = field(default_factory=list)

    def misses(self, max_error: float | None) -> list[str]:
        """What does not hold."""
        return misses(self.table, max_error)

    def json(self) -> dict[str, Any]:
        """Everything, for programs."""
        right, total = orders(self.table)
        return {
            "profile": self.profile.meta(),
            "cells": self.table.to_dicts(),
            "summary": summary(self.table).to_dicts(),
            "order_of_forms": {"right": right, "pairs": total},
            "notes": self.notes,
        }


def check(
    workloads: Sequence[Workload],
    profile: Profile,
    *,
    forms: Sequence[str] = FORMS,
    repeats: int = 9,
    limit_s: float = TIME_LIMIT_S,
    latency: bool = True,
    progress: Say = lambda what, done, total: None,
) -> Checked:
    """Execute and predict every workload in every form. `latency` records further executions of each cell.

    A cell that can't be executed, recorded or predicted is named in the notes, and the others stand.
    """
    cells = [Cell(w.name, w.program, form, w.cpus) for w in workloads for form in forms]
    measure(cells, repeats=repeats, limit_s=limit_s, progress=lambda done, total: progress("executing", done, total))
    notes = [f"{cell.workload} as {cell.form}: {cell.refused}" for cell in cells if cell.refused]
    parts = [pl.DataFrame(schema=SCHEMA)]
    for number, workload in enumerate(workloads):
        own = [cell for cell in cells if cell.program is workload.program and cell.cpus == workload.cpus]
        parts += _compared(workload, [cell for cell in own if cell.executions], profile, limit_s, latency, notes)
        progress("predicting", number + 1, len(workloads))
    return Checked(pl.concat(parts), profile, notes)


def _compared(
    workload: Workload, cells: list[Cell], profile: Profile, limit_s: float, latency: bool, notes: list[str]
) -> list[pl.DataFrame]:
    parts = []
    with Prepared(workload.program) as prepared:
        for cell in cells:
            where = f"{workload.name} as {cell.form}"
            measured = cell.measured()
            try:
                predicted, _ = predict(workload.program, cell.form, cpus=cell.cpus, profile=profile)
                alone, joint = (
                    [record(prepared, cell.form, cpus=cell.cpus, limit_s=limit_s, joint=both)[1] for _ in range(count)]
                    for both, count in ((False, RECORDINGS * latency), (True, RECORDINGS * workload.recorded))
                )
                measured |= _latencies(alone, cell.form)
                parts.append(rows_of(cell, predicted, PROGRAM, measured))
                for trace in joint:
                    parts += _from_recording(trace, cell, cells, profile)
            except TracekitError as error:
                notes.append(f"{where}: {error.line()}")
    return parts


def _latencies(traces: list[Any], form: str) -> dict[str, float]:
    """The median over the recordings: one alone tells as little as one execution does."""
    each = [_latencies_of(trace, form) for trace in traces]
    return {name: median(found[name] for found in each) for name in each[0]} if each else {}


def _latencies_of(trace: Any, form: str) -> dict[str, float]:
    tasks = trace.frame("tasks")
    named = tasks.filter(pl.col("name") == (GOROUTINE if form == "goroutine" else PROCESS))
    found = quantities(trace, named["task_id"].to_list())
    return {name: value for name, value in found.items() if name.startswith("wakeup")}


def _from_recording(trace: Any, cell: Cell, cells: list[Cell], profile: Profile) -> list[pl.DataFrame]:
    costs = profile.form_costs(cell.form, RECORDERS[cell.form])
    program = extract(trace, costs=costs, process=None if cell.form == "goroutine" else PROCESS)
    parts = []
    for other in cells:
        predicted, _ = predict(program, other.form, cpus=other.cpus, profile=profile)
        wanted: dict[str, float] = {
            name: predicted[name] for name in ("makespan", "cpu_time", "context_switches") if name in predicted
        }
        parts.append(rows_of(other, wanted, cell.form, other.measured()))
    return parts
