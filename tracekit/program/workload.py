"""Workload files: TOML for people, read into a `Workload`; `synthesize` makes it a Program.

    name = "pairs"
    claim = "what a reader should see"
    look_for = "where to see it"

    [parameters]                      # numbers a user can override
    rounds = 100
    work = "5us"

    [objects.ball]                    # mutex, rwmutex, channel, wait_group, semaphore, event, variable
    kind = "channel"
    capacity = 1                      # of a channel; where a semaphore starts
    count = 2                         # an array of them: ball[0], ball[1]

    [tasks.main]
    start = "0ms"                     # begins by itself; tasks without start are spawned by a step
    steps = [{ spawn = "player" }, { join = "player" }]

    [tasks.player]
    count = 2                         # instances, numbered by i; n is their number
    nice = 5                          # -20 to 19, 0 if not given
    footprint = "64KiB"               # memory it uses again and again; the profile's figure if not given
    steps = [
      { repeat = "rounds", as = "r", steps = [
        { compute = { exponential = "work" } },
        { send = "ball[i]", bytes = "64B" }, { recv = "ball[1 - i]" },
      ] },
    ]

A step is a segment kind with its argument, or the bare word of one without (`"yield"`, `"request"`, `"exit"`).
A value is a number, a duration or size, an expression (see `expressions`), or a distribution: { uniform =
["1us", "2us"] }, { exponential = MEAN }, { lognormal = MEDIAN, sigma = 1.0 }, { choice = [A, B], weights =
[9, 1] }; in `start` and `arrival` also { poisson = MEAN_GAP }, times of random arrivals. `spawn` and `join` of
a name without an index mean all instances, in order.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit.errors import WorkloadError
from tracekit.program.distributions import Value
from tracekit.program.expressions import Expression, parse_expression
from tracekit.program.lines import Lines
from tracekit.program.steps import Names, Node, parse_steps, suggestion
from tracekit.units import parse_bytes
from tracekit.vocabulary import OBJECT_KINDS

_TOP = ("name", "claim", "look_for", "seed", "leaves_waiting", "main_returns", "parameters", "objects", "tasks")
_OF_OBJECT = ("kind", "capacity", "count")
_OF_TASK = ("start", "count", "steps", "nice", "footprint")
_EXPECTED = {str: "a text", int: "a whole number from 0", bool: "true or false", dict: "a table"}
_HAVE_CAPACITY = ("channel", "semaphore")


@dataclass(frozen=True)
class ObjectSpec:
    """A declared object, or an array of them."""

    name: str
    kind: str
    capacity: Expression | None
    count: Expression
    line: int | None


@dataclass(frozen=True)
class TaskSpec:
    """A declared task: how many instances, when they start by themselves (None: spawned), and their steps."""

    name: str
    count: Expression
    start: Value | None
    steps: tuple[Node, ...]
    line: int | None
    nice: int | None = None
    footprint_bytes: int | None = None


@dataclass(frozen=True)
class Workload:
    """A workload file, read and checked as far as it can be before parameters are known."""

    name: str
    claim: str
    look_for: str
    where: str
    sha256: str
    seed: int
    leaves_waiting: bool  # some tasks wait for ever, on purpose
    main_returns: bool  # the first task's end is the program's: threads and goroutines end with it
    parameters: Mapping[str, int]
    objects: Mapping[str, ObjectSpec]
    tasks: Mapping[str, TaskSpec]


def load_workload(path: Path | str) -> Workload:
    """Read a workload file. Raises WorkloadError naming file and line."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise WorkloadError(f"can't read the workload ({reason})", where=str(path), remedy="give a TOML file") from None
    return parse_workload(text, where=str(path))


def parse_workload(text: str, *, where: str) -> Workload:
    """Read a workload from TOML text. Raises WorkloadError naming `where` and the line."""
    data, lines = _toml(text, where), Lines(text, where)
    names = Names(lines, {}, {}, frozenset())
    _check_top(data, names)
    parameters = _parameters(data.get("parameters", {}), names)
    names = Names(lines, {}, {}, frozenset(parameters))
    objects = {name: _object(name, spec, names) for name, spec in data.get("objects", {}).items()}
    tasks = _tasks(data.get("tasks", {}), objects, names)
    return Workload(
        name=data.get("name") or Path(where).name.split(".")[0],
        claim=data.get("claim", ""),
        look_for=data.get("look_for", ""),
        where=where,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        seed=data.get("seed", 1),
        leaves_waiting=data.get("leaves_waiting", False),
        main_returns=data.get("main_returns", False),
        parameters=parameters,
        objects=objects,
        tasks=tasks,
    )


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = f":{found[1]}" if found else ""
        reason = str(error).split(" (at ")[0]
        raise WorkloadError(
            f"not TOML: {reason}", where=where + line, remedy="a table in { } must stand on one line"
        ) from None
    except RecursionError:
        raise WorkloadError("nested too deeply", where=where) from None


def _check_top(data: Mapping[str, Any], names: Names) -> None:
    types: dict[str, type] = {
        "seed": int,
        "leaves_waiting": bool,
        "main_returns": bool,
        "parameters": dict,
        "objects": dict,
        "tasks": dict,
    }
    for key, value in data.items():
        names.lines.header(key)
        wanted = types.get(names.known(key, _TOP, "key"), str)
        fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        if not fits or (wanted is int and not 0 <= value < 2**63):
            names.fail(f"{key} is {value!r}; {_EXPECTED[wanted]} is expected")


def parameter_value(source: object) -> int:
    """A parameter as a number: a count, a duration in ns, or a size in bytes. Raises ValueError."""
    for unit in ("duration_ns", "bytes"):
        try:
            return int(parse_expression(source, unit).value({}))
        except (ValueError, KeyError):
            continue
    raise ValueError(f"{source!r} is no number, duration or size")


def _parameters(table: Mapping[str, Any], names: Names) -> dict[str, int]:
    names.lines.header("parameters")
    result = {}
    for name, source in table.items():
        names.lines.key(name)
        if not name.isidentifier() or name in ("i", "n"):
            names.fail(f"a parameter can't be called {name!r}", remedy="use letters, digits and _; i and n are taken")
        try:
            result[name] = parameter_value(source)
        except ValueError as error:
            names.fail(f"parameter {name}: {error}")
    return result


def _object(name: str, spec: object, names: Names) -> ObjectSpec:
    line = names.lines.header("objects", name)
    if not isinstance(spec, dict):
        names.fail(f"object {name} must be a table", remedy='for example { kind = "mutex" }')
    kind = spec.get("kind")
    for key in spec:
        names.lines.key(key)
        names.known(key, _OF_OBJECT, "key of an object")
        if key == "kind" and isinstance(kind, str):
            names.known(kind, OBJECT_KINDS, "kind of object")
        if key == "capacity" and kind not in _HAVE_CAPACITY:
            names.fail(f"a {kind} has no capacity", remedy=f"only {' and '.join(_HAVE_CAPACITY)} have one")
    if not isinstance(kind, str):
        names.fail(f"object {name} needs a kind", remedy=f"one of {', '.join(OBJECT_KINDS)}")
    capacity = names.expression(spec.get("capacity", 0), "count") if kind in _HAVE_CAPACITY else None
    return ObjectSpec(name, kind, capacity, names.expression(spec.get("count", 1), "count"), line)


def _tasks(table: Mapping[str, Any], objects: Mapping[str, ObjectSpec], names: Names) -> dict[str, TaskSpec]:
    if not table:
        names.fail("no tasks", remedy='add [tasks.main] with start = "0ms" and steps = [...]')
    counts = {}
    for name, spec in table.items():
        names.lines.header("tasks", name)
        if not isinstance(spec, dict):
            names.fail(f"task {name} must be a table")
        counts[name] = names.expression(spec.get("count", 1), "count")
    kinds = {name: spec.kind for name, spec in objects.items()}
    known = Names(names.lines, kinds, counts, names.numbers | {"i", "n"})
    return {name: _task(name, spec, known) for name, spec in table.items()}


def _task(name: str, spec: dict[str, Any], names: Names) -> TaskSpec:
    line = names.lines.header("tasks", name)
    for key in spec:
        if key not in _OF_TASK:
            names.lines.key(key)
            names.known(key, _OF_TASK, "key of a task")
    start = None
    if "start" in spec:
        start = names.value(spec["start"], "duration_ns", frozenset(), times=True)
    steps = parse_steps(spec.get("steps", []), names, frozenset())
    nice, footprint = _nice(spec, names, line), _footprint(spec, names, line)
    return TaskSpec(name, names.tasks[name], start, steps, line, nice, footprint)


def _nice(spec: Mapping[str, Any], names: Names, line: int | None) -> int | None:
    value = spec.get("nice")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not -20 <= value <= 19):
        names.fail(f"nice = {value!r} is not a whole number from -20 to 19", line=line)
    return value


def _footprint(spec: Mapping[str, Any], names: Names, line: int | None) -> int | None:
    value = spec.get("footprint")
    if value is None:
        return None
    try:
        return parse_bytes(str(value))
    except ValueError:
        names.fail(f"footprint = {value!r} is not a size, such as 64KiB", line=line)


def override(workload: Workload, overrides: Mapping[str, int | str] | None) -> dict[str, int]:
    """The parameters, with a user's in place of the file's. Raises WorkloadError for an unknown one."""
    result = dict(workload.parameters)
    for name, source in (overrides or {}).items():
        if name not in result:
            raise WorkloadError(
                f"unknown parameter {name!r}", where=workload.where, remedy=suggestion(name, workload.parameters)
            )
        try:
            result[name] = parameter_value(source)
        except ValueError as error:
            raise WorkloadError(f"parameter {name}: {error}", where=workload.where) from None
    return result
