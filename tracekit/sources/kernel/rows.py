"""Opening and closing rows: the only code that writes tasks, intervals, wakeups and gaps anew."""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.kernel.events import Number
from tracekit.sources.kernel.world import (
    EXITED,
    N_ACTIVE,
    N_GAPS,
    N_INTERVALS,
    N_TASKS,
    N_WAKEUPS,
    NULL,
    PID_REUSED,
    ROOM,
    World,
)


@lean
def has_room(w: World) -> Number:
    """Whether every array can take what one event adds."""
    return (
        w.counts[N_TASKS] + ROOM <= len(w.tasks)
        and w.counts[N_INTERVALS] + ROOM <= len(w.intervals)
        and w.counts[N_WAKEUPS] + ROOM <= len(w.wakeups)
        and w.counts[N_GAPS] + ROOM <= len(w.gaps)
    )


@lean
def add_gap(w: World, cpu: int, start_ns: int, end_ns: int, cause: int) -> None:
    """A gap on `cpu` (NULL: the whole recording), of unknown loss."""
    gap = w.gaps[w.counts[N_GAPS]]
    w.counts[N_GAPS] += 1
    gap["cpu"] = cpu
    gap["start_ns"] = start_ns
    gap["end_ns"] = end_ns
    gap["lost_events"] = NULL
    gap["cause"] = cause


@lean
def open_row(w: World, task: int, state: int, start_ns: int, cpu: int, reason: int, inferred: int) -> None:
    """`task` is in `state` from `start_ns` on; `cpu` and `reason` may be NULL."""
    row = w.counts[N_INTERVALS]
    w.counts[N_INTERVALS] += 1
    interval = w.intervals[row]
    interval["task"] = task
    interval["cpu"] = cpu
    interval["state"] = state
    interval["reason"] = reason
    interval["inferred"] = inferred
    interval["start_ns"] = start_ns
    interval["end_ns"] = start_ns
    w.tasks[task]["row"] = row
    w.tasks[task]["state"] = state
    if cpu >= 0:
        w.tasks[task]["cpu"] = cpu


@lean
def close_row(w: World, task: int, end_ns: int) -> None:
    """Its open interval, if any, ends."""
    row = w.tasks[task]["row"]
    if row >= 0:
        w.intervals[row]["end_ns"] = end_ns
        w.tasks[task]["row"] = NULL


@lean
def end_task(w: World, task: int, end_ns: int) -> None:
    """It is over: no further state."""
    close_row(w, task, end_ns)
    w.tasks[task]["state"] = EXITED
    w.tasks[task]["end_ns"] = end_ns


@lean
def add_task(w: World, tid: int) -> Number:
    """A new task with this tid, which no event is about yet."""
    task = w.counts[N_TASKS]
    w.counts[N_TASKS] += 1
    w.tasks[task]["tid"] = tid
    w.task_of_tid[tid] = task
    return task


@lean
def known_task(w: World, tid: int) -> Number:
    """The task that has this tid, which need not have done anything yet."""
    task = w.task_of_tid[tid]
    return task if task >= 0 else add_task(w, tid)


@lean
def activate(w: World, task: int, time_ns: int) -> None:
    """The first event is about it: it counts as a task of the trace from here on."""
    w.tasks[task]["first"] = w.counts[N_ACTIVE]
    w.counts[N_ACTIVE] += 1
    t = w.tasks[task]
    t["start_ns"] = min(time_ns, t["end_ns"]) if t["exiting"] else time_ns  # its end was noted before its first event


@lean
def task_for(w: World, tid: int, time_ns: int) -> Number:
    """The task an event is about: an ended one's tid makes a new task."""
    task = known_task(w, tid)
    if w.tasks[task]["state"] == EXITED:
        add_gap(w, NULL, time_ns, time_ns, PID_REUSED)
        task = add_task(w, tid)
    if w.tasks[task]["first"] < 0:
        activate(w, task, time_ns)
    return task


@lean
def add_wakeup(w: World, task: int, time_ns: int, waker: int, cpu: int, target_cpu: int, reason: int) -> None:
    """`task` became runnable; `waker` NULL for a timer or an interrupt."""
    row = w.counts[N_WAKEUPS]
    w.counts[N_WAKEUPS] += 1
    wakeup = w.wakeups[row]
    wakeup["at_ns"] = time_ns
    wakeup["waker"] = waker
    wakeup["wakee"] = task
    wakeup["cpu"] = cpu
    wakeup["target_cpu"] = target_cpu
    wakeup["reason"] = reason
    w.tasks[task]["wakeup_row"] = row
