"""The beginning and the end of tasks, and what recorders note about them."""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.kernel.chain import attest, vanish
from tracekit.sources.kernel.rows import activate, add_gap, add_task, close_row, end_task, known_task, open_row
from tracekit.sources.kernel.world import (
    COMM,
    EXECUTED,
    EXIT,
    EXITED,
    FORK,
    KNOWN,
    NEW,
    NO,
    NULL,
    PID_REUSED,
    RUNNING,
    Event,
    World,
)


@lean
def _retire(w: World, task: int, time_ns: int) -> None:
    """Another task has its tid now, so it ended, unseen."""
    t = w.tasks[task]
    if t["state"] == RUNNING:
        vanish(w, task, time_ns)
    if t["first"] >= 0:
        add_gap(w, NULL, t["start_ns"], time_ns, PID_REUSED)
    last_of(w, task, time_ns)
    t["state"] = EXITED
    t["end_ns"] = t["end_ns"] if t["exiting"] else time_ns


@lean
def last_of(w: World, task: int, end_ns: int) -> None:
    """Nothing more will be told of a task; of one that was ending, its last switch is missing."""
    t = w.tasks[task]
    if t["row"] >= 0 and t["exiting"]:
        end_task(w, task, max(t["end_ns"], w.intervals[t["row"]]["start_ns"]))
    elif t["row"] >= 0:
        close_row(w, task, end_ns)


@lean
def fork(w: World, now: Event) -> None:
    """A task begins; a recorder\'s note and the tracepoint tell of the same fork."""
    child_tid = now.target_tid
    task = w.task_of_tid[child_tid]
    if task < 0 or w.tasks[task]["state"] != NEW:
        if task >= 0 and w.tasks[task]["state"] == EXITED:
            add_gap(w, NULL, now.time_ns, now.time_ns, PID_REUSED)
        elif task >= 0:
            _retire(w, task, now.time_ns)
        task = add_task(w, child_tid)
        activate(w, task, now.time_ns)
        open_row(w, task, NEW, now.time_ns, NULL, NULL, NO)
    _describe(w, task, now)


@lean
def _describe(w: World, task: int, now: Event) -> None:
    t = w.tasks[task]
    if now.value >= 0:
        t["tgid"] = now.value
    if t["parent"] < 0 and now.tid > 0:
        t["parent"] = known_task(w, now.tid)


@lean
def _exit(w: World, now: Event) -> None:
    attest(w, now.cpu, now.tid, now.time_ns)
    t = w.tasks[known_task(w, now.target_tid)]
    if t["state"] != EXITED:
        t["exiting"] = 1
        t["end_ns"] = now.time_ns


@lean
def _comm(w: World, now: Event) -> None:
    t = w.tasks[known_task(w, now.target_tid)]
    if now.value >= 0:
        t["tgid"] = now.value
    if now.flags & EXECUTED:
        t["executed"] = 1


@lean
def note(w: World, now: Event) -> None:
    """What a recorder or a rare tracepoint tells of a task, not of a CPU."""
    kind = now.kind
    if kind == FORK:
        fork(w, now)
    elif kind == EXIT:
        _exit(w, now)
    elif kind == COMM:
        _comm(w, now)
    elif kind == KNOWN:
        _describe(w, known_task(w, now.target_tid), now)
