"""P events: when each may come next, and what it does. Rules from Go's `src/internal/trace/order.go`."""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace.compiled import nth, part
from tracekit.sources.go_trace.emit import move, stamp
from tracekit.sources.go_trace.faults import (
    BAD_P,
    BAD_STATUS,
    DONE,
    NO_P,
    NO_THREAD_FOR_EVENT,
    P_CHANGED,
    P_ELSEWHERE,
    P_LOST,
    WAIT,
)
from tracekit.sources.go_trace.lookup import NONE, find
from tracekit.sources.go_trace.state import (
    MAX_P_ID,
    NO_SEQ,
    P_ABANDONED,
    P_ABSENT,
    P_IDLE,
    P_MOVE,
    P_RUNNING,
    P_SYSCALL,
    P_UNDETERMINED,
    State,
)


@part
def p_in_range(p: int) -> bool:
    """Whether an id from the file can be a P's."""
    return 0 <= p < MAX_P_ID


@part
def p_succeeds(s: State, p: int, seq: int) -> bool:
    """Whether `seq` is the P's next sequence number in this generation."""
    record = s.ps[nth(p)]
    return bool(record.seq_generation == s.totals[0].generation and seq == record.seq + 1)


@part
def set_p_seq(s: State, p: int, seq: int) -> None:
    """The P's sequence number is `seq` from now on."""
    s.ps[nth(p)].seq_generation = s.totals[0].generation
    s.ps[nth(p)].seq = seq


@part
def _bind_p(s: State, m: int, p: int) -> int:
    holder = s.ps[nth(p)].m
    if holder not in (NONE, m) and s.ms[nth(holder)].p == p:
        return P_ELSEWHERE
    if m > 0:
        s.ms[nth(m)].p = p
        s.ps[nth(p)].m = m
    return DONE


@part
def proc_status(s: State, c: Any) -> int:
    """A P's status at the start of a generation; it must be what the events before have led to.

    "Abandoned" says that the P is about to be stolen from a system call that the generation does not show.
    """
    p, status = c.a0, c.a1
    if not p_in_range(p):
        return BAD_P
    if not P_RUNNING <= status <= P_ABANDONED:
        return BAD_STATUS
    record = s.ps[nth(p)]
    known = record.status
    promoted = status == P_ABANDONED and known == P_SYSCALL
    if known not in (P_ABSENT, status) and not promoted:
        return P_CHANGED
    if promoted and (record.m == NONE or s.ms[nth(record.m)].p != p):
        return P_LOST
    if status in (P_RUNNING, P_SYSCALL) and _bind_p(s, c.m, p) != DONE:
        return P_ELSEWHERE
    before = status
    if known == P_ABSENT:
        before = P_UNDETERMINED if s.totals[0].initial else P_ABSENT
        record.status = status
    elif promoted:
        before = P_SYSCALL
    set_p_seq(s, p, NO_SEQ)
    move(s, P_MOVE, stamp(s, c.time), p, before, record.status)
    return DONE


@part
def proc_start(s: State, c: Any) -> int:
    """The thread takes an idle P, once that P's events before have been seen and it has lost the one it had."""
    p, m = c.a0, s.ms[nth(c.m)]
    if not p_in_range(p):
        return BAD_P
    if s.ps[nth(p)].status != P_IDLE or not p_succeeds(s, p, c.a1) or m.p != NONE:
        return WAIT
    if c.m == 0:
        return NO_THREAD_FOR_EVENT
    s.ps[nth(p)].status = P_RUNNING
    s.ps[nth(p)].m = c.m
    set_p_seq(s, p, c.a1)
    m.p = p
    move(s, P_MOVE, stamp(s, c.time), p, P_IDLE, P_RUNNING)
    return DONE


@part
def proc_stop(s: State, c: Any) -> int:
    """The thread gives its P up. Bound to the thread, it needs no sequence number."""
    m = s.ms[nth(c.m)]
    if m.p == NONE:
        return NO_P
    p = s.ps[nth(m.p)]
    if p.status not in (P_RUNNING, P_SYSCALL):
        return P_CHANGED
    p.status = P_IDLE
    move(s, P_MOVE, stamp(s, c.time), m.p, P_RUNNING, P_IDLE)
    m.p = NONE
    return DONE


@part
def proc_steal(s: State, c: Any) -> int:
    """A P is taken from a thread in a system call, by itself or by another."""
    p = c.a0
    if not p_in_range(p):
        return BAD_P
    record = s.ps[nth(p)]
    before = record.status
    if before not in (P_SYSCALL, P_ABANDONED) or not p_succeeds(s, p, c.a1):
        return WAIT
    if c.m == 0:
        return NO_THREAD_FOR_EVENT
    if before == P_SYSCALL:
        victim = find(s.m_slots, c.a2)
        if victim == NONE or s.ms[nth(victim)].p != p:
            return P_LOST
        s.ms[nth(victim)].p = NONE
    record.status = P_IDLE
    set_p_seq(s, p, c.a1)
    move(s, P_MOVE, stamp(s, c.time), p, before, P_IDLE)
    return DONE
