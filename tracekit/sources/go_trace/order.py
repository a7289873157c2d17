"""Merging all threads' events into one order: the earliest event that its sequence numbers allow comes next.

Timestamps alone don't order a Go trace: threads read their clocks before they take effect. Certain events carry
sequence numbers, and each waits until the one before it has been seen. Rules from Go's `src/internal/trace`
(order.go, reader.go).
"""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace import codes
from tracekit.sources.go_trace.annotations import annotation
from tracekit.sources.go_trace.collector import collector_event
from tracekit.sources.go_trace.compiled import constant, kernel, nth, part
from tracekit.sources.go_trace.cursors import EXHAUSTED, next_event, remove, sift_up, sort, update
from tracekit.sources.go_trace.dictionary import Dictionary
from tracekit.sources.go_trace.emit import count, find_or_add_m, stamp
from tracekit.sources.go_trace.faults import BAD_VALUE, DONE, NO_THREAD_FOR_EVENT, STUCK, WAIT
from tracekit.sources.go_trace.goroutines import (
    go_create,
    go_start,
    go_stop,
    go_switch,
    go_unblock,
    lacks_goroutine,
    lacks_p,
)
from tracekit.sources.go_trace.lookup import NONE
from tracekit.sources.go_trace.processors import proc_start, proc_status, proc_steal, proc_stop
from tracekit.sources.go_trace.state import NO_M, State
from tracekit.sources.go_trace.syscalls import (
    create_in_syscall,
    destroy_in_syscall,
    go_status,
    syscall_begin,
    syscall_end,
    syscall_end_blocked,
)
from tracekit.vocabulary import COUNTERS

_HEAP, _HEAP_GOAL, _CPU_LIMIT = (constant(COUNTERS[kind]) for kind in ("heap_bytes", "heap_goal_bytes", "cpu_limit"))
MORE = 3  # the kernel wants room: grow the state and call again
ROWS_A_STEP = 4  # at most this many records in any one array come from one event


@part
def _advance_p(s: State, c: Any) -> int:
    if c.type == codes.PROC_START:
        return proc_start(s, c)
    if c.type == codes.PROC_STOP:
        return proc_stop(s, c)
    if c.type == codes.PROC_STEAL:
        return proc_steal(s, c)
    return proc_status(s, c)


@part
def _advance_syscall(s: State, c: Any, d: Dictionary) -> int:
    if c.type == codes.GO_SYSCALL_BEGIN:
        return syscall_begin(s, c, d)
    if c.type == codes.GO_SYSCALL_END:
        return syscall_end(s, c)
    if c.type == codes.GO_SYSCALL_END_BLOCKED:
        return syscall_end_blocked(s, c)
    if c.type == codes.GO_CREATE_SYSCALL:
        return create_in_syscall(s, c)
    if c.type == codes.GO_DESTROY_SYSCALL:
        return destroy_in_syscall(s, c)
    return go_status(s, c, d)


@part
def _advance_other(s: State, c: Any) -> int:
    """Events that change no state here; what they need is checked all the same."""
    if c.type >= codes.FIRST_EXPERIMENTAL:
        allowed = DONE if c.m > 0 else NO_THREAD_FOR_EVENT
    else:
        allowed = lacks_p(s, c) if c.type in (codes.HEAP_ALLOC, codes.HEAP_GOAL) else lacks_goroutine(s, c)
    if allowed != DONE:
        return allowed
    if c.type in (codes.HEAP_ALLOC, codes.HEAP_GOAL, codes.PROCS_CHANGE) and c.a0 < 0:  # 2^63 and more
        return BAD_VALUE
    at = stamp(s, c.time)
    if c.type == codes.HEAP_ALLOC:
        count(s, _HEAP, at, c.a0)
    elif c.type == codes.HEAP_GOAL:
        count(s, _HEAP_GOAL, at, c.a0)
    elif c.type == codes.PROCS_CHANGE:
        count(s, _CPU_LIMIT, at, c.a0)
    return DONE


@part
def _advance(s: State, c: Any, d: Dictionary) -> int:
    """Apply the cursor's event if it may come next: DONE, WAIT or a fault."""
    s.ms[nth(c.m)].seen = 1
    kind = c.type
    if kind == codes.GO_START:
        return go_start(s, c)
    if kind in (codes.GO_BLOCK, codes.GO_STOP, codes.GO_DESTROY):
        return go_stop(s, c, d)
    if kind == codes.GO_UNBLOCK:
        return go_unblock(s, c, d)
    if kind in (codes.GO_CREATE, codes.GO_CREATE_BLOCKED):
        return go_create(s, c, d)
    if kind in (codes.GO_SWITCH, codes.GO_SWITCH_DESTROY):
        return go_switch(s, c)
    if codes.PROC_START <= kind <= codes.PROC_STATUS:
        return _advance_p(s, c)
    if codes.GO_CREATE_SYSCALL <= kind <= codes.GO_STATUS or kind == codes.GO_STATUS_STACK:
        return _advance_syscall(s, c, d)
    if codes.STW_BEGIN <= kind <= codes.GC_ASSIST_END:
        return collector_event(s, c, d)
    if codes.USER_TASK_BEGIN <= kind <= codes.USER_LOG:
        return annotation(s, c, d)
    return _advance_other(s, c)


@kernel
def install(
    s: State, data: Any, batches: Any, threads: Any, arguments: Any, ns_per_unit: float, cursors: Any, heap: Any
) -> int:
    """Open a cursor for each thread: rows (thread id, first batch, last batch).

    Batches that begin with what can't be decoded are left out; returns DONE, or the fault of the last of them.
    """
    size, damaged = 0, DONE
    for index in range(len(threads)):
        c, thread = cursors[nth(index)], threads[nth(index), 0]
        c.m = NO_M if thread == NONE else find_or_add_m(s, thread)
        c.batch, c.last_batch, c.offset, c.limit = threads[nth(index), 1], threads[nth(index), 2], 0, 0
        outcome = next_event(data, batches, arguments, ns_per_unit, s.totals[0].latest, c)
        while outcome < 0:
            s.totals[0].error_at, damaged = c.at, outcome
            c.offset = c.limit
            outcome = next_event(data, batches, arguments, ns_per_unit, s.totals[0].latest, c)
        if outcome == DONE:
            heap[nth(size)] = index
            size += 1
            sift_up(heap, cursors, size - 1)
    s.totals[0].heap = size
    s.totals[0].sample = 0
    return damaged


@part
def _try(
    s: State,
    data: Any,
    batches: Any,
    arguments: Any,
    ns_per_unit: float,
    cursors: Any,
    heap: Any,
    d: Dictionary,
    at: int,
) -> int:
    """Let the cursor at heap[at] advance, and decode its next event."""
    c = cursors[nth(heap[nth(at)])]
    s.totals[0].error_at, s.totals[0].error_slot = c.at, at
    outcome = _advance(s, c, d)
    if outcome != DONE:
        return outcome
    outcome = next_event(data, batches, arguments, ns_per_unit, s.totals[0].latest, c)
    if outcome == DONE:
        update(heap, s.totals[0].heap, cursors, at)
    elif outcome == EXHAUSTED:
        remove(heap, s.totals[0].heap, cursors, at)
        s.totals[0].heap -= 1
        outcome = DONE
    else:
        s.totals[0].error_at = c.at
    return outcome


@part
def _step(
    s: State, data: Any, batches: Any, arguments: Any, ns_per_unit: float, cursors: Any, heap: Any, d: Dictionary
) -> int:
    """Take the earliest event that may come next. STUCK if there is none within `patience` ns of the earliest."""
    size, latest = s.totals[0].heap, 0
    for at in range(size):
        outcome = _try(s, data, batches, arguments, ns_per_unit, cursors, heap, d, at)
        if outcome != WAIT:
            return outcome
        if at == 0:
            sort(heap, size, cursors)
            latest = cursors[nth(heap[0])].time + s.totals[0].patience
        if at + 1 < size and cursors[nth(heap[nth(at + 1)])].time > latest:
            break
    s.totals[0].error_at, s.totals[0].error_slot = cursors[nth(heap[0])].at, 0
    return STUCK


@part
def _room(s: State) -> Any:
    """How many events can be taken before an array is full."""
    t = s.totals[0]
    free = min(len(s.intervals.start) - t.rows, len(s.wakeups.at) - t.wakeups, len(s.ranges.start) - t.ranges)
    free = min(free, len(s.goroutines) - t.goroutines, len(s.ms) - t.ms, len(s.counts.at) - t.counts)
    free = min(free, len(s.user_slots) // 2 - t.users)
    if t.record != 0:
        free = min(free, len(s.moves.at) - t.moves)
    return free // ROWS_A_STEP


@kernel
def run(
    s: State,
    data: Any,
    batches: Any,
    arguments: Any,
    ns_per_unit: float,
    cursors: Any,
    heap: Any,
    samples: Any,
    d: Dictionary,
) -> int:
    """Take events until the generation is done (DONE), room is short (MORE), or something is wrong (a fault).

    CPU samples (ns, sorted) are no events here, but count where times are made to increase.
    """
    t = s.totals[0]
    while _room(s) > 0:
        for _ in range(_room(s)):
            if t.sample < len(samples) and (t.heap == 0 or samples[nth(t.sample)] < cursors[nth(heap[0])].time):
                stamp(s, samples[nth(t.sample)])
                t.sample += 1
                continue
            if t.heap == 0:
                return DONE
            outcome = _step(s, data, batches, arguments, ns_per_unit, cursors, heap, d)
            if outcome != DONE:
                return outcome
    return MORE
