"""Cells: one program in one form on so many CPUs, executed again and again, in two batches that lie apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from tracekit.errors import ExecutionError
from tracekit.native.execute import TIME_LIMIT_S, Execution, Prepared
from tracekit.tables.bundle import Program
from tracekit.verify.quantities import BATCHES_DIFFER

Say = Callable[[int, int], None]


@dataclass
class Cell:
    """What was measured of one form of a program. `batches` holds the executions in the order they were made."""

    workload: str
    program: Program
    form: str
    cpus: int
    batches: list[list[Execution]] = field(default_factory=list)
    refused: str = ""  # why it could not be executed

    @property
    def executions(self) -> list[Execution]:
        """Those of all batches that count."""
        return [execution for batch in self.batches for execution in batch]

    @property
    def makespans_ns(self) -> list[int]:
        """One an execution."""
        return [execution.makespan_ns for execution in self.executions]

    @property
    def spread(self) -> float:
        """(largest - smallest) / median of the makespans."""
        values = self.makespans_ns
        return (max(values) - min(values)) / median(values) if values and median(values) else 0.0

    @property
    def inconclusive(self) -> bool:
        """Whether the batches' medians are further apart than measuring can be believed."""
        middles = [median(e.makespan_ns for e in batch) for batch in self.batches if batch]
        return len(middles) > 1 and max(middles) > (1 + BATCHES_DIFFER) * min(middles)

    def measured(self) -> dict[str, float]:
        """The median of each quantity; what could not be measured is absent."""
        runs = self.executions
        if not runs:
            return {}
        makespan = median(self.makespans_ns)
        found = {
            "makespan": makespan,
            "throughput": self.program.tables["tasks"].num_rows * 1e9 / makespan if makespan else 0.0,
            "cpu_time": median(e.result.cpu_ns for e in runs),
            "context_switches": median(e.result.voluntary + e.result.involuntary for e in runs),
        }
        peaks = [e.peak_bytes for e in runs if e.peak_bytes is not None]
        return found | ({"peak_memory": median(peaks)} if peaks else {})


def measure(
    cells: Iterable[Cell],
    *,
    repeats: int,
    limit_s: float = TIME_LIMIT_S,
    progress: Say = lambda done, total: None,
) -> None:
    """Execute every cell `repeats` times in two batches, cell by cell in turn; cells whose batches differ once more.

    A cell that this machine refuses says why in `refused`, and the others go on.
    """
    cells = list(cells)
    each = [(repeats + 1) // 2, repeats // 2]
    total = len(cells) * repeats
    done = 0
    with ExitStack() as stack:
        prepared = {id(cell.program): stack.enter_context(Prepared(cell.program)) for cell in _distinct(cells)}
        for count in each:
            _batch(cells, prepared, count, limit_s, partial(_further, progress, done, total))
            done += len(cells) * count
        again = [cell for cell in cells if cell.inconclusive]
        for cell in again:
            cell.batches.clear()
        for count in each:
            _batch(again, prepared, count, limit_s, lambda extra: None)


def _further(progress: Say, before: int, total: int, extra: int) -> None:
    progress(before + extra, total)


def _distinct(cells: list[Cell]) -> list[Cell]:
    return list({id(cell.program): cell for cell in cells}.values())


def _batch(
    cells: list[Cell], prepared: dict[int, Prepared], count: int, limit_s: float, progress: Callable[[int], None]
) -> None:
    if not count:
        return
    for cell in cells:
        cell.batches.append([])
    for number in range(count):
        for at, cell in enumerate(cells):
            if not cell.refused:
                _execute(cell, prepared[id(cell.program)], limit_s)
            progress(number * len(cells) + at + 1)


def _execute(cell: Cell, prepared: Prepared, limit_s: float) -> None:
    try:
        cell.batches[-1].append(prepared.execute(cell.form, cpus=cell.cpus, limit_s=limit_s))
    except ExecutionError as error:
        cell.refused = error.line()
