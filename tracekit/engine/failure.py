"""Failure: what a crash takes with it, who is left waiting, and what never gets done.

A fault in a shared address space ends the whole process, whichever task had it (the kernel's do_group_exit; a Go
panic that nobody recovers ends the program as well). A process that faults ends alone: who joins it goes on, a pipe
whose last writer is gone reads as closed, and a write into a pipe without readers ends its writer by SIGPIPE
(pipe(7)). A reader that finds its pipe closed has nothing to do any more and ends too. Locks, events and wait groups
that the dead would have given stay as they are, and who waits for them waits on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracekit.engine.kernel import interrupt
from tracekit.engine.queue import disarm, task_slot
from tracekit.engine.record import charge
from tracekit.engine.state import (
    BLOCKED,
    E_CRASH,
    E_EXIT,
    ENDS,
    EXITED,
    NEW,
    NONE,
    O_SPAWN,
    R_JOIN,
    R_SEND,
    RUNNING,
    S_RECV,
    S_SEND,
    Sim,
)  # fmt: skip
from tracekit.engine.waiting import unblock
from tracekit.errors import UsageError
from tracekit.jit import njit
from tracekit.tables.bundle import Program
from tracekit.units import format_duration

_MANY = 1 << 30  # ends of a pipe, where nobody counts them because nothing can crash


@dataclass(frozen=True)
class Crash:
    """A fault from outside: the task (id or name) and the time in ns at which it strikes."""

    task: int | str
    at_ns: int


@njit
def crash(sim: Sim, cpu: int, task: int) -> None:
    """The running task faults."""
    t = sim.tasks[task]
    t.exit_reason = E_CRASH
    sim.threads[t.thread].leaving = ENDS
    charge(sim, cpu, task, O_SPAWN, sim.costs[t.layer].exit)


@njit
def sever(sim: Sim, cpu: int, task: int, reason: int) -> None:
    """The running task finds a pipe closed, and ends."""
    t = sim.tasks[task]
    t.exit_reason = reason
    sim.threads[t.thread].leaving = ENDS
    charge(sim, cpu, task, O_SPAWN, sim.costs[t.layer].exit)


@njit
def end_process(sim: Sim) -> None:
    """The address space goes, and every task of the program with it: nothing happens after now."""
    world = sim.world[0]
    world.live_converted = 0
    world.end_ns = world.now
    world.cut = 1


@njit
def _wake_reader(runtime: Any, kernel: Any, sim: Sim, item: int, cpu: int, task: int) -> None:
    o = sim.objects[item]
    while o.head >= 0:
        waiter = o.head
        o.head = sim.tasks[waiter].next
        o.due_messages += 1
        sim.tasks[waiter].retry = 1
        unblock(runtime, kernel, sim, waiter, cpu, task)


@njit
def _wake_writer(runtime: Any, kernel: Any, sim: Sim, item: int, cpu: int, task: int) -> None:
    o = sim.objects[item]
    while o.send_head >= 0:
        waiter = o.send_head
        o.send_head = sim.tasks[waiter].next
        o.due_rooms += 1
        sim.tasks[waiter].retry = 1
        unblock(runtime, kernel, sim, waiter, cpu, task)


@njit
def ended(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """After a task's end: a crash in a shared address space ends all; between processes its pipes close."""
    world = sim.world[0]
    t = sim.tasks[task]
    if t.exit_reason == E_CRASH:
        world.crashed += 1
        if not world.own_space:
            end_process(sim)
            return
    if world.main_returns and task == 0 and not world.own_space:
        end_process(sim)
        return
    if world.counted == 0:
        return
    if t.exit_reason == E_CRASH and world.crashed == 1:  # until now nobody minded pipes without writers
        for item in range(sim.objects.size):
            if sim.objects[item].writers == 0 and sim.objects[item].count == 0:
                _wake_reader(runtime, kernel, sim, item, cpu, task)
    for k in range(sim.first_end[task], sim.first_end[task + 1]):
        item = sim.pipe_ends[k] >> 1
        o = sim.objects[item]
        if sim.pipe_ends[k] & 1:
            o.writers -= 1
            if o.writers == 0 and world.crashed > 0 and o.count == 0:
                _wake_reader(runtime, kernel, sim, item, cpu, task)
        else:
            o.readers -= 1
            if o.readers == 0 and world.crashed > 0:
                _wake_writer(runtime, kernel, sim, item, cpu, task)


@njit
def _unlink(sim: Sim, task: int) -> None:
    """Take a blocked task out of the queue it waits in."""
    t = sim.tasks[task]
    if t.waits_on < 0:
        return
    if t.waiting == R_JOIN:
        head = sim.tasks[t.waits_on].joiners
    elif t.waiting == R_SEND:
        head = sim.objects[t.waits_on].send_head
    else:
        head = sim.objects[t.waits_on].head
    previous = NONE
    while head >= 0 and head != task:
        previous = head
        head = sim.tasks[head].next
    if head < 0:
        return
    if previous >= 0:
        sim.tasks[previous].next = t.next
    elif t.waiting == R_JOIN:
        sim.tasks[t.waits_on].joiners = t.next
    elif t.waiting == R_SEND:
        sim.objects[t.waits_on].send_head = t.next
    else:
        sim.objects[t.waits_on].head = t.next
    if t.waiting != R_JOIN and t.waiting != R_SEND and sim.objects[t.waits_on].tail == task:
        sim.objects[t.waits_on].tail = previous
    elif t.waiting == R_SEND and sim.objects[t.waits_on].send_tail == task:
        sim.objects[t.waits_on].send_tail = previous


@njit
def _forget(sim: Sim, task: int) -> None:
    """What the task was woken for, a message or room for one, is others' again."""
    t = sim.tasks[task]
    if not t.retry or t.pc >= t.end:
        return
    segment = sim.segments[t.pc]
    if segment.kind == S_RECV:
        sim.objects[segment.object].due_messages -= 1
    elif segment.kind == S_SEND:
        sim.objects[segment.object].due_rooms -= 1


@njit
def strike(runtime: Any, kernel: Any, sim: Sim, task: int) -> None:
    """A fault from outside hits the task, in whatever state it is; a process dies when it next has a CPU, as the
    kernel delivers a signal on the way back to user mode."""
    world = sim.world[0]
    t = sim.tasks[task]
    if t.state == NEW or t.state == EXITED:
        return
    world.struck = 1
    t.exit_reason = E_CRASH
    if not world.own_space:
        world.crashed += 1
        end_process(sim)
        return
    disarm(sim, task_slot(sim, task))
    th = sim.threads[t.thread]
    world.lost_ns += t.remaining
    t.remaining = 0
    t.copied = 0
    waits = t.state == BLOCKED or (t.state == RUNNING and th.leaving != 0)
    if waits:
        _unlink(sim, task)
    else:
        _forget(sim, task)
    if t.state == BLOCKED:
        t.retry = 1
        unblock(runtime, kernel, sim, task, NONE, NONE)
    elif t.state == RUNNING:
        interrupt(sim, t.cpu)
    world.lost_ns += th.carry
    th.carry = 0
    th.leaving = ENDS


def pipe_ends(program: Program, segments: Any, starts: Any, counting: bool) -> tuple[Any, Any]:
    """Which channels each task sends into (object * 2 + 1) and receives from (object * 2): where each task's begin, and
    the ends. Empty unless `counting`."""
    if not counting:
        return np.zeros(1, np.int64), np.zeros(1, np.int64)
    rows = np.flatnonzero((segments.kind == S_SEND) | (segments.kind == S_RECV))
    owners = np.searchsorted(starts, rows, side="right") - 1
    size = 2 * max(program.tables["objects"].num_rows, 1)
    ends = segments.object[rows].astype(np.int64) * 2 + (segments.kind[rows] == S_SEND)
    unique = np.unique(owners * size + ends)
    return np.searchsorted(unique // size, np.arange(len(starts))), np.append(unique % size, NONE)


def prepare(sim: Sim, counting: bool) -> None:
    """Count the ends of every pipe, where something can crash."""
    sim.tasks.exit_reason[:] = E_EXIT
    sim.objects.writers[:] = _MANY
    sim.objects.readers[:] = _MANY
    sim.world.counted[:] = counting
    if counting:
        ends = sim.pipe_ends[:-1]
        sim.objects.writers[:] = np.bincount(ends[ends % 2 == 1] // 2, minlength=len(sim.objects))
        sim.objects.readers[:] = np.bincount(ends[ends % 2 == 0] // 2, minlength=len(sim.objects))


def target(program: Program, given: Crash) -> int:
    """The task that a crash is aimed at. Raises UsageError for one that there is not, or that is not replayed."""
    tasks = program.tables["tasks"]
    names = tasks["name"].to_pylist()
    if isinstance(given.task, str):
        found = [task for task, name in enumerate(names) if name == given.task]
        if not found:
            raise UsageError(f"no task {given.task!r} to crash", remedy=f"there are {_some(names)}")
        if len(found) > 1:
            raise UsageError(f"{len(found)} tasks are called {given.task!r}", remedy=f"give an id, such as {found[0]}")
        task = found[0]
    else:
        task = given.task
    if not 0 <= task < len(names):
        raise UsageError(f"no task {task} to crash", remedy=f"ids go from 0 to {len(names) - 1}")
    if not tasks["converted"][task].as_py():
        raise UsageError(f"task {task} ({names[task]}) is not one of the replayed tasks", remedy="it only competes")
    if given.at_ns < 0:
        raise UsageError("a crash can't be before time 0")
    return task


def _some(names: list[Any]) -> str:
    shown = ", ".join(str(name) for name in names[:5])
    return f"{shown} and {len(names) - 5:,} more" if len(names) > 5 else shown


def missed(program: Program, sim: Sim, task: int, at_ns: int) -> UsageError:
    """Why a crash from outside hit nothing."""
    name = program.tables["tasks"]["name"][task].as_py()
    end_ns = int(sim.world.end_ns[0])
    row = sim.tasks[task]
    what = f"{name} (task {task}) can't crash at {format_duration(at_ns)}"
    if at_ns >= end_ns:
        return UsageError(f"{what}: the run ends at {format_duration(end_ns)}", remedy="give an earlier time")
    if int(row.ended) >= 0 and int(row.ended) <= at_ns:
        return UsageError(f"{what}: it ends at {format_duration(int(row.ended))}", remedy="give an earlier time")
    if int(row.state) == NEW:
        return UsageError(f"{what}: it is never created in this run")
    return UsageError(f"{what}: it is created at {format_duration(int(row.start))}", remedy="give a later time")
