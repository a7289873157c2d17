"""Going on after damage: believe the event that can't follow, as far as that is plausible, or leave it out.

Where an event is missing, sequence numbers of its goroutine or P never fit again in that generation, and Go's
reader gives up. Here the earliest event that is waiting is taken as true: what it needs to have been before is
adopted, and whoever that contradicts is lost sight of until its next event. All of it counts as a hole.
"""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace import codes
from tracekit.sources.go_trace.compiled import kernel, nth, part
from tracekit.sources.go_trace.cursors import EXHAUSTED, next_event, remove, update
from tracekit.sources.go_trace.emit import add_goroutine, close_interval
from tracekit.sources.go_trace.faults import DONE
from tracekit.sources.go_trace.lookup import NONE, find
from tracekit.sources.go_trace.processors import p_in_range, set_p_seq
from tracekit.sources.go_trace.state import (
    ABSENT,
    GC_OFF,
    GC_ON,
    P_ABANDONED,
    P_ABSENT,
    P_IDLE,
    RUNNABLE,
    WAITING,
    State,
)

# How many events of one goroutine or P may be missing for its next one to be believed in a generation that has
# all its batches; beyond that, the number is damaged rather than the events missing.
_PLAUSIBLE_STEP = 1000


@part
def _now(s: State) -> Any:
    """The earliest that the next event can be; 0 before the first, whose time is not known yet."""
    t = s.totals[0]
    return 0 if t.first == NONE else t.last + 1 - t.first


@part
def _lose_goroutine(s: State, goroutine: int) -> None:
    """What a goroutine does is unknown from here on."""
    if goroutine == NONE:
        return
    g = s.goroutines[nth(goroutine)]
    close_interval(s, goroutine, _now(s))
    g.status = ABSENT
    g.reason = NONE
    if g.m > 0 and s.ms[nth(g.m)].goroutine == goroutine:
        s.ms[nth(g.m)].goroutine = NONE


@part
def _lose_p(s: State, p: int) -> None:
    """Whoever had the P has lost it, and what it was running is unknown."""
    holder = s.ps[nth(p)].m
    if holder > 0 and s.ms[nth(holder)].p == p:
        _lose_goroutine(s, s.ms[nth(holder)].goroutine)
        s.ms[nth(holder)].p = NONE


@part
def _doubt(record: Any, status: int) -> bool:
    """Whether the event's sequence number is what is wrong: all else fits, and that was not the guess last time too."""
    if record.status != status or record.doubted:
        record.doubted = 0
        return False
    record.doubted = 1
    return True


@part
def _adopt_goroutine(s: State, c: Any, status: int, partial: bool) -> bool:
    """Let the goroutine that the event names have the status and sequence number that the event needs."""
    g = find(s.goroutine_slots, c.a0)
    t = s.totals[0]
    if g == NONE:
        if not partial:
            return False
        g = add_goroutine(s, c.a0, status, _now(s))
    record = s.goroutines[nth(g)]
    before = record.seq if record.seq_generation == t.generation else 0
    if not partial:
        if _doubt(record, status):
            c.a1 = before + 1
            return True
        if not before < c.a1 <= before + _PLAUSIBLE_STEP:
            return False
    _lose_goroutine(s, g)
    s.goroutines[nth(g)].status = status
    s.goroutines[nth(g)].end = NONE
    s.goroutines[nth(g)].seq_generation = t.generation
    s.goroutines[nth(g)].seq = c.a1 - 1
    return True


@part
def _adopt_p(s: State, c: Any, status: int, partial: bool) -> bool:
    """The same for a P."""
    if not p_in_range(c.a0):
        return False
    p = s.ps[nth(c.a0)]
    before = p.seq if p.seq_generation == s.totals[0].generation else 0
    if not partial:
        if _doubt(p, status):
            c.a1 = before + 1
            return True
        if p.status == P_ABSENT or not before < c.a1 <= before + _PLAUSIBLE_STEP:
            return False
    _lose_p(s, c.a0)
    p.status = status
    set_p_seq(s, c.a0, c.a1 - 1)
    return True


@part
def _adopt_status(s: State, c: Any) -> bool:
    """A status event is right, whatever was thought before."""
    if c.type == codes.PROC_STATUS:
        if not p_in_range(c.a0):
            return False
        _lose_p(s, c.a0)
        s.ps[nth(c.a0)].status = P_ABSENT
        return True
    _lose_goroutine(s, find(s.goroutine_slots, c.a0))
    _lose_goroutine(s, s.ms[nth(c.m)].goroutine)
    return True


@part
def _adopt_on_thread(s: State, c: Any) -> bool:
    """The thread's own P is not in the state that its system call needs."""
    m = s.ms[nth(c.m)]
    if m.p == NONE or m.goroutine == NONE:
        return False
    if c.type == codes.GO_SYSCALL_BEGIN:
        set_p_seq(s, m.p, c.a0 - 1)
    else:
        s.ps[nth(m.p)].status = P_IDLE
        m.p = NONE
    return True


@kernel
def adopt(s: State, c: Any, partial: bool) -> bool:
    """Make the state one in which the cursor's event can come next, if that is plausible.

    `partial`: batches of this generation are missing, so that any event may be.
    """
    t = s.totals[0]
    if not t.initial:
        t.initial, t.epoch = 1, _now(s)  # from here on, goroutines may appear that nothing has created
    kind = c.type
    if kind == codes.GO_START:
        if not _adopt_goroutine(s, c, RUNNABLE, partial):
            return False
        _lose_goroutine(s, s.ms[nth(c.m)].goroutine)
        return True
    if kind in (codes.GO_UNBLOCK, codes.GO_SWITCH, codes.GO_SWITCH_DESTROY):
        return _adopt_goroutine(s, c, WAITING, partial)
    if kind == codes.PROC_START:
        if not _adopt_p(s, c, P_IDLE, partial):
            return False
        own = s.ms[nth(c.m)].p
        if own != NONE:
            _lose_p(s, own)
            s.ps[nth(own)].status = P_IDLE
        return True
    if kind == codes.PROC_STEAL:
        return _adopt_p(s, c, P_ABANDONED, partial)
    if kind in (codes.PROC_STATUS, codes.GO_STATUS, codes.GO_STATUS_STACK):
        return _adopt_status(s, c)
    if kind in (codes.GO_SYSCALL_BEGIN, codes.GO_SYSCALL_END_BLOCKED):
        return _adopt_on_thread(s, c)
    if kind in (codes.GC_BEGIN, codes.GC_ACTIVE, codes.GC_END):
        t.gc_seq = c.a0 - 1
        t.gc_state = GC_OFF if kind == codes.GC_BEGIN else GC_ON
        return True
    return False


@kernel
def skip(
    s: State, data: Any, batches: Any, arguments: Any, ns_per_unit: float, cursors: Any, heap: Any, undecoded: bool
) -> int:
    """Leave out the event at fault, or what is left of its batch if it can't be decoded. Returns DONE or a fault."""
    t = s.totals[0]
    c = cursors[nth(heap[nth(t.error_slot)])]
    if undecoded:
        c.offset = c.limit
    outcome = next_event(data, batches, arguments, ns_per_unit, t.latest, c)
    if outcome == EXHAUSTED:
        remove(heap, t.heap, cursors, t.error_slot)
        t.heap -= 1
        return DONE
    if outcome == DONE:
        update(heap, t.heap, cursors, t.error_slot)
    else:
        t.error_at = c.at
    return outcome
