"""rt-app configurations (https://github.com/scheduler-tools/rt-app, doc/tutorial.txt) as programs.

The grammar: `global`, `resources`, and `tasks` with `loop`, `instance`, `delay` and events in order, or phases of
them. Comments and trailing commas are allowed, keys may repeat and may have a suffix (`run1`), times are µs. What
rt-app does for its `duration` is found by running the configuration on as many CPUs as it has tasks (`rt_app_run`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tracekit.errors import WorkloadError
from tracekit.tables.bundle import Program
from tracekit.units import NS_PER_S, NS_PER_US, parse_duration_ns

EVENTS = ("runtime", "run", "sleep", "timer", "lock", "unlock", "wait", "signal", "broad", "sync", "suspend", "resume",
          "yield", "barrier", "fork", "mem", "iorun")  # fmt: skip
_WITH_TIME = ("runtime", "run", "sleep")
# What a program has no words for: left out, and listed in its meta.
_LEFT_OUT = ("priority", "policy", "cpus", "nodes_membind", "dl-runtime", "dl-period", "dl-deadline", "util_min",
             "util_max", "taskgroup", "numa_nodes_membind")  # fmt: skip
_BODIES = ("loop", "instance", "delay", "phases")
_OLD = ("exec", "period", "deadline", "lock_order")  # the grammar before 2013
DEFAULT_DURATION_NS = NS_PER_S  # where the file says none and a loop has no end
MAX_LOOPS = 10**9
MAX_INSTANCES = 100_000
_SKIPPED = re.compile(r'"(?:[^"\\\n]|\\.)*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
_TRAILING = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)


class Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys in order, repeated ones included."""

    def get(self, key: str, default: Any = None) -> Any:
        """The last value of a key."""
        return next((value for name, value in reversed(self) if name == key), default)


@dataclass(frozen=True)
class Event:
    """One event of a task: its kind, its time in ns or amount, and what it refers to."""

    kind: str
    amount: int = 0
    ref: str = ""
    mutex: str = ""


@dataclass(frozen=True)
class Phase:
    """Events, so many times; -1 for ever."""

    loop: int
    events: tuple[Event, ...]


@dataclass(frozen=True)
class TaskSpec:
    """A task: how many of it, after which delay each begins, and its phases."""

    name: str
    instances: int
    delay_ns: int
    loop: int
    phases: tuple[Phase, ...]


@dataclass(frozen=True)
class Config:
    """A file, read: what it says of tasks, and which keys it has that programs have no words for."""

    where: str
    sha256: str
    duration_ns: int | None
    tasks: tuple[TaskSpec, ...]
    left_out: dict[str, int]


def is_rt_app(path: Path) -> bool:
    """Whether a file is JSON, possibly with comments, that has tasks in the way of rt-app."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return False
    bare = _SKIPPED.sub(lambda m: m[0] if m[0][0] == '"' else " ", head).lstrip("\ufeff \t\r\n")
    return bare.startswith("{") and re.search(r'"tasks"\s*:\s*\{', bare) is not None and '"traceEvents"' not in bare


def rt_app_program(path: Path | str, *, parameters: Mapping[str, int | str] | None = None) -> Program:
    """The program of an rt-app configuration. `parameters` may replace `duration`. Raises WorkloadError."""
    from tracekit.program.rt_app_run import run

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(f"can't be read ({error})", where=str(path)) from None
    return run(parse_rt_app(text, where=str(path)), _duration(parameters, str(path)))


def _duration(parameters: Mapping[str, int | str] | None, where: str) -> int | None:
    for name, value in (parameters or {}).items():
        if name != "duration":
            raise WorkloadError(f"unknown parameter {name!r}", where=where, remedy="known: duration")
        try:
            return parse_duration_ns(value)
        except ValueError as error:
            raise WorkloadError(f"parameter duration: {error}", where=where) from None
    return None


def parse_rt_app(text: str, *, where: str) -> Config:
    """Read a configuration. Raises WorkloadError naming the line of what is no JSON, and any key it does not know."""
    data = _json(text, where)
    tasks = data.get("tasks") if isinstance(data, Pairs) else None
    if not isinstance(tasks, Pairs) or not tasks:
        raise WorkloadError("no tasks", where=where, remedy='an rt-app configuration has "tasks": { "name": { ... } }')
    reader = _Reader(where)
    specs = tuple(reader.task(name, body) for name, body in tasks)
    settings = data.get("global", Pairs())
    seconds = settings.get("duration", -1) if isinstance(settings, Pairs) else -1
    duration = seconds * NS_PER_S if isinstance(seconds, int) and 0 < seconds < 10**9 else None
    return Config(where, hashlib.sha256(text.encode()).hexdigest(), duration, specs, reader.left_out)


def _json(text: str, where: str) -> Any:
    """JSON with comments and trailing commas; lines stay where they are."""
    bare = _SKIPPED.sub(lambda m: m[0] if m[0][0] == '"' else re.sub(r"[^\n]", " ", m[0]), text)
    bare = _TRAILING.sub(lambda m: m[0] if m[0][0] == '"' else " ", bare).lstrip("\ufeff")
    try:
        return json.loads(bare, object_pairs_hook=Pairs, strict=False)
    except json.JSONDecodeError as error:
        raise WorkloadError(f"not JSON: {error.msg.lower()}", where=f"{where}:{error.lineno}") from None
    except (RecursionError, ValueError):
        raise WorkloadError("not JSON that can be read: nested too deeply, or a number too long", where=where) from None


class _Reader:
    """Tasks from JSON, and the keys left out on the way."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.left_out: dict[str, int] = {}
        self.name = ""

    def fail(self, what: str, remedy: str | None = None) -> NoReturn:
        raise WorkloadError(f"task {self.name}: {what}", where=self.where, remedy=remedy)

    def task(self, name: str, body: Any) -> TaskSpec:
        self.name = name
        if not isinstance(body, Pairs):
            self.fail("not an object")
        phases = body.get("phases")
        if phases is not None and not isinstance(phases, Pairs):
            self.fail("phases is not an object")
        if phases is None:
            parts: tuple[Phase, ...] = (Phase(1, self.events(body)),)
        else:
            self.events(body)
            parts = tuple(self.phase(part) for _, part in phases)
        return TaskSpec(name, self.number(body, "instance", 1, 0, MAX_INSTANCES),
                        self.number(body, "delay", 0, 0, 10**12) * NS_PER_US,
                        self.number(body, "loop", -1, -1, MAX_LOOPS), parts)  # fmt: skip

    def phase(self, body: Any) -> Phase:
        if not isinstance(body, Pairs):
            self.fail("a phase is not an object")
        return Phase(self.number(body, "loop", 1, -1, MAX_LOOPS), self.events(body))

    def number(self, body: Pairs, key: str, default: int, low: int, high: int) -> int:
        value = body.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fail(f"{key} is {value!r}; a whole number from {low} to {high} is expected")
        return value

    def events(self, body: Pairs) -> tuple[Event, ...]:
        return tuple(event for key, value in body if (event := self.event(key, value)) is not None)

    def event(self, key: str, value: Any) -> Event | None:
        if key in _BODIES:
            return None
        if key in _OLD:
            self.fail(f"{key} is of the grammar before rt-app 1.0", "write events: run, sleep, timer, lock ...")
        if key in _LEFT_OUT:
            self.left_out[key] = self.left_out.get(key, 0) + 1
            return None
        kind = next((e for e in EVENTS if key == e or re.fullmatch(re.escape(e) + r"[\d_-].*", key)), None)
        if kind is None:
            self.fail(f"unknown key {key!r}", f"known: {', '.join((*EVENTS, *_BODIES, *_LEFT_OUT))}")
        return self._known(kind, value)

    def _known(self, kind: str, value: Any) -> Event | None:
        if kind in ("mem", "iorun"):
            self.left_out[kind] = self.left_out.get(kind, 0) + 1
            return None
        if kind in _WITH_TIME:
            return Event(kind, self.number(Pairs([(kind, value)]), kind, 0, 0, 10**12) * NS_PER_US)
        if kind == "timer":
            if not isinstance(value, Pairs):
                self.fail("timer needs a ref and a period")
            period = self.number(value, "period", 0, 0, 10**12) * NS_PER_US
            return Event(kind, period, self.text(value.get("ref", "unique"), kind))
        if kind in ("wait", "sync"):
            if not isinstance(value, Pairs) or value.get("ref") is None or value.get("mutex") is None:
                self.fail(f"{kind} needs a ref and a mutex")
            return Event(kind, 0, self.text(value.get("ref"), kind), self.text(value.get("mutex"), kind))
        ref = "" if kind == "yield" else self.text(value, kind)
        return Event(kind, 0, ref or (self.name if kind in ("suspend", "resume") else ""))

    def text(self, value: Any, kind: str) -> str:
        if not isinstance(value, str):
            self.fail(f"{kind} needs a name; got {value!r}")
        return value


def steps_of(spec: TaskSpec) -> Iterator[Event]:
    """The events of a task in order, loops unrolled; it may not end."""
    if not any(phase.events and phase.loop for phase in spec.phases):
        return
    rounds = 0
    while spec.loop < 0 or rounds < spec.loop:
        rounds += 1
        for phase in spec.phases:
            turns = 0
            while phase.events and (phase.loop < 0 or turns < phase.loop):
                turns += 1
                yield from phase.events
