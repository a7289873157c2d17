"""Goroutine events: when each may come next, and what it does. Rules from Go's `src/internal/trace/order.go`.

A handler returns DONE, WAIT (an event of another thread must come first), or a fault.
"""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace.codes import GO_CREATE_BLOCKED, GO_DESTROY, GO_STOP, GO_SWITCH
from tracekit.sources.go_trace.compiled import constant, nth, part
from tracekit.sources.go_trace.dictionary import Dictionary, block_reason, place, root_name, stop_reason
from tracekit.sources.go_trace.emit import add_goroutine, change, stamp, task_of, wake
from tracekit.sources.go_trace.faults import (
    DONE,
    G_EXISTS,
    G_NOT_RUNNING,
    HAS_GOROUTINE,
    NO_GOROUTINE,
    NO_P,
    NO_THREAD_FOR_EVENT,
    WAIT,
)
from tracekit.sources.go_trace.lookup import NONE, find
from tracekit.sources.go_trace.state import (
    ABSENT,
    NO_M,
    RUNNABLE,
    RUNNING,
    SYSCALL,
    WAITING,
    State,
)
from tracekit.vocabulary import REASONS

_SPAWN, _WAKEUP, _COROUTINE = constant(REASONS["spawn"]), constant(REASONS["wakeup"]), constant(REASONS["coroutine"])


@part
def lacks_p(s: State, c: Any) -> int:
    """DONE if the event's thread has a P; else what it lacks."""
    if c.m == NO_M:
        return NO_THREAD_FOR_EVENT
    if s.ms[nth(c.m)].p == NONE:
        return NO_P
    return DONE


@part
def lacks_goroutine(s: State, c: Any) -> int:
    """DONE if the event's thread has a P and a goroutine; else what it lacks."""
    lacks = lacks_p(s, c)
    if lacks == DONE and s.ms[nth(c.m)].goroutine == NONE:
        return NO_GOROUTINE
    return lacks


@part
def running_here(s: State, c: Any) -> int:
    """DONE if the event's thread has a P and is running a goroutine's code; else what is wrong."""
    lacks = lacks_goroutine(s, c)
    if lacks == DONE and s.goroutines[nth(s.ms[nth(c.m)].goroutine)].status != RUNNING:
        return G_NOT_RUNNING
    return lacks


@part
def succeeds(s: State, goroutine: int, seq: int) -> bool:
    """Whether `seq` is the goroutine's next sequence number in this generation."""
    g = s.goroutines[nth(goroutine)]
    return bool(g.seq_generation == s.totals[0].generation and seq == g.seq + 1)


@part
def name_by(s: State, goroutine: int, d: Dictionary, stack: int) -> None:
    """Name a goroutine by the first stack it shows: the outermost function is what it runs."""
    g = s.goroutines[nth(goroutine)]
    if g.name == NONE:
        g.name = root_name(d, stack)


@part
def _waker(s: State, c: Any) -> Any:
    g = s.ms[nth(c.m)].goroutine
    if g != NONE and s.goroutines[nth(g)].status == RUNNING:
        return g
    return NONE


@part
def go_create(s: State, c: Any, d: Dictionary) -> int:
    """A goroutine is created on a P, by a running goroutine or by the runtime."""
    lacks = lacks_p(s, c)
    if lacks != DONE:
        return lacks
    creator = s.ms[nth(c.m)].goroutine
    if creator != NONE and s.goroutines[nth(creator)].status != RUNNING:
        return G_NOT_RUNNING
    known = find(s.goroutine_slots, c.a0)
    if known != NONE and s.goroutines[nth(known)].status != ABSENT:
        return G_EXISTS
    at = stamp(s, c.time)
    new = add_goroutine(s, c.a0, ABSENT, at)
    s.goroutines[nth(new)].parent = task_of(s, creator)
    name_by(s, new, d, c.a1)
    if c.type == GO_CREATE_BLOCKED:
        change(s, new, WAITING, at, _COROUTINE, NO_M, place(d, c.a1))
    else:
        change(s, new, RUNNABLE, at, _SPAWN, NO_M, place(d, c.a1))
        wake(s, at, creator, new, s.ms[nth(c.m)].p, _SPAWN, place(d, c.a2))
    return DONE


@part
def go_start(s: State, c: Any) -> int:
    """A runnable goroutine starts to run, once its events before have been seen."""
    g = find(s.goroutine_slots, c.a0)
    if g == NONE or s.goroutines[nth(g)].status != RUNNABLE or not succeeds(s, g, c.a1):
        return WAIT
    lacks = lacks_p(s, c)
    if lacks != DONE:
        return lacks
    if s.ms[nth(c.m)].goroutine != NONE:
        return HAS_GOROUTINE
    s.goroutines[nth(g)].seq = c.a1
    s.ms[nth(c.m)].goroutine = g
    change(s, g, RUNNING, stamp(s, c.time), NONE, c.m, NONE)
    return DONE


@part
def go_stop(s: State, c: Any, d: Dictionary) -> int:
    """The running goroutine ends, yields or blocks. Always possible: it is bound to its thread."""
    lacks = running_here(s, c)
    if lacks != DONE:
        return lacks
    g = s.ms[nth(c.m)].goroutine
    at = stamp(s, c.time)
    s.ms[nth(c.m)].goroutine = NONE
    if c.type == GO_DESTROY:
        change(s, g, ABSENT, at, NONE, NO_M, NONE)
        return DONE
    name_by(s, g, d, c.a1)
    if c.type == GO_STOP:
        change(s, g, RUNNABLE, at, stop_reason(d, c.a0), NO_M, place(d, c.a1))
    else:
        change(s, g, WAITING, at, block_reason(d, c.a0, c.a1), NO_M, place(d, c.a1))
    return DONE


@part
def go_unblock(s: State, c: Any, d: Dictionary) -> int:
    """A blocked goroutine becomes runnable. Anything can do this, with or without a P or a goroutine."""
    g = find(s.goroutine_slots, c.a0)
    if g == NONE or s.goroutines[nth(g)].status != WAITING or not succeeds(s, g, c.a1):
        return WAIT
    s.goroutines[nth(g)].seq = c.a1
    at = stamp(s, c.time)
    waited_for = s.goroutines[nth(g)].reason
    change(s, g, RUNNABLE, at, _WAKEUP, NO_M, NONE)
    wake(s, at, _waker(s, c), g, s.ms[nth(c.m)].p, waited_for, place(d, c.a2))
    return DONE


@part
def go_switch(s: State, c: Any) -> int:
    """A coroutine switch: the next goroutine is unblocked, this one blocks or ends, the next one starts.

    Three events, each a nanosecond after the other, as Go's reader gives them.
    """
    lacks = running_here(s, c)
    if lacks != DONE:
        return lacks
    after = find(s.goroutine_slots, c.a0)
    if after == NONE or s.goroutines[nth(after)].status != WAITING or not succeeds(s, after, c.a1):
        return WAIT
    current = s.ms[nth(c.m)].goroutine
    at = stamp(s, c.time)
    waited_for = s.goroutines[nth(after)].reason
    change(s, after, RUNNABLE, at, _WAKEUP, NO_M, NONE)
    wake(s, at, current, after, s.ms[nth(c.m)].p, waited_for, NONE)
    change(s, current, WAITING if c.type == GO_SWITCH else ABSENT, stamp(s, c.time), _COROUTINE, NO_M, NONE)
    s.goroutines[nth(after)].seq = c.a1
    s.ms[nth(c.m)].goroutine = after
    change(s, after, RUNNING, stamp(s, c.time), NONE, c.m, NONE)
    s.totals[0].events -= 2  # one event on the wire
    return DONE


@part
def bind_goroutine(s: State, m: int, goroutine: int) -> bool:
    """Put a goroutine on a thread. False if either is taken: that would be one in two places."""
    holder = s.goroutines[nth(goroutine)].m
    if holder > 0 and holder != m and s.ms[nth(holder)].goroutine == goroutine:
        return False
    there = s.ms[nth(m)].goroutine
    if there not in (NONE, goroutine) and s.goroutines[nth(there)].status in (RUNNING, SYSCALL):
        return False
    if m > 0:
        s.ms[nth(m)].goroutine = goroutine
    return True
