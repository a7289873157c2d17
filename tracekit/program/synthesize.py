"""A workload becomes a Program: instances numbered, steps unrolled, values drawn."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tracekit import __version__
from tracekit.program.arrays import NULL, Ints
from tracekit.program.check import Problem, find_problem
from tracekit.program.distributions import Draw, Value, values
from tracekit.program.layout import Layout, lay_out, length
from tracekit.program.objects import numbered, object_groups
from tracekit.program.steps import Reference, Step, fail
from tracekit.program.waiting import never_satisfied
from tracekit.program.workload import ObjectSpec, TaskSpec, Workload, override
from tracekit.tables.build import table
from tracekit.tables.bundle import Program
from tracekit.vocabulary import OBJECT_KINDS, SEGMENT_KINDS, SEGMENTS

MAX_SEGMENTS = 200_000_000  # 37 bytes each: what a machine with 16 GB can still hold
_COLUMNS = {"duration_ns": np.int64, "object_id": np.int32, "target_id": np.int32, "bytes": np.int64, "count": np.int32}
_START = -1  # the stream of a task's start times; its steps have streams 0, 1, 2 ...


@dataclass(frozen=True)
class _Group:
    """All instances of a declared task: ids from `first`, segment rows from `row`."""

    spec: TaskSpec
    count: int
    layout: Layout
    first: int
    row: int


@dataclass(frozen=True)
class _Array:
    """All objects of one declaration: ids from `first`."""

    spec: ObjectSpec
    count: int
    capacity: int
    first: int


def synthesize(
    workload: Workload, *, seed: int | None = None, overrides: Mapping[str, int | str] | None = None
) -> Program:
    """The program a workload describes; its tasks that start by themselves come first, main is task 0.

    `seed` replaces the file's; `overrides` replace its parameters. The same seed gives the same program, and
    each (task, step) draws from a stream of its own, instance by instance: another task, or more instances,
    change nothing for the others. Raises WorkloadError with file and line for whatever can be known to be wrong
    before anything runs: a count or index out of range, unlock without lock, tasks that never start, more than
    MAX_SEGMENTS segments, and waits that nothing in the program ever ends (unless `leaves_waiting = true`).
    """
    return _Synthesis(workload, workload.seed if seed is None else seed, overrides).program()


class _Synthesis:
    def __init__(self, workload: Workload, seed: int, overrides: Mapping[str, int | str] | None) -> None:
        self.workload, self.seed = workload, seed
        self.parameters = override(workload, overrides)
        self.objects = self._arrays()
        self.groups = self._groups()
        self.by_name = {group.spec.name: group for group in self.groups}
        self.rows = sum(group.count * len(group.layout.leaf) for group in self.groups)

    def program(self) -> Program:
        segments = self._segments()
        tables = {"segments": segments, "objects": self._object_table(), "tasks": self._task_table(segments)}
        program = Program({name: tables[name] for name in ("tasks", "segments", "objects")}, {})
        self._refuse(find_problem(program))
        waiting = never_satisfied(program)
        if waiting is not None and not self.workload.leaves_waiting:
            self._refuse(waiting, remedy="or write leaves_waiting = true if that is meant")
        program.meta = self._meta(tables["objects"], waiting)
        return program

    def _number(self, expression: Any, what: str, line: int | None, high: int) -> int:
        try:
            number = int(expression.value(self.parameters))
        except ValueError as error:
            fail(str(error), self.workload.where, line)
        if not 0 <= number <= high:
            fail(f"{what} is {number}; it must be from 0 to {high}", self.workload.where, line)
        return number

    def _arrays(self) -> dict[str, _Array]:
        arrays, first = {}, 0
        for name, spec in self.workload.objects.items():
            count = self._number(spec.count, f"count of {name}", spec.line, MAX_SEGMENTS - first)
            bound = 2**31 - 1
            capacity = self._number(spec.capacity, f"capacity of {name}", spec.line, bound) if spec.capacity else NULL
            arrays[name] = _Array(spec, count, capacity, first)
            first += count
        return arrays

    def _groups(self) -> list[_Group]:
        specs = sorted(self.workload.tasks.values(), key=lambda spec: spec.start is None)
        counts, first = [], 0
        for spec in specs:
            counts.append(self._number(spec.count, f"count of {spec.name}", spec.line, MAX_SEGMENTS - first))
            first += counts[-1]
        groups, first, row = [], 0, 0
        for spec, count in zip(specs, counts, strict=True):
            layout, rows = self._layout(spec, count, row)
            groups.append(_Group(spec, count, layout, first, row))
            first, row = first + count, row + rows
        return groups

    def _layout(self, spec: TaskSpec, count: int, before: int) -> tuple[Layout, int]:
        """The layout of one instance, and the segments of all, when `before` segments come before them."""
        environment = {**self.parameters, "n": count}
        try:
            rows = count * length(spec.steps, environment)
        except ValueError as error:
            fail(f"task {spec.name}: {error}", self.workload.where, spec.line)
        if before + rows > MAX_SEGMENTS:
            fail(f"{before + rows:,} segments with those of task {spec.name}; at most {MAX_SEGMENTS:,} are allowed",
                 self.workload.where, spec.line, remedy="lower a count or a repeat")  # fmt: skip
        return lay_out(spec.steps if count else (), environment), rows

    def _segments(self) -> pa.Table:
        columns: dict[str, npt.NDArray[Any]] = {name: np.full(self.rows, NULL, t) for name, t in _COLUMNS.items()}
        for name, dtype in (("task_id", np.int32), ("ordinal", np.int32), ("kind", np.int8)):
            columns[name] = np.empty(self.rows, dtype)
        for group in self.groups:
            steps = len(group.layout.leaf)
            rows = slice(group.row, group.row + group.count * steps)
            self._fill(group, {name: values[rows].reshape(group.count, steps) for name, values in columns.items()})
        return table("segments", columns)

    def _fill(self, group: _Group, columns: dict[str, npt.NDArray[Any]]) -> None:
        columns["task_id"][:] = np.arange(group.first, group.first + group.count)[:, None]
        columns["ordinal"][:] = np.arange(len(group.layout.leaf))
        for number, step, at in group.layout.occurrences():
            environment = self._environment(group)
            environment |= {name: counts[at][None, :] for name, counts in group.layout.variables.items()}
            columns["kind"][:, at] = SEGMENTS[step.kind]
            shape = (group.count, len(at))
            for column, value in step.values.items():
                columns[column][:, at] = self._values(value, environment, shape, group, number, step.line)
            if step.reference is not None:
                column = next(name for name in SEGMENT_KINDS[step.kind].uses if name in ("object_id", "target_id"))
                columns[column][:, at] = self._ids(step.reference, column, environment, shape, group, step)

    def _environment(self, group: _Group) -> dict[str, Any]:
        return {**self.parameters, "n": group.count, "i": np.arange(group.count)[:, None]}

    def _values(
        self, value: Value, environment: dict[str, Any], shape: tuple[int, int], group: _Group, stream: int,
        line: int | None,
    ) -> Ints:  # fmt: skip
        # The task's name and not its position, so that a task put before it in the file changes nothing.
        key = (self.seed, zlib.crc32(group.spec.name.encode()), stream - _START)
        try:
            return values(value, environment, shape, np.random.Generator(np.random.PCG64(key)))
        except ValueError as error:
            fail(f"task {group.spec.name}: {error}", self.workload.where, line)

    def _ids(
        self, reference: Reference, column: str, environment: dict[str, Any], shape: tuple[int, int], group: _Group,
        step: Step,
    ) -> Ints:  # fmt: skip
        among = self.objects[reference.name] if column == "object_id" else self.by_name[reference.name]
        if reference.index is None:
            if among.count != 1:
                fail(f"there are {among.count} of {reference.name!r}", self.workload.where, step.line,
                     remedy=f'say which, for example "{reference.name}[i]"')  # fmt: skip
            return np.full(shape, among.first)
        try:
            index = np.broadcast_to(np.asarray(reference.index.value(environment), np.int64), shape)
        except ValueError as error:
            fail(str(error), self.workload.where, step.line)
        outside = np.argwhere((index < 0) | (index >= among.count))
        if len(outside):
            instance, at = outside[0]
            what = f"{reference.name}[{reference.index.text}] is {reference.name}[{index[instance, at]}]"
            what += f" in instance {instance} of {group.spec.name}, and there are {among.count}"
            fail(what, self.workload.where, step.line)
        return index + among.first

    def _starts(self, group: _Group) -> Ints:
        spec = group.spec
        if spec.start is None:
            return np.full(group.count, NULL)
        environment, line = self._environment(group), spec.line
        if isinstance(spec.start, Draw) and spec.start.kind == "poisson":
            # Arrivals follow each other along the instances, not within one.
            environment["i"] = 0
            return self._values(spec.start, environment, (1, group.count), group, _START, line).ravel()
        return self._values(spec.start, environment, (group.count, 1), group, _START, line).ravel()

    def _task_table(self, segments: pa.Table) -> pa.Table:
        count = sum(group.count for group in self.groups)
        parents = np.full(count, NULL, np.int32)
        spawns = segments.filter(pc.equal(segments["kind"], "spawn"))
        parents[spawns["target_id"].to_numpy()] = spawns["task_id"].to_numpy()
        return table("program_tasks", {
            "task_id": np.arange(count, dtype=np.int32),
            "name": _names([(group.spec.name, group.count) for group in self.groups]),
            "parent_id": parents,
            "start_ns": np.concatenate([self._starts(group) for group in self.groups]),
            "converted": np.ones(count, np.bool_),
            "nice": [group.spec.nice for group in self.groups for _ in range(group.count)],
            "footprint_bytes": [group.spec.footprint_bytes for group in self.groups for _ in range(group.count)],
        })  # fmt: skip

    def _object_table(self) -> pa.Table:
        arrays = list(self.objects.values())
        counts = [array.count for array in arrays]
        kinds = np.array([OBJECT_KINDS[array.spec.kind] for array in arrays], np.int8)
        capacities = np.array([array.capacity for array in arrays], np.int64)
        return table("objects", {
            "object_id": np.arange(sum(counts), dtype=np.int32),
            "kind": np.repeat(kinds, counts),
            "capacity": np.repeat(capacities, counts),
            "name": _names([(array.spec.name, array.count) for array in arrays]),
        })  # fmt: skip

    def _refuse(self, problem: Problem | None, remedy: str | None = None) -> None:
        if problem is not None:
            fail(problem.what, self.workload.where, self._line(problem), remedy=remedy)

    def _line(self, problem: Problem) -> int | None:
        if problem.row is not None:
            group = next(g for g in self.groups if problem.row < g.row + g.count * len(g.layout.leaf))
            ordinal = (problem.row - group.row) % len(group.layout.leaf)
            return group.layout.steps[int(group.layout.leaf[ordinal])].line
        return next((g.spec.line for g in self.groups if g.first <= problem.task < g.first + g.count), None)

    def _meta(self, objects: pa.Table, waiting: Problem | None) -> dict[str, Any]:
        policies = [{"policy": "waits that nothing ends", "choice": waiting.what, "count": 1}] if waiting else []
        return {
            "origin": "workload", "name": self.workload.name, "form": None,
            "source": {"path": self.workload.where, "sha256": self.workload.sha256, "parameters": self.parameters},
            "seed": self.seed, "cpus": None, "coverage": None, "removed_ns": {}, "policies": policies,
            "objects": object_groups(objects), "main_returns": self.workload.main_returns, "tool_version": __version__,
        }  # fmt: skip


def _names(groups: list[tuple[str, int]]) -> pa.Array:
    """`main`, or `worker[0]`, `worker[1]` ... where there are several."""
    parts = [numbered(name if count == 1 else f"{name}[]", count) for name, count in groups]
    return pa.concat_arrays([pa.array([], pa.string()), *parts])
