"""Ranges of the collector and of a stopped world. Rules from Go's `src/internal/trace/order.go`.

Ranges order nothing but the mark phases, so one that begins twice or was never seen to begin does no harm here:
it is kept as far as it is known.
"""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace import codes
from tracekit.sources.go_trace.compiled import nth, part
from tracekit.sources.go_trace.dictionary import Dictionary, place, text
from tracekit.sources.go_trace.emit import begin_inferred, begin_range, end_range, stamp
from tracekit.sources.go_trace.faults import BAD_P, DONE, G_LATE, GC_CHANGED, WAIT
from tracekit.sources.go_trace.goroutines import lacks_goroutine, lacks_p
from tracekit.sources.go_trace.lookup import NONE, find
from tracekit.sources.go_trace.processors import p_in_range
from tracekit.sources.go_trace.state import (
    GC_ASSIST,
    GC_MARK,
    GC_OFF,
    GC_ON,
    GC_SWEEP,
    GC_UNDETERMINED,
    STW,
    State,
)


@part
def _mark_phase(s: State, c: Any, d: Dictionary) -> int:
    """Begin, end, or go on with the mark phase; ordered by its own sequence number, for the threads differ."""
    t = s.totals[0]
    first = t.gc_state == GC_UNDETERMINED and c.type != codes.GC_END
    if not first and c.a0 != t.gc_seq + 1:
        return WAIT
    if not first:
        expected = GC_OFF if c.type == codes.GC_BEGIN else GC_ON
        if t.gc_state != expected:
            return GC_CHANGED
        lacks = lacks_goroutine(s, c)
        if lacks != DONE:
            return lacks
    at = stamp(s, c.time)
    t.gc_seq = c.a0
    if c.type == codes.GC_END:
        t.gc_state = GC_OFF
        end_range(s, t.gc_mark, at)
        t.gc_mark = NONE
        return DONE
    t.gc_state = GC_ON
    if c.type == codes.GC_BEGIN:
        t.gc_mark = begin_range(s, GC_MARK, at, NONE, NONE, place(d, c.a1))
    elif t.gc_mark == NONE:
        t.gc_mark = begin_inferred(s, GC_MARK, at, NONE, NONE)
    return DONE


@part
def _sweep(s: State, c: Any, d: Dictionary) -> int:
    """A P sweeps, in the background or because its goroutine wants to allocate; the end says how much was found."""
    if c.type == codes.GC_SWEEP_ACTIVE:
        if not p_in_range(c.a0):
            return BAD_P
        at, p = stamp(s, c.time), s.ps[nth(c.a0)]
        if p.sweep == NONE:
            p.sweep = begin_inferred(s, GC_SWEEP, at, NONE, c.a0)
        return DONE
    lacks = lacks_p(s, c)
    if lacks != DONE:
        return lacks
    at, id_here = stamp(s, c.time), s.ms[nth(c.m)].p
    p = s.ps[nth(id_here)]
    if c.type == codes.GC_SWEEP_BEGIN:
        p.sweep = begin_range(s, GC_SWEEP, at, s.ms[nth(c.m)].goroutine, id_here, place(d, c.a0))
        return DONE
    end_range(s, p.sweep, at)
    if p.sweep != NONE and c.a1 >= 0:
        s.ranges.bytes[nth(p.sweep)] = c.a1
    p.sweep = NONE
    return DONE


@part
def _assist_active(s: State, c: Any) -> int:
    g = find(s.goroutine_slots, c.a0)
    if g == NONE:
        return G_LATE
    at = stamp(s, c.time)
    if s.goroutines[nth(g)].assist == NONE:
        s.goroutines[nth(g)].assist = begin_inferred(s, GC_ASSIST, at, g, NONE)
    return DONE


@part
def _of_goroutine(s: State, c: Any, d: Dictionary) -> int:
    lacks = lacks_goroutine(s, c)
    if lacks != DONE:
        return lacks
    at, here = stamp(s, c.time), s.ms[nth(c.m)].goroutine
    g = s.goroutines[nth(here)]
    if c.type == codes.STW_BEGIN:
        g.stw = begin_range(s, STW, at, here, NONE, place(d, c.a1))
        s.ranges.name[nth(g.stw)] = text(d, c.a0)
    elif c.type == codes.STW_END:
        end_range(s, g.stw, at)
        g.stw = NONE
    elif c.type == codes.GC_ASSIST_BEGIN:
        g.assist = begin_range(s, GC_ASSIST, at, here, NONE, place(d, c.a0))
    else:
        end_range(s, g.assist, at)
        g.assist = NONE
    return DONE


@part
def collector_event(s: State, c: Any, d: Dictionary) -> int:
    """Any event of the collector or of a stopped world."""
    if c.type in (codes.GC_BEGIN, codes.GC_ACTIVE, codes.GC_END):
        return _mark_phase(s, c, d)
    if c.type in (codes.GC_SWEEP_BEGIN, codes.GC_SWEEP_ACTIVE, codes.GC_SWEEP_END):
        return _sweep(s, c, d)
    if c.type == codes.GC_ASSIST_ACTIVE:
        return _assist_active(s, c)
    return _of_goroutine(s, c, d)
