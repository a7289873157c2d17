"""What the tasks of an rt-app configuration do within its duration, if each has a CPU of its own.

A condition variable, and a resume, wakes who waits at that moment and is forgotten otherwise; a program's events count.
So a signal becomes a step where it woke somebody, once for each, and none where it was lost: what was found here is
then the same in every replay, whatever its timing.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracekit import __version__
from tracekit.errors import WorkloadError
from tracekit.program.check import find_problem
from tracekit.program.objects import object_groups
from tracekit.program.rt_app import DEFAULT_DURATION_NS, MAX_INSTANCES, Config, Event, TaskSpec, steps_of
from tracekit.tables.build import table
from tracekit.tables.bundle import Program
from tracekit.units import NS_PER_S
from tracekit.vocabulary import OBJECT_KINDS, SEGMENTS

MAX_STEPS = 5_000_000
NULL = -1
_NEVER_NS = 1 << 60  # every loop has its end


@dataclass
class _Task:
    """One instance: where it is, what it has done, and what it holds."""

    name: str
    number: int
    start_ns: int
    steps: Iterator[Event]
    now_ns: int
    done: list[tuple[int, int, int, int]] = field(default_factory=list)  # kind, duration, object, target
    held: list[str] = field(default_factory=list)
    timers: dict[str, int] = field(default_factory=dict)
    parent: int = NULL


def run(config: Config, duration_ns: int | None = None) -> Program:
    """The program. Raises WorkloadError for more than MAX_STEPS steps, and for locks used wrongly."""
    stated = duration_ns or config.duration_ns
    endless = any(-1 in (spec.loop, *(phase.loop for phase in spec.phases)) for spec in config.tasks)
    machine = _Machine(config, stated or (DEFAULT_DURATION_NS if endless else _NEVER_NS))
    machine.go()
    return machine.program(assumed=endless and not stated)


class _Machine:
    def __init__(self, config: Config, duration_ns: int) -> None:
        self.config, self.duration_ns = config, duration_ns
        self.specs = {spec.name: spec for spec in config.tasks}
        self.tasks: list[_Task] = []
        self.objects: dict[tuple[str, str], int] = {}
        self.owners: dict[str, _Task] = {}
        self.lockers: dict[str, deque[_Task]] = {}
        self.waiters: dict[tuple[str, str], deque[tuple[_Task, str]]] = {}
        self.queue: list[tuple[int, int, int]] = []
        self.counts: Counter[str] = Counter()
        self.ticket = self.steps = 0
        self.members = Counter(
            ref for s in config.tasks for ref in {e.ref for p in s.phases for e in p.events if e.kind == "barrier"}
            for _ in range(s.instances)
        )  # fmt: skip
        for spec in config.tasks:
            for instance in range(spec.instances):
                self._add(spec, instance, spec.delay_ns, NULL)

    def _add(self, spec: TaskSpec, instance: int, start_ns: int, parent: int) -> _Task:
        if len(self.tasks) >= MAX_INSTANCES:
            self._fail(f"more than {MAX_INSTANCES:,} tasks", "lower an instance")
        many = spec.instances > 1 or parent != NULL
        name = f"{spec.name}[{instance}]" if many else spec.name
        task = _Task(name, len(self.tasks), start_ns, steps_of(spec), start_ns, parent=parent)
        self.tasks.append(task)
        self._wake(task, start_ns)
        return task

    def _fail(self, what: str, remedy: str | None = None) -> None:
        raise WorkloadError(what, where=self.config.where, remedy=remedy)

    def _object(self, kind: str, name: str) -> int:
        return self.objects.setdefault((kind, name), len(self.objects))

    def _wake(self, task: _Task, at_ns: int) -> None:
        task.now_ns = max(task.now_ns, at_ns)
        self.ticket += 1
        heapq.heappush(self.queue, (task.now_ns, self.ticket, task.number))

    def _did(self, task: _Task, kind: str, duration: int = NULL, object_id: int = NULL, target: int = NULL) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            self._fail(f"more than {MAX_STEPS:,} steps", "lower the duration, for example --set duration=1s")
        task.done.append((SEGMENTS[kind], duration, object_id, target))

    def go(self) -> None:
        """Run until nothing more happens before the end; then every lock is let go."""
        while self.queue:
            _, _, number = heapq.heappop(self.queue)
            task = self.tasks[number]
            if task.now_ns >= self.duration_ns:
                self._stop(task)
                continue
            event = next(task.steps, None)
            if event is None:
                self._stop(task)
            elif getattr(self, f"_{event.kind}")(task, event):
                self._wake(task, task.now_ns)
        while any(task.held for task in self.tasks):  # one that lets go may give the lock to one that has stopped
            for task in self.tasks:
                self._stop(task)

    def _stop(self, task: _Task) -> None:
        for mutex in list(task.held):
            self._let_go(task, mutex)

    def _run(self, task: _Task, event: Event) -> bool:
        self._did(task, "compute", event.amount)
        task.now_ns += event.amount
        self._no_time(event)
        return True

    _runtime = _run

    def _no_time(self, event: Event) -> None:
        """A step that takes no time still counts, so that a loop of nothing else ends."""
        self.steps += 0 if event.amount else 1

    def _sleep(self, task: _Task, event: Event) -> bool:
        self._did(task, "sleep", event.amount)
        task.now_ns += event.amount
        return True

    def _timer(self, task: _Task, event: Event) -> bool:
        due = task.timers.get(event.ref, task.start_ns) + event.amount
        task.timers[event.ref] = due
        self.counts["timers"] += 1
        self._did(task, "arrival", due)
        task.now_ns = max(task.now_ns, due)
        return True

    def _yield(self, task: _Task, event: Event) -> bool:
        self._did(task, "yield")
        return True

    def _lock(self, task: _Task, event: Event) -> bool:
        return self._take(task, event.ref)

    def _take(self, task: _Task, mutex: str) -> bool:
        if mutex in self.owners:
            if self.owners[mutex] is task:
                self._fail(f"task {task.name} locks {mutex}, which it already holds", "unlock it first")
            self.lockers.setdefault(mutex, deque()).append(task)
            return False
        self.owners[mutex] = task
        task.held.append(mutex)
        self._did(task, "lock", object_id=self._object("mutex", mutex))
        return True

    def _unlock(self, task: _Task, event: Event) -> bool:
        if event.ref not in task.held:
            self._fail(f"task {task.name} unlocks {event.ref}, which it does not hold", "lock it first")
        self._let_go(task, event.ref)
        return True

    def _let_go(self, task: _Task, mutex: str) -> None:
        task.held.remove(mutex)
        del self.owners[mutex]
        self._did(task, "unlock", object_id=self._object("mutex", mutex))
        waiting = self.lockers.get(mutex)
        if waiting:
            other = waiting.popleft()
            other.now_ns = max(other.now_ns, task.now_ns)
            self._take(other, mutex)
            self._wake(other, task.now_ns)

    def _wait(self, task: _Task, event: Event) -> bool:
        if event.mutex not in task.held:
            self._fail(f"task {task.name} waits with {event.mutex}, which it does not hold", "lock it first")
        self._let_go(task, event.mutex)
        self.waiters.setdefault(("condition", event.ref), deque()).append((task, event.mutex))
        return False

    def _signal(self, task: _Task, event: Event) -> bool:
        return self._notify(task, "condition", event.ref, 1)

    def _broad(self, task: _Task, event: Event) -> bool:
        return self._notify(task, "condition", event.ref, None)

    def _sync(self, task: _Task, event: Event) -> bool:
        self._notify(task, "condition", event.ref, 1)
        return self._wait(task, event)

    def _suspend(self, task: _Task, event: Event) -> bool:
        self.waiters.setdefault(("suspend", event.ref), deque()).append((task, ""))
        return False

    def _resume(self, task: _Task, event: Event) -> bool:
        return self._notify(task, "suspend", event.ref, None)

    def _barrier(self, task: _Task, event: Event) -> bool:
        waiting = self.waiters.setdefault(("barrier", event.ref), deque())
        if len(waiting) + 1 < self.members[event.ref]:
            waiting.append((task, ""))
            return False
        return self._notify(task, "barrier", event.ref, None, lone=False)

    def _notify(self, task: _Task, kind: str, ref: str, most: int | None, *, lone: bool = True) -> bool:
        """Wake up to `most` waiters (None: all); each wakeup is a signal here and a wait there."""
        waiting = self.waiters.get((kind, ref), deque())
        self.counts["lost signals"] += lone and not waiting
        self.steps += not waiting
        for _ in range(len(waiting) if most is None else min(most, len(waiting))):
            other, mutex = waiting.popleft()
            event = self._object("event", f"{kind} {ref}")
            self._did(task, "signal", object_id=event)
            self._did(other, "wait", object_id=event)
            other.now_ns = max(other.now_ns, task.now_ns)
            if not mutex or self._take(other, mutex):
                self._wake(other, task.now_ns)
        if self.steps > MAX_STEPS:
            self._fail(f"more than {MAX_STEPS:,} steps", "lower the duration, for example --set duration=1s")
        return True

    def _fork(self, task: _Task, event: Event) -> bool:
        spec = self.specs.get(event.ref)
        if spec is None:
            self._fail(f"task {task.name} forks {event.ref!r}, which is no task")
            return False
        self.counts[f"fork {event.ref}"] += 1
        child = self._add(spec, spec.instances + self.counts[f"fork {event.ref}"] - 1, task.now_ns, task.number)
        self._did(task, "spawn", target=child.number)
        return True

    def program(self, *, assumed: bool) -> Program:
        """What they did, as tables."""
        done = np.array([step for task in self.tasks for step in task.done] or np.empty((0, 4)), np.int64)
        lengths = [len(task.done) for task in self.tasks]
        ordinals = np.concatenate([np.arange(length) for length in lengths])
        objects = self._objects()
        tables = {
            "tasks": table("program_tasks", {
                "task_id": np.arange(len(self.tasks), dtype=np.int32), "name": [task.name for task in self.tasks],
                "parent_id": np.array([task.parent for task in self.tasks], np.int32),
                "start_ns": np.array([NULL if t.parent != NULL else t.start_ns for t in self.tasks], np.int64),
                "converted": np.ones(len(self.tasks), np.bool_),
            }),
            "segments": table("segments", {
                "task_id": np.repeat(np.arange(len(self.tasks), dtype=np.int32), lengths),
                "ordinal": ordinals.astype(np.int32), "kind": done[:, 0].astype(np.int8), "duration_ns": done[:, 1],
                "object_id": done[:, 2].astype(np.int32), "target_id": done[:, 3].astype(np.int32),
            }),
            "objects": objects,
        }  # fmt: skip
        program = Program(tables, self._meta(object_groups(objects), assumed))
        problem = find_problem(program)
        if problem is not None:
            self._fail(problem.what)
        return program

    def _objects(self) -> Any:
        return table("objects", {
            "object_id": np.arange(len(self.objects), dtype=np.int32),
            "kind": np.array([OBJECT_KINDS[kind] for kind, _ in self.objects], np.int8),
            "name": [name for _, name in self.objects],
        })  # fmt: skip

    def _meta(self, groups: Any, assumed: bool) -> dict[str, Any]:
        rows = []
        if self.duration_ns < _NEVER_NS:
            reach = f"as far as they get in {self.duration_ns / NS_PER_S:g} s on CPUs of their own"
            rows.append(("loops", reach, len(self.tasks)))
        if assumed:
            rows.append(("no duration", f"{DEFAULT_DURATION_NS / NS_PER_S:g} s", 1))
        rows += [
            ("timers", "due one period after another since their task began", self.counts["timers"]),
            ("signals while nobody waits", "lost, as in rt-app: no step", self.counts["lost signals"]),
        ]
        rows += [(f"rt-app key {key}", "left out", count) for key, count in self.config.left_out.items()]
        return {
            "origin": "workload", "name": self.config.where.replace("\\", "/").split("/")[-1].split(".")[0],
            "form": None, "source": {"path": self.config.where, "sha256": self.config.sha256,
                                     "parameters": {"duration": min(self.duration_ns, _NEVER_NS)}},
            "seed": None, "cpus": None, "coverage": None, "removed_ns": {}, "main_returns": False,
            "policies": [{"policy": p, "choice": c, "count": n} for p, c, n in rows if n],
            "objects": groups, "tool_version": __version__,
        }  # fmt: skip
