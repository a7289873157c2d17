"""Who is on which CPU: the chain of switches, and what is inferred where it is broken."""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.kernel.events import Number, wide
from tracekit.sources.kernel.rows import (
    add_gap,
    add_wakeup,
    close_row,
    end_task,
    open_row,
    task_for,
)
from tracekit.sources.kernel.world import (
    BLOCKED,
    BROKEN_CHAIN,
    EARLY_WAKEUP,
    EXITED,
    IDLE,
    INFERRED,
    INFERRED_SWITCH,
    MISSED_WAKEUP,
    NO,
    NO_TIME,
    NOT_SEEN,
    NULL,
    REASON_UNINTERRUPTIBLE,
    REASON_WAKEUP,
    REASON_YIELD,
    REFINED,
    RUNNABLE,
    RUNNING,
    UNKNOWN,
    YES,
    World,
)


@lean
def vanish(w: World, task: int, until_ns: int) -> None:
    """A RUNNING task turns up elsewhere, or another in its place: it left its CPU at an unknown time."""
    cpu = w.tasks[task]["cpu"]
    left_ns = w.cpus[cpu]["seen_ns"]
    add_gap(w, cpu, left_ns, until_ns, BROKEN_CHAIN)
    w.intervals[w.tasks[task]["row"]]["inferred"] = 1
    w.cpus[cpu]["task"] = NOT_SEEN
    w.cpus[cpu]["pending"] = 0
    w.tasks[task]["hint_ns"] = NO_TIME
    close_row(w, task, left_ns)
    open_row(w, task, UNKNOWN, left_ns, NULL, NULL, YES)


@lean
def infer_switch_in(w: World, task: int, cpu: int, before: int, seen_ns: int, time_ns: int) -> None:
    """`task` is on `cpu` though no switch said so: it came after all that is known of both.

    Accounting tells when. Without it, an idle CPU took a queued task at once; in all other cases only what an
    event attests counts as RUNNING.
    """
    if w.tasks[task]["state"] == RUNNING:
        vanish(w, task, time_ns)
    row = w.tasks[task]["row"]
    if seen_ns < 0 and row < 0:  # the recording begins here for both: nothing is missing
        open_row(w, task, RUNNING, time_ns, cpu, NULL, NO)
        return
    lower_ns = max(seen_ns, NO)
    if row >= 0:
        lower_ns = max(lower_ns, w.intervals[row]["start_ns"])
        w.intervals[row]["inferred"] = 1
    add_gap(w, cpu, lower_ns, time_ns, INFERRED_SWITCH)
    w.counts[INFERRED] += 1
    hint_ns = w.tasks[task]["hint_ns"]
    if hint_ns == NO_TIME:
        start_ns = lower_ns if before == IDLE and w.tasks[task]["state"] == RUNNABLE else time_ns
    else:
        start_ns = min(max(hint_ns, lower_ns), time_ns)
    close_row(w, task, start_ns)
    open_row(w, task, RUNNING, start_ns, cpu, NULL, YES)
    w.tasks[task]["start_ns"] = min(w.tasks[task]["start_ns"], start_ns)
    c = w.cpus[cpu]
    c["pending"] = 1 if hint_ns == NO_TIME else 0
    c["lower_ns"] = lower_ns
    c["upper_ns"] = time_ns
    c["before_row"] = row
    if hint_ns != NO_TIME:
        w.counts[REFINED] += 1


@lean
def attest(w: World, cpu: int, tid: int, time_ns: int) -> Number:
    """An event fired on `cpu` while `tid` was current there. Returns the task, IDLE or NOT_SEEN."""
    if cpu < 0 or tid < 0:
        return NOT_SEEN
    task = IDLE if tid == 0 else task_for(w, tid, time_ns)
    c = w.cpus[cpu]
    before, seen_ns = c["task"], c["seen_ns"]
    if before != task:
        if before >= 0:
            vanish(w, before, time_ns)
        if task >= 0:
            infer_switch_in(w, task, cpu, before, seen_ns, time_ns)
        c["task"] = task
    c["seen_ns"] = time_ns
    return task


@lean
def account(w: World, task: int, time_ns: int, runtime_ns: int) -> None:
    """The first accounting since a task got its CPU tells when that was (update_curr, kernel/sched/fair.c)."""
    t = w.tasks[task]
    if t["hint_ns"] != NO_TIME:
        return
    t["hint_ns"] = time_ns - runtime_ns
    if t["state"] != RUNNING or not w.cpus[t["cpu"]]["pending"]:
        return
    c = w.cpus[t["cpu"]]
    start_ns = min(max(time_ns - runtime_ns, c["lower_ns"]), c["upper_ns"])
    w.intervals[t["row"]]["start_ns"] = start_ns
    t["start_ns"] = min(t["start_ns"], start_ns)
    if c["before_row"] >= 0:
        w.intervals[c["before_row"]]["end_ns"] = start_ns
    c["pending"] = 0
    w.counts[REFINED] += 1


@lean
def leave(w: World, task: int, cpu: int, time_ns: int, prev_state: int, waits_for: int) -> None:
    """A recorded switch-out: the letter of prev_state says what comes next, and `waits_for` (REASONS, or NULL) why."""
    t = w.tasks[task]
    t["hint_ns"] = NO_TIME
    w.cpus[cpu]["pending"] = 0
    state = w.leave_state[prev_state]
    if state == EXITED:
        end_task(w, task, time_ns)
        return
    reason = wide(w.leave_reason[prev_state])
    if state == BLOCKED and reason in (NULL, REASON_UNINTERRUPTIBLE):
        if waits_for != NULL:
            reason = waits_for
        elif t["syscall"] > 0:
            reason = t["syscall"] - 1
    elif state == RUNNABLE and waits_for == REASON_YIELD:
        reason = waits_for
    close_row(w, task, time_ns)
    open_row(w, task, state, time_ns, cpu if state == RUNNABLE else NULL, reason, NO)


@lean
def enter(w: World, task: int, cpu: int, time_ns: int) -> None:
    """A recorded switch-in."""
    t = w.tasks[task]
    if t["state"] == RUNNING:
        vanish(w, task, time_ns)
    if t["state"] == BLOCKED and t["woken_early"]:
        # Its waking fired after it had left the run queue but before its switch-out was recorded
        # (try_to_wake_up waits for on_cpu to fall, kernel/sched/core.c): it was never really BLOCKED.
        interval = w.intervals[t["row"]]
        interval["state"] = RUNNABLE
        interval["cpu"] = cpu
        add_wakeup(w, task, interval["start_ns"], t["waker"], t["waking_cpu"], cpu, wide(interval["reason"]))
        interval["reason"] = REASON_WAKEUP
        w.counts[EARLY_WAKEUP] += 1
    elif t["state"] == BLOCKED:
        w.counts[MISSED_WAKEUP] += 1
    t["woken_early"] = 0
    close_row(w, task, time_ns)
    open_row(w, task, RUNNING, time_ns, cpu, NULL, NO)
