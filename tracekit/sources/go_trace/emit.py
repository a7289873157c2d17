"""Writing rows: intervals opened and closed as goroutines change state, wakeups, ranges, and transitions for tests.

Times handed around here (`at`) are ns since the first event.
"""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace.columns import EARLY_ROWS
from tracekit.sources.go_trace.compiled import constant, nth, part
from tracekit.sources.go_trace.lookup import NONE, find, put
from tracekit.sources.go_trace.state import (
    ABSENT,
    GOROUTINE_MOVE,
    MAX_THREAD_ID,
    RUNNABLE,
    RUNNING,
    SYSCALL,
    UNDETERMINED,
    State,
)
from tracekit.vocabulary import REASONS, STATES

_IN_RUNNING, _IN_RUNNABLE, _IN_BLOCKED = STATES["RUNNING"], STATES["RUNNABLE"], STATES["BLOCKED"]
_SYSCALL_REASON = constant(REASONS["syscall"])


@part
def stamp(s: State, time: int) -> Any:
    """When an event happened: its own time, or 1 ns after the last event where clocks disagree (Go's reader.go)."""
    t = s.totals[0]
    if time <= t.last:
        time = t.last + 1
        t.mended += 1
    t.last = time
    t.events += 1
    if t.first == NONE:
        t.first = time
    at = time - t.first
    if t.epoch == NONE:
        t.epoch = at
    return at


@part
def find_or_add_m(s: State, thread: int) -> Any:
    """The index of a thread; a new one has neither P nor goroutine. Index 0 stands for no thread."""
    index = find(s.m_slots, thread)
    if index == NONE:
        index = s.totals[0].ms
        s.totals[0].ms = index + 1
        m = s.ms[nth(index)]
        m.id = thread
        # macOS gives addresses as thread ids; those are numbered as they appear.
        m.label = thread if 0 <= thread <= MAX_THREAD_ID else index
        m.goroutine = NONE
        m.p = NONE
        m.seen = 0
        put(s.m_slots, thread, index)
    return index


@part
def add_goroutine(s: State, goid: int, status: int, at: int) -> Any:
    """Enter a goroutine and return its index. Its task id is how many came before it."""
    index = s.totals[0].goroutines
    s.totals[0].goroutines = index + 1
    g = s.goroutines[nth(index)]
    g.goid = goid
    g.task = s.totals[0].tasks
    s.totals[0].tasks += 1
    g.status = status
    g.seq_generation = s.totals[0].generation
    g.seq = 0
    g.row = g.m = g.parent = g.end = g.assist = g.stw = g.region = g.reason = g.name = NONE
    g.free_from = g.doubted = 0
    g.start = at
    put(s.goroutine_slots, goid, index)
    return index


@part
def close_interval(s: State, goroutine: int, at: int) -> None:
    """End the goroutine's open interval, if it has one."""
    g = s.goroutines[nth(goroutine)]
    if g.row == NONE:
        return
    s.intervals.end[nth(g.row)] = at
    g.free_from = at
    p = s.intervals.p[nth(g.row)]
    if p >= 0:
        s.ps[nth(p)].free_from = at
    g.row = NONE


@part
def _write_interval(s: State, index: int, goroutine: int, start: int, reason: int, m: int, stack: int) -> None:
    """Begin an interval. Only a RUNNING one has a P: the recording does not tell where a goroutine is queued."""
    g = s.goroutines[nth(goroutine)]
    rows = s.intervals
    rows.task[nth(index)] = g.task
    rows.stack[nth(index)] = stack
    rows.start[nth(index)] = start
    rows.end[nth(index)] = NONE
    rows.thread[nth(index)] = s.ms[nth(m)].label
    rows.inferred[nth(index)] = False
    rows.p[nth(index)] = NONE
    if g.status == RUNNING:
        rows.state[nth(index)] = _IN_RUNNING
        rows.p[nth(index)] = s.ms[nth(m)].p
    elif g.status == RUNNABLE:
        rows.state[nth(index)] = _IN_RUNNABLE
    else:
        rows.state[nth(index)] = _IN_BLOCKED
        if g.status == SYSCALL:
            reason = _SYSCALL_REASON
    rows.reason[nth(index)] = reason
    g.row = index
    g.reason = reason


@part
def move(s: State, kind: int, at: int, of: int, before: int, after: int) -> None:
    """Keep one transition, if asked to."""
    t = s.totals[0]
    if t.record == 0:
        return
    index = t.moves
    t.moves = index + 1
    s.moves.kind[nth(index)] = kind
    s.moves.at[nth(index)] = at
    s.moves.id[nth(index)] = of
    s.moves.before[nth(index)] = before
    s.moves.after[nth(index)] = after


@part
def change(s: State, goroutine: int, status: int, at: int, reason: int, m: int, stack: int) -> None:
    """Take a goroutine from its status to `status` at `at`, on thread index `m` (0: none), at `stack` (or NONE)."""
    g = s.goroutines[nth(goroutine)]
    move(s, GOROUTINE_MOVE, at, g.goid, g.status, status)
    close_interval(s, goroutine, at)
    g.status = status
    g.m = m
    if status == ABSENT:
        g.end = at
    else:
        index = s.totals[0].rows
        s.totals[0].rows = index + 1
        _write_interval(s, index, goroutine, at, reason, m, stack)


@part
def appear(s: State, goroutine: int, at: int, m: int, stack: int) -> None:
    """First sight of a goroutine that was there before: its state holds since the recording (or a hole) began.

    The runtime names a goroutine's status before its first event of a generation, so nothing changed before.
    A P that says otherwise, or the goroutine's own first event (damaged files), moves the start.
    """
    g, t = s.goroutines[nth(goroutine)], s.totals[0]
    move(s, GOROUTINE_MOVE, at, g.goid, UNDETERMINED, g.status)
    g.m = m
    start = max(t.epoch, g.free_from, g.start)
    if g.status == RUNNING and s.ms[nth(m)].p >= 0:
        start = max(start, s.ps[nth(s.ms[nth(m)].p)].free_from)
    if start == 0 and t.early < EARLY_ROWS:
        index = t.early
        t.early = index + 1
    else:
        index = t.rows
        t.rows = index + 1
    _write_interval(s, index, goroutine, start, NONE, m, stack)
    s.intervals.inferred[nth(index)] = start < at


@part
def task_of(s: State, goroutine: int) -> Any:
    """The task id of a goroutine by its index; NONE for none."""
    if goroutine == NONE:
        return NONE
    return s.goroutines[nth(goroutine)].task


@part
def wake(s: State, at: int, waker: int, wakee: int, p: int, reason: int, stack: int) -> None:
    """One wakeup; waker NONE is the scheduler, the network poller, or the runtime's monitor thread."""
    index = s.totals[0].wakeups
    s.totals[0].wakeups = index + 1
    s.wakeups.at[nth(index)] = at
    s.wakeups.waker[nth(index)] = task_of(s, waker)
    s.wakeups.wakee[nth(index)] = s.goroutines[nth(wakee)].task
    s.wakeups.stack[nth(index)] = stack
    s.wakeups.p[nth(index)] = p
    s.wakeups.reason[nth(index)] = reason


@part
def begin_range(s: State, kind: int, at: int, goroutine: int, p: int, stack: int) -> Any:
    """Begin a range, by a goroutine's index or NONE, on a P or NONE. Returns its row."""
    index = s.totals[0].ranges
    s.totals[0].ranges = index + 1
    r, row = s.ranges, nth(index)
    r.kind[row] = kind
    r.start[row] = at
    r.task[row] = task_of(s, goroutine)
    r.p[row] = p
    r.stack[row] = stack
    r.inferred[row] = False
    r.end[row] = r.key[row] = r.bytes[row] = r.name[row] = r.text[row] = r.enclosing[row] = NONE
    return index


@part
def begin_inferred(s: State, kind: int, at: int, goroutine: int, p: int) -> Any:
    """Begin a range that was under way before it was first seen."""
    index = begin_range(s, kind, at, goroutine, p, NONE)
    s.ranges.inferred[nth(index)] = True
    return index


@part
def end_range(s: State, index: int, at: int) -> None:
    """End a range; one that was never seen to begin (NONE) is counted, and left out."""
    if index == NONE:
        s.totals[0].unbegun += 1
    else:
        s.ranges.end[nth(index)] = at


@part
def count(s: State, kind: int, at: int, value: int) -> None:
    """A counter has a value from now on."""
    index = s.totals[0].counts
    s.totals[0].counts = index + 1
    s.counts.kind[nth(index)] = kind
    s.counts.at[nth(index)] = at
    s.counts.value[nth(index)] = value
