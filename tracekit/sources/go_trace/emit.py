"""Writing rows: intervals opened and closed as goroutines change state, wakeups, ranges, and transitions for tests."""

from __future__ import annotations

from tracekit.sources.go_trace.compiled import part
from tracekit.sources.go_trace.state import (
    ABSENT,
    GC_MARK,
    GOROUTINE_MOVE,
    NONE,
    RUNNABLE,
    RUNNING,
    SYSCALL,
    UNDETERMINED,
    State,
)
from tracekit.vocabulary import REASONS, STATES

_IN_RUNNING, _IN_RUNNABLE, _IN_BLOCKED = STATES["RUNNING"], STATES["RUNNABLE"], STATES["BLOCKED"]
_SYSCALL_REASON = REASONS["syscall"]


@part
def stamp(s: State, time: int) -> int:
    """The time an event gets: its own, or one more than the last event's where clocks disagree (Go's reader.go)."""
    totals = s.totals[0]
    if time <= totals.last:
        time = totals.last + 1
        totals.mended += 1
    totals.last = time
    if totals.first == NONE:
        totals.first = time
    if totals.epoch == NONE:
        totals.epoch = time
    totals.events += 1
    return time


@part
def close_interval(s: State, goroutine: int, at: int) -> None:
    """End the goroutine's open interval."""
    g = s.goroutines[goroutine]
    if g.row == NONE:
        return
    row = s.rows[g.row]
    row.end = at
    if row.state == _IN_RUNNING and row.p >= 0:
        s.ps[row.p].free_from = at
    g.row = NONE


@part
def open_interval(s: State, goroutine: int, status: int, start: int, reason: int, m: int) -> None:
    """Begin an interval. Only a RUNNING one has a P: the recording does not tell where a goroutine is queued."""
    index = s.totals[0].rows
    s.totals[0].rows = index + 1
    row = s.rows[index]
    row.task = goroutine
    row.start = start
    row.end = NONE
    row.m = m
    row.p = NONE
    row.inferred = 0
    row.spare = 0
    row.reason = reason
    if status == RUNNING:
        row.state = _IN_RUNNING
        row.p = s.ms[m].p
    elif status == RUNNABLE:
        row.state = _IN_RUNNABLE
    else:
        row.state = _IN_BLOCKED
        if status == SYSCALL:
            row.reason = _SYSCALL_REASON
    g = s.goroutines[goroutine]
    g.row = index
    g.reason = row.reason


@part
def move(s: State, kind: int, at: int, of: int, before: int, after: int, m: int) -> None:
    """Keep one transition, if asked to."""
    totals = s.totals[0]
    if totals.record == 0:
        return
    row = s.moves[totals.moves]
    totals.moves += 1
    row.kind = kind
    row.at = at
    row.id = of
    row.before = before
    row.after = after
    row.m = m


@part
def change(s: State, goroutine: int, status: int, at: int, reason: int, m: int) -> None:
    """Take a goroutine from its status to `status` at `at`, on thread index `m` (0: none)."""
    g = s.goroutines[goroutine]
    move(s, GOROUTINE_MOVE, at, g.goid, g.status, status, m)
    close_interval(s, goroutine, at)
    g.status = status
    g.m = m
    if status == ABSENT:
        g.end = at
    else:
        open_interval(s, goroutine, status, at, reason, m)


@part
def appear(s: State, goroutine: int, at: int, m: int) -> None:
    """First sight of a goroutine that was there before: its state holds since the recording began.

    The runtime names a goroutine's status before its first event of a generation, so nothing changed before.
    A P or an interval that says otherwise (damaged files) moves the start.
    """
    g = s.goroutines[goroutine]
    move(s, GOROUTINE_MOVE, at, g.goid, UNDETERMINED, g.status, m)
    g.m = m
    g.start = s.totals[0].epoch
    start = s.totals[0].epoch
    if g.status == RUNNING and s.ms[m].p >= 0:
        start = max(start, s.ps[s.ms[m].p].free_from)
    open_interval(s, goroutine, g.status, start, NONE, m)
    if start < at:
        s.rows[g.row].inferred = 1


@part
def wake(s: State, at: int, waker: int, wakee: int, p: int, reason: int) -> None:
    """One wakeup; waker NONE is the scheduler, the network poller, or the runtime's monitor thread."""
    index = s.totals[0].wakeups
    s.totals[0].wakeups = index + 1
    row = s.wakeups[index]
    row.at = at
    row.waker = waker
    row.wakee = wakee
    row.p = p
    row.reason = reason


@part
def begin_mark(s: State, kind: int, at: int, of: int, text: int) -> int:
    """Begin a range; `of` is a goroutine's index or a P's id, `text` a string id of this generation."""
    index = s.totals[0].marks
    s.totals[0].marks = index + 1
    row = s.marks[index]
    row.kind = kind
    row.start = at
    row.end = NONE
    row.of = of
    row.text = text
    return index


@part
def end_mark(s: State, index: int, at: int) -> None:
    """End a range; one that was never seen to begin (NONE) is left out."""
    if index != NONE:
        s.marks[index].end = at


@part
def begin_gc_mark(s: State, at: int) -> None:
    """The collector's mark phase, of which there is at most one."""
    s.totals[0].gc_mark = begin_mark(s, GC_MARK, at, NONE, 0)
