"""What the program says of itself with runtime/trace: tasks, regions, and log lines. None of it orders anything."""

from __future__ import annotations

from typing import Any

from tracekit.sources.go_trace import codes
from tracekit.sources.go_trace.compiled import nth, part
from tracekit.sources.go_trace.dictionary import Dictionary, place, text
from tracekit.sources.go_trace.emit import begin_range, end_range, stamp
from tracekit.sources.go_trace.faults import DONE
from tracekit.sources.go_trace.goroutines import lacks_goroutine
from tracekit.sources.go_trace.lookup import NONE, find, put
from tracekit.sources.go_trace.state import LOG, REGION, USER_TASK, State


@part
def _task_begin(s: State, c: Any, d: Dictionary, at: int, here: int) -> None:
    row = begin_range(s, USER_TASK, at, here, NONE, place(d, c.a3))
    s.ranges.key[nth(row)] = c.a0
    s.ranges.name[nth(row)] = text(d, c.a2)
    s.ranges.enclosing[nth(row)] = find(s.user_slots, c.a1)
    s.totals[0].users += 1
    put(s.user_slots, c.a0, row)


@part
def _task_end(s: State, c: Any, at: int) -> None:
    """Any goroutine may end a task."""
    row = find(s.user_slots, c.a0)
    if row != NONE and s.ranges.end[nth(row)] != NONE:
        row = NONE
    end_range(s, row, at)


@part
def _within(s: State, goroutine: int, user_task: int) -> Any:
    """The goroutine's innermost region, or else the user task, or NONE."""
    region = s.goroutines[nth(goroutine)].region
    if region != NONE:
        return region
    return find(s.user_slots, user_task)


@part
def _region_begin(s: State, c: Any, d: Dictionary, at: int, here: int) -> None:
    around = _within(s, here, c.a0)
    row = begin_range(s, REGION, at, here, NONE, place(d, c.a2))
    s.ranges.key[nth(row)] = c.a0
    s.ranges.name[nth(row)] = text(d, c.a1)
    s.ranges.enclosing[nth(row)] = around
    s.goroutines[nth(here)].region = row


@part
def _region_end(s: State, c: Any, at: int, here: int) -> None:
    """Regions of a goroutine end in the order opposite to that in which they began (runtime/trace's own rule)."""
    g = s.goroutines[nth(here)]
    row = g.region
    if row != NONE and s.ranges.key[nth(row)] != c.a0:
        row = NONE
    end_range(s, row, at)
    if row != NONE:
        around = s.ranges.enclosing[nth(row)]
        g.region = around if around != NONE and s.ranges.kind[nth(around)] == REGION else NONE


@part
def _log(s: State, c: Any, d: Dictionary, at: int, here: int) -> None:
    around = _within(s, here, c.a0)
    row = begin_range(s, LOG, at, here, NONE, place(d, c.a3))
    s.ranges.name[nth(row)] = text(d, c.a1)
    s.ranges.text[nth(row)] = text(d, c.a2)
    s.ranges.enclosing[nth(row)] = around
    s.ranges.end[nth(row)] = at


@part
def annotation(s: State, c: Any, d: Dictionary) -> int:
    """Any event of the program's own."""
    lacks = lacks_goroutine(s, c)
    if lacks != DONE:
        return lacks
    at, here = stamp(s, c.time), s.ms[nth(c.m)].goroutine
    if c.type == codes.USER_REGION_BEGIN:
        _region_begin(s, c, d, at, here)
    elif c.type == codes.USER_REGION_END:
        _region_end(s, c, at, here)
    elif c.type == codes.USER_LOG:
        _log(s, c, d, at, here)
    elif c.type == codes.USER_TASK_BEGIN:
        _task_begin(s, c, d, at, here)
    else:
        _task_end(s, c, at)
    return DONE
