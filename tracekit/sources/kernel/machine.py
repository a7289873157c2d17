"""The scheduler's state, event by event: who runs where, who is queued, who is blocked, since when.

One compiled loop over events in time order writes intervals, wakeups and gaps. An interval's row is taken
when it opens and completed when it closes, so rows come out ordered by start, but for inferred starts.
Rows hold task numbers in order of creation; `build` renames them in order of first sight.
"""

from __future__ import annotations

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.chain import account, attest, enter, leave
from tracekit.sources.kernel.events import Number, Records, wide
from tracekit.sources.kernel.lives import fork, last_of, note
from tracekit.sources.kernel.rows import add_wakeup, close_row, has_room, known_task, open_row, task_for
from tracekit.sources.kernel.world import (
    BLOCKED,
    COMM,
    EXEC,
    EXIT,
    FIRST,
    FORK,
    GENERIC_NUMBERS,
    IDLE,
    IN_INTERRUPT,
    KNOWN,
    MIGRATE,
    N_TASKS,
    NO,
    NOT_SEEN,
    NULL,
    REASON_SPAWN,
    REASON_WAKEUP,
    RUNNABLE,
    RUNNING,
    SECOND,
    STAT_RUNTIME,
    SWITCH,
    SYS_ENTER,
    WAKEUP,
    WAKEUP_NEW,
    WAKING,
    WOKEN_RUNNABLE,
    WOKEN_RUNNING,
    YES,
    Event,
    World,
)


@lean
def _wake(w: World, task: int, time_ns: int, waker: int, cpu: int, target_cpu: int) -> None:
    t = w.tasks[task]
    state = t["state"]
    if state == RUNNING:
        w.counts[WOKEN_RUNNING] += 1
        if not w.use_wakeup:  # a wakeup is when it is queued, a waking may come before it has left
            t["woken_early"] = 1
            t["waker"] = waker
            t["waking_cpu"] = cpu
        return
    if state == RUNNABLE:
        w.counts[WOKEN_RUNNABLE] += 1
        return
    waited_for = wide(w.intervals[t["row"]]["reason"]) if state == BLOCKED else NULL
    add_wakeup(w, task, time_ns, waker, cpu, target_cpu, waited_for)
    close_row(w, task, time_ns)
    open_row(w, task, RUNNABLE, time_ns, target_cpu, REASON_WAKEUP, NO)
    t["woken_early"] = 0


@lean
def _switch(w: World, now: Event) -> None:
    cpu, next_tid = now.cpu, now.target_tid
    prev = attest(w, cpu, now.tid, now.time_ns)
    if now.tid < 0:  # the format does not say who leaves: whoever was there
        prev = w.cpus[cpu]["task"]
    if prev >= 0:
        leave(w, prev, cpu, now.time_ns, now.prev_state, now.value)
    c = w.cpus[cpu]
    c["task"] = NOT_SEEN if next_tid < 0 else IDLE
    c["seen_ns"] = now.time_ns
    if next_tid > 0:
        task = task_for(w, next_tid, now.time_ns)
        enter(w, task, cpu, now.time_ns)
        c["task"] = task


@lean
def _waker(now: Event, current: int) -> Number:
    """Who woke: nobody, when an interrupt did; the idle task is nobody either."""
    return NULL if now.flags & IN_INTERRUPT or current < 0 else current


@lean
def _waking(w: World, now: Event, current: int) -> None:
    task = task_for(w, now.target_tid, now.time_ns)
    waker, cpu = _waker(now, current), now.cpu
    if w.use_wakeup:
        w.tasks[task]["waker"] = waker
        w.tasks[task]["waking_cpu"] = cpu
        return
    _wake(w, task, now.time_ns, waker, cpu, now.target_cpu)
    if cpu >= 0:
        w.cpus[cpu]["wakee"] = task


@lean
def _wakeup(w: World, now: Event, current: int) -> None:
    task = task_for(w, now.target_tid, now.time_ns)
    if not w.use_wakeup:
        _requeue(w, task, now.target_cpu, now.time_ns, YES)
        return
    t = w.tasks[task]
    cpu: Number = t["waking_cpu"]
    waker: Number = t["waker"]
    if cpu < 0:  # no waking came before: whoever is current here woke it
        waker, cpu = _waker(now, current), now.cpu
    t["waking_cpu"] = NULL
    _wake(w, task, now.time_ns, waker, cpu, now.target_cpu)


@lean
def _requeue(w: World, task: int, cpu: int, time_ns: int, placing: int) -> None:
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
    reason = wide(interval["reason"])
    close_row(w, task, time_ns)
    open_row(w, task, RUNNABLE, time_ns, cpu, reason, NO)


@lean
def _wakeup_new(w: World, now: Event, current: int) -> None:
    task = task_for(w, now.target_tid, now.time_ns)
    t = w.tasks[task]
    if t["parent"] < 0 and current >= 0:
        t["parent"] = current
    if t["state"] in (RUNNING, RUNNABLE):
        return
    add_wakeup(w, task, now.time_ns, current if current >= 0 else NULL, now.cpu, now.target_cpu, REASON_SPAWN)
    close_row(w, task, now.time_ns)
    open_row(w, task, RUNNABLE, now.time_ns, now.target_cpu, REASON_SPAWN, NO)


@lean
def _syscall(w: World, now: Event) -> None:
    """It tells who runs here, and what its task waits for should it block before it is back."""
    task = NOT_SEEN
    if now.time_ns > 0:
        task = attest(w, now.cpu, now.tid, now.time_ns)
    elif now.tid > 0:  # from before the first scheduling event, when it was that it ran is not told
        task = known_task(w, now.tid)
    if task < 0:
        return
    w.tasks[task]["woken_early"] = 0
    generic = 1 if now.flags & GENERIC_NUMBERS else 0
    known = now.kind == SYS_ENTER and 0 <= now.value < w.syscall_reasons.shape[1]
    w.tasks[task]["syscall"] = w.syscall_reasons[generic, now.value] + 1 if known else 0


@lean
def _name(w: World, tid: int, row: int, role: int) -> None:
    task = w.task_of_tid[tid] if tid > 0 else NULL
    if task >= 0:
        w.tasks[task]["name_row"] = row
        w.tasks[task]["name_role"] = role


@lean
def _step(w: World, now: Event) -> None:
    kind = now.kind
    if kind == SWITCH:
        _switch(w, now)
        return
    if kind >= SYS_ENTER:
        _syscall(w, now)
        return
    if kind == STAT_RUNTIME:
        account(w, task_for(w, now.target_tid, now.time_ns), now.time_ns, now.value)
    if kind >= COMM or (kind == FORK and now.cpu < 0) or kind == EXIT:
        note(w, now)
        return
    current = attest(w, now.cpu, now.tid, now.time_ns)
    if current >= 0 and now.tgid >= 0:
        w.tasks[current]["tgid"] = now.tgid
    if kind == STAT_RUNTIME:
        return
    if current >= 0:
        w.tasks[current]["woken_early"] = 0  # it went on after it was woken: that waking is spent
    if kind == MIGRATE:
        task = task_for(w, now.target_tid, now.time_ns)
        placing = YES if now.cpu >= 0 and w.cpus[now.cpu]["wakee"] == task else NO
        _requeue(w, task, now.target_cpu, now.time_ns, placing)
        return
    if now.cpu >= 0:
        w.cpus[now.cpu]["wakee"] = NULL
    if kind == WAKING:
        _waking(w, now, current)
    elif kind == WAKEUP:
        _wakeup(w, now, current)
    elif kind == WAKEUP_NEW:
        _wakeup_new(w, now, current)
    elif kind == FORK:
        fork(w, now)
    elif kind == EXEC and current >= 0:
        w.tasks[current]["executed"] = 1


@cached_njit
def run(w: World, events: Records, begin: int, end: int, origin_ns: int) -> int:
    """Take events[begin:end] (EVENT, in time order); times in rows count from `origin_ns`.

    Returns where it stopped: before `end` when an array might not have room for what an event adds.
    """
    for row in range(begin, end):
        if not has_room(w):
            return row
        event = events[row]
        now = Event(
            event["time_ns"] - origin_ns,
            wide(event["kind"]),
            wide(event["cpu"]),
            wide(event["tid"]),
            wide(event["tgid"]),
            wide(event["target_tid"]),
            wide(event["target_cpu"]),
            wide(event["prev_state"]),
            wide(event["flags"]),
            event["value"],
        )
        _step(w, now)
        if now.kind == SWITCH:
            _name(w, now.tid, row, FIRST)
        if now.kind not in (EXEC, EXIT, KNOWN) and now.kind < SYS_ENTER and (now.kind != FORK or now.cpu >= 0):
            _name(w, now.target_tid, row, SECOND)
    return end


@cached_njit
def finish(w: World, end_ns: int) -> None:
    """The recording ends at `end_ns`: close what is open."""
    for task in range(w.counts[N_TASKS]):
        last_of(w, task, end_ns)
