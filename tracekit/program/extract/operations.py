"""Operations: what tasks do besides computing, each at a place in its task's on-CPU time."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from tracekit.program.arrays import NULL, Flags, Ints
from tracekit.program.extract.timeline import Moments, Timeline
from tracekit.program.extract.waits import Waits, Wakeups
from tracekit.vocabulary import SEGMENTS

# A child that wakes its parent and then ends within this much computing woke it by ending: what is left is the
# way through exit (kernel/exit.c: exit_notify comes shortly before the last schedule).
JOIN_WITHIN_NS = 50_000
SIGNAL, SPAWN, YIELD = (SEGMENTS[kind] for kind in ("signal", "spawn", "yield"))
_WAIT, _SLEEP, _JOIN, _ARRIVAL = (SEGMENTS[kind] for kind in ("wait", "sleep", "join", "arrival"))


@dataclass(frozen=True)
class Operations:
    """One row per operation, in order of (task, place). `wake` ties a wait and its signal together."""

    task: Ints
    kind: Ints
    runs: Ints
    offset: Ints
    duration: Ints
    target: Ints
    wake: Ints

    def take(self, rows: npt.NDArray[np.intp] | Flags) -> Operations:
        """Some of the rows."""
        return Operations(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def place(self) -> Ints:
        """By task, by run, by place in it: none of the three decreases from one task or run to the next, so that
        their sum keeps that order."""
        return self.task + self.runs + self.offset

    @property
    def blocks(self) -> Flags:
        """Which of them leave the CPU."""
        blocks: Flags = (self.kind != SIGNAL) & (self.kind != SPAWN)
        return blocks


def operations(line: Timeline, wakeups: Wakeups, waits: Waits, spawns: Spawns, lives: Lives, *, open_arrivals: bool,
               slack_ns: int) -> Operations:  # fmt: skip
    """All operations of a recording. Each wait for a task has exactly one signal, and nothing can deadlock:

    a signal stands where its task had got to when it was recorded, or earlier, never behind a wait that ended
    later; so the recorded order itself is a way through the program. A kernel's sleeps lasted `slack_ns` longer than was
    asked for.
    """
    parts = [
        _waits(waits, open_arrivals, ~line.goroutines[waits.task] * slack_ns),
        _signals(line, wakeups, waits),
        _spawned(line, spawns),
        _yields(line),
    ]
    joined = Operations(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Operations)))
    # At one place first what the task did before it waited.
    order = np.argsort(joined.place * 2 + joined.blocks, kind="stable")
    return _with_joins(joined.take(order), line, lives, len(wakeups.at))


@dataclass(frozen=True)
class Spawns:
    """Tasks that others created within the recording: who, by whom, when."""

    child: Ints
    parent: Ints
    at: Ints


def fresh(spawns: Spawns, ended_at: Ints, goroutines: Flags) -> Flags:
    """Of each task whether it is a goroutine for which none that had ended was there to be used again: each end leaves
    one, each creation takes one (runtime/proc.go: gfput, gfget)."""
    children = np.flatnonzero(goroutines[spawns.child])
    ends = ended_at[goroutines & (ended_at != NULL)]
    times = np.concatenate([ends, spawns.at[children]])
    order = np.argsort(times, kind="stable")
    change = np.where(order < len(ends), 1, -1)
    left = np.cumsum(change)
    least = np.minimum.accumulate(np.append(0, left))[:-1]
    found = np.zeros(len(goroutines), np.bool_)
    found[spawns.child[children[order[left < least] - len(ends)]]] = True
    return found


@dataclass(frozen=True)
class Lives:
    """Of each task its parent (NULL: unknown) and whether it ended within the recording."""

    parent: Ints
    ended: Flags


def _part(at: Moments, kind: Ints, **columns: Ints) -> Operations:
    blank = {name: np.full(len(at.task), NULL) for name in ("duration", "target", "wake")}
    return Operations(at.task, kind, at.runs, at.offset, **{**blank, **columns})


def _waits(waits: Waits, open_arrivals: bool, slack_ns: Ints) -> Operations:
    kinds = waits.kinds(open_arrivals)
    lasted = np.where(kinds == _ARRIVAL, waits.end, waits.end - waits.start)
    lasted = np.where(kinds == _SLEEP, np.maximum(lasted - slack_ns, 1), lasted)
    duration = np.where(kinds == _WAIT, NULL, lasted)
    return _part(waits.at, kinds, duration=duration, wake=np.where(kinds == _WAIT, waits.wake, NULL))


def _signals(line: Timeline, wakeups: Wakeups, waits: Waits) -> Operations:
    wake = np.sort(waits.wake[waits.waker != NULL])
    task, at = wakeups.waker[wake], wakeups.at[wake]
    runs = wakeups.by.runs[wake] - _not_yet_awake(line, wakeups, waits, wake)
    return _part(Moments(task, runs, line.offsets(task, runs, at)), np.full(len(wake), SIGNAL), wake=wake)


def _not_yet_awake(line: Timeline, wakeups: Wakeups, waits: Waits, wake: Ints) -> Flags:
    """Wakeups in the very nanosecond in which their maker began to run, after a wakeup that is recorded later."""
    woken_by = np.full(len(line.runs) + 1, NULL)
    ran = waits.at.runs < line.first_run[waits.task + 1]
    woken_by[waits.at.runs[ran]] = waits.wake[ran]
    run = wakeups.by.runs[wake] - 1
    early: Flags = (line.run_start[run] == wakeups.at[wake]) & (woken_by[run] > wake)
    return early


def _spawned(line: Timeline, spawns: Spawns) -> Operations:
    at = line.moments(spawns.parent, spawns.at)
    return _part(at, np.full(len(spawns.child), SPAWN), target=spawns.child)


def _yields(line: Timeline) -> Operations:
    at = line.at_rows(line.yields())
    return _part(at, np.full(len(at.task), YIELD))


def _with_joins(ops: Operations, line: Timeline, lives: Lives, wakeups: int) -> Operations:
    """Turn waits of parents for their children's last wakeup into joins."""
    last = np.append(ops.task[1:] != ops.task[:-1], True)[: len(ops.task)]
    left = line.before[line.first_run[ops.task + 1]] - ops.offset
    ending = last & (ops.kind == SIGNAL) & lives.ended[ops.task] & (left < JOIN_WITHIN_NS)
    signals = np.flatnonzero(ending)
    wait_of = np.full(wakeups, NULL)
    wait_of[ops.wake[ops.kind == _WAIT]] = np.flatnonzero(ops.kind == _WAIT)
    waits = wait_of[ops.wake[signals]]
    own = lives.parent[ops.task[signals]] == ops.task[waits]
    signals, waits = signals[own], waits[own]
    kind, target, wake = ops.kind.copy(), ops.target.copy(), ops.wake.copy()
    kind[waits], target[waits], wake[waits] = _JOIN, ops.task[signals], NULL
    keep = np.ones(len(kind), np.bool_)
    keep[signals] = False
    return replace(ops, kind=kind, target=target, wake=wake).take(keep)
