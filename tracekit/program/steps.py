"""The steps of a workload's tasks: TOML values become `Step` and `Repeat`, every name looked up."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from tracekit.errors import WorkloadError
from tracekit.program.distributions import Draw, Value, parse_value
from tracekit.program.expressions import Expression, parse_expression, variable
from tracekit.program.lines import Lines
from tracekit.tables.checks import USES_OBJECT
from tracekit.vocabulary import SEGMENT_KINDS

MAX_DEPTH = 20
# Segment columns that hold a value, and what they are when a step does not give them.
_DEFAULTS: dict[str, int | None] = {"duration_ns": None, "bytes": 8, "count": 1}
_REFERENCE = re.compile(r"\s*([A-Za-z_][\w-]*)\s*(?:\[(.*)\])?\s*", re.DOTALL)
_EVERY = "every instance"  # the loop variable of a step that names all instances of a task


@dataclass(frozen=True)
class Reference:
    """An object or a task by name, and which of them when there are several."""

    name: str
    index: Expression | None


@dataclass(frozen=True)
class Step:
    """One segment of each instance: its kind, what it refers to, and the values of its columns."""

    kind: str
    line: int | None
    reference: Reference | None = None
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Repeat:
    """A body, `times` times; `variable` counts them from 0."""

    times: Expression
    variable: str | None
    body: tuple[Node, ...]
    line: int | None


Node = Step | Repeat


@dataclass(frozen=True)
class Names:
    """What a workload declares: object name → kind, task name → how many, and the numbers of expressions."""

    lines: Lines
    objects: Mapping[str, str]
    tasks: Mapping[str, Expression]
    numbers: frozenset[str]

    def fail(self, what: str, *, remedy: str | None = None, line: int | None = None) -> NoReturn:
        """Raise WorkloadError at `line`, or where the reading has got to."""
        fail(what, self.lines.where, self.lines.line if line is None else line, remedy=remedy)

    def known(self, name: str, among: Iterable[str], what: str) -> str:
        """`name` if it is one of `among`; WorkloadError with the nearest names if not."""
        among = list(among)
        if name not in among:
            self.fail(f"unknown {what} {name!r}", remedy=suggestion(name, among))
        return name

    def checked(self, value: Value, numbers: frozenset[str]) -> Value:
        """`value` if all names in it are known."""
        for name in sorted(value.names):
            self.known(name, sorted(self.numbers | numbers), "name")
        return value

    def expression(self, source: object, unit: str, numbers: frozenset[str] = frozenset()) -> Expression:
        """An expression over known names."""
        try:
            parsed = parse_expression(source, unit)
        except ValueError as error:
            self.fail(str(error))
        self.checked(parsed, numbers)
        return parsed

    def value(self, source: object, unit: str, numbers: frozenset[str], *, times: bool = False) -> Value:
        """An expression or a distribution over known names; `times` admits those that give times of arrival."""
        try:
            parsed = parse_value(source, unit)
        except ValueError as error:
            self.fail(str(error))
        if isinstance(parsed, Draw) and parsed.kind == "poisson" and not times:
            self.fail("poisson gives times of arrival", remedy="use it in arrival or start; a gap is exponential")
        return self.checked(parsed, numbers)


def fail(what: str, where: str, line: int | None, *, remedy: str | None = None) -> NoReturn:
    """Raise a WorkloadError at file:line."""
    raise WorkloadError(what, where=where if line is None else f"{where}:{line}", remedy=remedy)


def suggestion(name: str, among: Iterable[str]) -> str:
    """What to write instead of `name`: the nearest of `among`, or all of them."""
    among = list(among)
    near = difflib.get_close_matches(name, among, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(among)}" if among else "none is declared"


def parse_steps(source: object, names: Names, numbers: frozenset[str], depth: int = 0) -> tuple[Node, ...]:
    """A TOML array of steps. `numbers` are the loop variables around it. Raises WorkloadError with file and line."""
    if not isinstance(source, list):
        names.fail("steps must be a list", remedy='for example steps = [{ compute = "1ms" }]')
    if depth > MAX_DEPTH:
        names.fail(f"repeats nested deeper than {MAX_DEPTH}")
    return tuple(_step(item, names, numbers, depth) for item in source)


def _step(source: object, names: Names, numbers: frozenset[str], depth: int) -> Node:
    if isinstance(source, str):
        names.lines.key(source)
        kind = names.known(source, SEGMENT_KINDS, "step")
        if SEGMENT_KINDS[kind].uses:
            names.fail(f"{kind} needs an argument", remedy=f"write {{ {kind} = ... }}")
        return Step(kind, names.lines.line)
    if not isinstance(source, dict) or not source:
        names.fail(f'a step is a table such as {{ compute = "1ms" }} or a word; got {source!r}')
    if "repeat" in source:
        return _repeat(source, names, numbers, depth)
    kind = _kind(source, names)
    names.lines.key(kind)
    return _segment(kind, source, names, numbers)


def _kind(source: dict[str, Any], names: Names) -> str:
    kinds = [key for key in source if key in SEGMENT_KINDS]
    if len(kinds) > 1:
        names.lines.key(kinds[1])
        names.fail(f"a step does one thing; got {' and '.join(kinds)}", remedy="write them as two steps")
    if kinds:
        return kinds[0]
    first = next((key for key in source if key not in _DEFAULTS), next(iter(source)))
    names.lines.key(first)
    return names.known(first, (*SEGMENT_KINDS, "repeat"), "step")


def _repeat(source: dict[str, Any], names: Names, numbers: frozenset[str], depth: int) -> Repeat:
    line = names.lines.key("repeat")
    for key in source:
        names.known(key, ("repeat", "as", "steps"), "option of repeat")
    times = names.expression(source["repeat"], "count", numbers)
    if "i" in times.names:
        names.fail("repeat can't depend on i", remedy="all instances of a task have the same steps; vary their times")
    if times.names & numbers:
        names.fail("repeat can't depend on a loop variable", remedy="repeat a fixed number of times; vary the times")
    counter = source.get("as")
    if counter is not None and (not isinstance(counter, str) or not counter.isidentifier()):
        names.fail(f"as names a loop variable; got {counter!r}")
    if counter in names.numbers | numbers | {"i", "n"}:
        names.fail(f"the name {counter!r} is taken", remedy="choose another for this loop")
    body = parse_steps(source.get("steps", []), names, numbers | {counter} if counter else numbers, depth + 1)
    return Repeat(times, counter, body, line)


def _segment(kind: str, source: dict[str, Any], names: Names, numbers: frozenset[str]) -> Node:
    main, *options = SEGMENT_KINDS[kind].uses or (None,)
    for key in source:
        names.known(key, (kind, *options), f"option of {kind}")
    line = names.lines.line
    given = {column: names.value(source.get(column, _DEFAULTS[column]), column, numbers) for column in options}
    if main in _DEFAULTS:
        given[main] = names.value(source[kind], main, numbers, times=kind == "arrival")
        return Step(kind, line, None, given)
    if main is None:
        names.fail(f"{kind} takes no argument", remedy=f'write "{kind}"')
    if main == "object_id":
        return Step(kind, line, _object(kind, source[kind], names, numbers), given)
    return _of_task(kind, line, _reference(source[kind], names, names.tasks, "task", numbers), names)


def _of_task(kind: str, line: int | None, reference: Reference, names: Names) -> Node:
    if reference.index is not None:
        return Step(kind, line, reference)
    each = Step(kind, line, Reference(reference.name, variable(_EVERY)))
    return Repeat(names.tasks[reference.name], _EVERY, (each,), line)


def _reference(source: object, names: Names, among: Iterable[str], what: str, numbers: frozenset[str]) -> Reference:
    match = _REFERENCE.fullmatch(source) if isinstance(source, str) else None
    if match is None:
        names.fail(f"{source!r} is no name of {'an object' if what == 'object' else 'a task'}",
                   remedy='write "name" or "name[index]"')  # fmt: skip
    name = match[1]
    if what == "object" and name not in names.objects and not difflib.get_close_matches(name, names.objects, n=1):
        names.fail(f"unknown object {name!r}", remedy=f"declare it: [objects.{name}] with its kind")
    names.known(name, among, what)
    return Reference(name, None if match[2] is None else names.expression(match[2], "count", numbers))


def _object(kind: str, source: object, names: Names, numbers: frozenset[str]) -> Reference:
    reference = _reference(source, names, names.objects, "object", numbers)
    fitting, actual = USES_OBJECT[kind], names.objects[reference.name]
    if actual not in fitting:
        names.fail(f"{kind} needs a {' or '.join(fitting)}; {reference.name!r} is a {actual}")
    return reference
