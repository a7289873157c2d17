"""The scheduler's state, event by event: who runs where, who is queued, who is blocked, since when.

One compiled loop over events in time order writes intervals, wakeups and gaps. An interval's row is taken
when it opens and completed when it closes, so rows come out ordered by start, but for inferred starts.
Rows hold task numbers in order of creation; `build` renames them in order of first sight.
"""

from __future__ import annotations

from tracekit.jit import cached_njit, njit
from tracekit.sources.kernel.chain import (
    account,
    attest,
    enter,
    leave,
    vanish,
)
from tracekit.sources.kernel.events import Records, Row
from tracekit.sources.kernel.rows import (
    activate,
    add_gap,
    add_task,
    add_wakeup,
    close_row,
    end_task,
    known_task,
    open_row,
    task_for,
)
from tracekit.sources.kernel.world import (
    BLOCKED,
    COMM,
    EXEC,
    EXECUTED,
    EXIT,
    EXITED,
    FORK,
    IDLE,
    IN_INTERRUPT,
    KNOWN,
    MIGRATE,
    N_TASKS,
    NEW,
    NOT_SEEN,
    NULL,
    PID_REUSED,
    REASON_SPAWN,
    REASON_WAKEUP,
    RUNNABLE,
    RUNNING,
    STAT_RUNTIME,
    SWITCH,
    WAKEUP,
    WAKEUP_NEW,
    WAKING,
    WOKEN_RUNNABLE,
    WOKEN_RUNNING,
    World,
)


@njit
def _wake(w: World, task: int, time_ns: int, waker: int, cpu: int, target_cpu: int) -> None:
    t = w.tasks[task]
    state = t["state"]
    if state == RUNNING:
        w.counts[WOKEN_RUNNING] += 1
        t["woken_early"] = 1
        t["waker"] = waker
        t["waking_cpu"] = cpu
        return
    if state == RUNNABLE:
        w.counts[WOKEN_RUNNABLE] += 1
        return
    waited_for = w.intervals[t["row"]]["reason"] if state == BLOCKED else NULL
    add_wakeup(w, task, time_ns, waker, cpu, target_cpu, waited_for)
    close_row(w, task, time_ns)
    open_row(w, task, RUNNABLE, time_ns, target_cpu, REASON_WAKEUP, False)
    t["woken_early"] = 0


@njit
def _switch(w: World, event: Row, time_ns: int) -> None:
    cpu, next_tid = event["cpu"], event["target_tid"]
    prev = attest(w, cpu, event["tid"], time_ns)
    if event["tid"] < 0:  # the format does not say who leaves: whoever was there
        prev = w.cpus[cpu]["task"]
    if prev >= 0:
        leave(w, prev, cpu, time_ns, event["prev_state"])
    c = w.cpus[cpu]
    c["task"] = NOT_SEEN if next_tid < 0 else IDLE
    c["seen_ns"] = time_ns
    if next_tid > 0:
        task = task_for(w, next_tid, time_ns)
        enter(w, task, cpu, time_ns)
        c["task"] = task


@njit
def _waking(w: World, event: Row, current: int, time_ns: int) -> None:
    task = task_for(w, event["target_tid"], time_ns)
    waker = NULL if event["flags"] & IN_INTERRUPT or current < 0 else current
    cpu = event["cpu"]
    if w.use_wakeup:
        w.tasks[task]["waker"] = waker
        w.tasks[task]["waking_cpu"] = cpu
        return
    _wake(w, task, time_ns, waker, cpu, event["target_cpu"])
    if cpu >= 0:
        w.cpus[cpu]["wakee"] = task


@njit
def _wakeup(w: World, event: Row, current: int, time_ns: int) -> None:
    task = task_for(w, event["target_tid"], time_ns)
    if not w.use_wakeup:
        _requeue(w, task, event["target_cpu"], time_ns, True)
        return
    t = w.tasks[task]
    waker, cpu = t["waker"], t["waking_cpu"]
    if cpu < 0:  # no waking came before: whoever is current here woke it
        waker = NULL if event["flags"] & IN_INTERRUPT or current < 0 else current
        cpu = event["cpu"]
    t["waking_cpu"] = NULL
    _wake(w, task, time_ns, waker, cpu, event["target_cpu"])


@njit
def _requeue(w: World, task: int, cpu: int, time_ns: int, placing: bool) -> None:
    """A task's run queue changes: in place while its waker places it, else from now on."""
    t = w.tasks[task]
    if t["state"] != RUNNABLE:
        t["cpu"] = cpu if t["state"] != RUNNING else t["cpu"]
        return
    interval = w.intervals[t["row"]]
    if interval["cpu"] == cpu:
        return
    if placing:
        interval["cpu"] = cpu
        if t["wakeup_row"] >= 0:
            w.wakeups[t["wakeup_row"]]["target_cpu"] = cpu
        return
    reason, inferred = interval["reason"], interval["inferred"]
    close_row(w, task, time_ns)
    open_row(w, task, RUNNABLE, time_ns, cpu, reason, inferred != 0)


@njit
def _wakeup_new(w: World, event: Row, current: int, time_ns: int) -> None:
    task = task_for(w, event["target_tid"], time_ns)
    t = w.tasks[task]
    if t["parent"] < 0 and current >= 0:
        t["parent"] = current
    add_wakeup(w, task, time_ns, current if current >= 0 else NULL, event["cpu"], event["target_cpu"], REASON_SPAWN)
    if t["state"] == RUNNING:
        return
    close_row(w, task, time_ns)
    open_row(w, task, RUNNABLE, time_ns, event["target_cpu"], REASON_SPAWN, False)


@njit
def _retire(w: World, task: int, time_ns: int) -> None:
    """Another task has its tid now, so it ended, unseen."""
    t = w.tasks[task]
    if t["state"] == RUNNING:
        vanish(w, task, time_ns)
    if t["first"] >= 0:
        add_gap(w, NULL, t["start_ns"], time_ns, PID_REUSED)
        end_task(w, task, time_ns)
    t["state"] = EXITED


@njit
def _fork(w: World, event: Row, time_ns: int) -> None:
    child_tid = event["target_tid"]
    task = w.task_of_tid[child_tid]
    if task < 0 or w.tasks[task]["state"] != NEW:  # a recorder's note and the tracepoint tell of the same fork
        if task >= 0 and w.tasks[task]["state"] == EXITED:
            add_gap(w, NULL, time_ns, time_ns, PID_REUSED)
        elif task >= 0:
            _retire(w, task, time_ns)
        task = add_task(w, child_tid)
        activate(w, task, time_ns)
        open_row(w, task, NEW, time_ns, NULL, NULL, False)
    _describe(w, task, event)


@njit
def _describe(w: World, task: int, event: Row) -> None:
    t = w.tasks[task]
    if event["value"] >= 0:
        t["tgid"] = event["value"]
    if t["parent"] < 0 and event["tid"] > 0:
        t["parent"] = known_task(w, event["tid"])


@njit
def _exit(w: World, event: Row, time_ns: int) -> None:
    attest(w, event["cpu"], event["tid"], time_ns)
    t = w.tasks[known_task(w, event["target_tid"])]
    if t["state"] != EXITED:
        t["exiting"] = 1
        t["end_ns"] = time_ns


@njit
def _comm(w: World, event: Row) -> None:
    t = w.tasks[known_task(w, event["target_tid"])]
    if event["value"] >= 0:
        t["tgid"] = event["value"]
    if event["flags"] & EXECUTED:
        t["executed"] = 1


@njit
def _note(w: World, event: Row, time_ns: int) -> None:
    """What a recorder or a rare tracepoint tells of a task, not of a CPU."""
    kind = event["kind"]
    if kind == FORK:
        _fork(w, event, time_ns)
    elif kind == EXIT:
        _exit(w, event, time_ns)
    elif kind == COMM:
        _comm(w, event)
    elif kind == KNOWN:
        _describe(w, known_task(w, event["target_tid"]), event)


@njit
def _name(w: World, tid: int, row: int, role: int) -> None:
    task = w.task_of_tid[tid] if tid > 0 else NULL
    if task >= 0:
        w.tasks[task]["name_row"] = row
        w.tasks[task]["name_role"] = role


@njit
def _step(w: World, event: Row, time_ns: int) -> None:
    kind = event["kind"]
    if kind == SWITCH:
        _switch(w, event, time_ns)
        return
    if kind == STAT_RUNTIME:
        account(w, task_for(w, event["target_tid"], time_ns), time_ns, event["value"])
    if kind >= COMM or (kind == FORK and event["cpu"] < 0) or kind == EXIT:
        _note(w, event, time_ns)
        return
    current = attest(w, event["cpu"], event["tid"], time_ns)
    if kind == STAT_RUNTIME:
        return
    if current >= 0:
        w.tasks[current]["woken_early"] = 0  # it went on after it was woken: that waking is spent
    if kind == MIGRATE:
        task = task_for(w, event["target_tid"], time_ns)
        placing = event["cpu"] >= 0 and w.cpus[event["cpu"]]["wakee"] == task
        _requeue(w, task, event["target_cpu"], time_ns, placing)
        return
    if event["cpu"] >= 0:
        w.cpus[event["cpu"]]["wakee"] = NULL
    if kind == WAKING:
        _waking(w, event, current, time_ns)
    elif kind == WAKEUP:
        _wakeup(w, event, current, time_ns)
    elif kind == WAKEUP_NEW:
        _wakeup_new(w, event, current, time_ns)
    elif kind == FORK:
        _fork(w, event, time_ns)
    elif kind == EXEC and current >= 0:
        w.tasks[current]["executed"] = 1


@cached_njit
def run(w: World, events: Records, begin: int, end: int, origin_ns: int) -> None:
    """Take events[begin:end] (EVENT, in time order); times in rows count from `origin_ns`."""
    for row in range(begin, end):
        event = events[row]
        kind = event["kind"]
        _step(w, event, event["time_ns"] - origin_ns)
        if kind == SWITCH:
            _name(w, event["tid"], row, 0)
        if kind != EXEC and kind != EXIT and kind != KNOWN and (kind != FORK or event["cpu"] >= 0):
            _name(w, event["target_tid"], row, 1)


@cached_njit
def finish(w: World, end_ns: int) -> None:
    """The recording ends at `end_ns`: close what is open."""
    for task in range(w.counts[N_TASKS]):
        t = w.tasks[task]
        if t["row"] < 0:
            continue
        if t["exiting"]:
            end_task(w, task, max(t["end_ns"], w.intervals[t["row"]]["start_ns"]))
        else:
            close_row(w, task, end_ns)
