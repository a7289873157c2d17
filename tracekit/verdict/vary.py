"""What can be varied of some work: the parameters of a workload file, or of any program its compute, waits and messages.

A program that was recorded has no parameters, but more or less of what it does can be asked for: each segment of a kind
is made longer or shorter by one factor, and all else stays.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracekit.errors import WorkloadError
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import Workload
from tracekit.report.outlook import FACTOR, WHOLE
from tracekit.tables.bundle import Program
from tracekit.units import parse_bytes, parse_duration_ns

CPUS = "CPUs"
_SCALED = {  # what one factor multiplies: segment kinds, and the column
    "compute": (("compute",), "duration_ns"),
    "waits": (("sleep", "io", "network", "syscall", "arrival"), "duration_ns"),
    "message sizes": (("send",), "bytes"),
}


@dataclass(frozen=True)
class Variable:
    """Something to vary: its name, unit and present value; `make` gives the program and the CPUs at another value.

    `make` returns None where the program can't be.
    """

    name: str
    unit: str
    own: int
    make: Callable[[int], tuple[Program, int] | None]


def of_program(program: Program, cpus: int) -> list[Variable]:
    """Its CPUs, and a factor for each of compute, waits and message sizes that it has."""
    scaled = [Variable(name, FACTOR, WHOLE, _scaling(program, name, cpus)) for name in _SCALED if _has(program, name)]
    return [Variable(CPUS, "", cpus, lambda value: (program, value)), *scaled]


def of_workload(workload: Workload, program: Program, cpus: int) -> list[Variable]:
    """Its parameters, and its CPUs."""
    units = _units(workload)
    own = [Variable(name, units.get(name, ""), value, _synthesis(workload, name, cpus))
           for name, value in workload.parameters.items()]  # fmt: skip
    return [*own, Variable(CPUS, "", cpus, lambda value: (program, value))]


def _synthesis(workload: Workload, name: str, cpus: int) -> Callable[[int], tuple[Program, int] | None]:
    def make(value: int) -> tuple[Program, int] | None:
        try:
            return synthesize(workload, overrides={name: value}), cpus
        except WorkloadError:  # beyond what the parameter can be
            return None

    return make


def _units(workload: Workload) -> dict[str, str]:
    """By parameter: ns or bytes, as its file writes it."""
    try:
        written = tomllib.loads(Path(workload.where).read_text(encoding="utf-8")).get("parameters", {})
    except (OSError, ValueError):
        return {}
    return {name: unit for name, text in written.items() if (unit := _unit(text))}


def _unit(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    for unit, parse in (("ns", parse_duration_ns), ("bytes", parse_bytes)):
        try:
            parse(text)
        except ValueError:
            continue
        return unit
    return ""


def _rows(program: Program, name: str) -> Any:
    """Which segments the factor `name` is about."""
    kinds, column = _SCALED[name]
    segments = program.tables["segments"]
    asked = pc.fill_null(pc.greater(segments.column(column), 0), False)
    return pc.and_(pc.is_in(segments.column("kind").cast(pa.string()), pa.array(kinds)), asked)


def _has(program: Program, name: str) -> bool:
    return bool(pc.any(_rows(program, name)).as_py())


def _scaling(program: Program, name: str, cpus: int) -> Callable[[int], tuple[Program, int] | None]:
    def make(value: int) -> tuple[Program, int] | None:
        segments, column = program.tables["segments"], _SCALED[name][1]
        place = segments.schema.get_field_index(column)
        field = segments.schema.field(place)
        old = pc.fill_null(segments.column(column), 0).to_numpy()
        chosen = _rows(program, name).to_numpy()
        new = np.where(chosen, np.maximum(old * value // WHOLE, 1), old)
        whole = pa.array(new, field.type, mask=~segments.column(column).is_valid().to_numpy())
        tables = {**program.tables, "segments": segments.set_column(place, field, whole)}
        return replace(program, tables=tables), cpus

    return make
