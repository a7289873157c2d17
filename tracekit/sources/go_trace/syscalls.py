"""System calls, and the status events that tell where goroutines are. Rules from Go's `src/internal/trace/order.go`."""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace.codes import GO_STATUS_STACK
from tracekit.sources.go_trace.compiled import constant, nth, part
from tracekit.sources.go_trace.dictionary import Dictionary, place
from tracekit.sources.go_trace.emit import add_goroutine, appear, change, find_or_add_m, move, stamp, wake
from tracekit.sources.go_trace.faults import (
    BAD_STATUS,
    DONE,
    G_CHANGED,
    G_ELSEWHERE,
    G_EXISTS,
    G_LATE,
    G_NOT_IN_SYSCALL,
    HAS_GOROUTINE,
    NO_GOROUTINE,
    NO_THREAD_FOR_EVENT,
    P_CHANGED,
    P_SEQUENCE,
    WAIT,
)
from tracekit.sources.go_trace.goroutines import (
    bind_goroutine,
    lacks_goroutine,
    name_by,
    running_here,
)
from tracekit.sources.go_trace.lookup import NONE, find
from tracekit.sources.go_trace.processors import p_succeeds, set_p_seq
from tracekit.sources.go_trace.state import (
    ABSENT,
    GOROUTINE_MOVE,
    NO_M,
    P_ABANDONED,
    P_IDLE,
    P_MOVE,
    P_RUNNING,
    P_SYSCALL,
    RUNNABLE,
    RUNNING,
    SYSCALL,
    WAITING,
    State,
)
from tracekit.vocabulary import REASONS

_IN_SYSCALL = constant(REASONS["syscall"])


@part
def syscall_begin(s: State, c: Any, d: Dictionary) -> int:
    """The running goroutine enters a system call. The P's sequence number tells which call a theft belongs to."""
    lacks = running_here(s, c)
    if lacks != DONE:
        return lacks
    m = s.ms[nth(c.m)]
    if not p_succeeds(s, m.p, c.a0):
        return P_SEQUENCE
    set_p_seq(s, m.p, c.a0)
    s.ps[nth(m.p)].status = P_SYSCALL
    name_by(s, m.goroutine, d, c.a1)
    change(s, m.goroutine, SYSCALL, stamp(s, c.time), _IN_SYSCALL, c.m, place(d, c.a1))
    return DONE


@part
def syscall_end(s: State, c: Any) -> int:
    """The call ends and the thread still has its P."""
    lacks = lacks_goroutine(s, c)
    if lacks != DONE:
        return lacks
    m = s.ms[nth(c.m)]
    if s.goroutines[nth(m.goroutine)].status != SYSCALL:
        return G_NOT_IN_SYSCALL
    if s.ps[nth(m.p)].status != P_SYSCALL:
        return P_CHANGED
    s.ps[nth(m.p)].status = P_RUNNING
    change(s, m.goroutine, RUNNING, stamp(s, c.time), NONE, c.m, NONE)
    return DONE


@part
def syscall_end_blocked(s: State, c: Any) -> int:
    """The call ends and the P is gone; must wait until the theft, or the stop, of the P has been seen."""
    m = s.ms[nth(c.m)]
    if m.p != NONE and s.ps[nth(m.p)].status == P_SYSCALL:
        return WAIT
    if c.m == NO_M:
        return NO_THREAD_FOR_EVENT
    if m.goroutine == NONE:
        return NO_GOROUTINE
    g = m.goroutine
    if s.goroutines[nth(g)].status != SYSCALL:
        return G_NOT_IN_SYSCALL
    m.goroutine = NONE
    at = stamp(s, c.time)
    change(s, g, RUNNABLE, at, _IN_SYSCALL, NO_M, NONE)
    wake(s, at, NONE, g, m.p, _IN_SYSCALL, NONE)
    return DONE


@part
def create_in_syscall(s: State, c: Any) -> int:
    """A thread of C code calls into Go: its goroutine appears in a system call."""
    if c.m == NO_M:
        return NO_THREAD_FOR_EVENT
    if s.ms[nth(c.m)].goroutine != NONE:
        return HAS_GOROUTINE
    known = find(s.goroutine_slots, c.a0)
    if known != NONE and s.goroutines[nth(known)].status != ABSENT:
        return G_EXISTS
    at = stamp(s, c.time)
    new = add_goroutine(s, c.a0, ABSENT, at)
    s.ms[nth(c.m)].goroutine = new
    change(s, new, SYSCALL, at, _IN_SYSCALL, c.m, NONE)
    return DONE


@part
def destroy_in_syscall(s: State, c: Any) -> int:
    """Such a goroutine ends. Its P, if it still has one, is let go with it: the thread id may come back."""
    if c.m == NO_M:
        return NO_THREAD_FOR_EVENT
    m = s.ms[nth(c.m)]
    if m.goroutine == NONE:
        return NO_GOROUTINE
    if s.goroutines[nth(m.goroutine)].status != SYSCALL:
        return G_NOT_IN_SYSCALL
    if m.p != NONE:
        if s.ps[nth(m.p)].status != P_SYSCALL:
            return P_CHANGED
        s.ps[nth(m.p)].status = P_ABANDONED
        move(s, P_MOVE, stamp(s, c.time), m.p, P_SYSCALL, P_IDLE)
        s.totals[0].events -= 1  # one event on the wire
        m.p = NONE
    change(s, m.goroutine, ABSENT, stamp(s, c.time), NONE, NO_M, NONE)
    m.goroutine = NONE
    return DONE


@part
def go_status(s: State, c: Any, d: Dictionary) -> int:
    """A goroutine's status at the start of a generation; it must be what the events before have led to.

    Only the first generation may show a goroutine that no event has created.
    """
    status = c.a2
    if not RUNNABLE <= status <= WAITING:
        return BAD_STATUS
    g = find(s.goroutine_slots, c.a0)
    known = g != NONE and s.goroutines[nth(g)].status != ABSENT
    if known and s.goroutines[nth(g)].status != status:
        return G_CHANGED
    if not known and not s.totals[0].initial:
        return G_LATE
    m = _thread_of_status(s, c, g if known else NONE)
    if m < 0:
        return int(m)
    at = stamp(s, c.time)
    if g == NONE or (not known and s.goroutines[nth(g)].end != NONE):
        g = add_goroutine(s, c.a0, status, s.totals[0].epoch)
    s.goroutines[nth(g)].status = status
    s.goroutines[nth(g)].seq_generation = s.totals[0].generation
    s.goroutines[nth(g)].seq = 0
    if m > 0 and not bind_goroutine(s, m, g):
        return G_ELSEWHERE
    stack = place(d, c.a3) if c.type == GO_STATUS_STACK else NONE
    if stack != NONE:
        name_by(s, g, d, c.a3)
    if known:
        move(s, GOROUTINE_MOVE, at, c.a0, status, status)
    else:
        appear(s, g, at, m, stack)
    return DONE


@part
def _thread_of_status(s: State, c: Any, known: int) -> Any:
    """The thread index that the goroutine is on (0: none), or a fault."""
    if c.a2 == RUNNING:
        return c.m
    if c.a2 != SYSCALL:
        return 0
    if c.a1 == NONE:
        return NO_THREAD_FOR_EVENT
    m = find_or_add_m(s, c.a1)
    if m == c.m:
        if not s.totals[0].initial and s.ms[nth(m)].goroutine != known:
            return G_ELSEWHERE
        return m
    if s.ms[nth(m)].seen and (known == NONE or s.ms[nth(m)].goroutine != known):
        return G_ELSEWHERE
    s.ms[nth(m)].seen = 1
    return m
