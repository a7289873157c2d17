"""The timers of a P: a heap of sleeping goroutines by when they are due (time.go).

Go's heap has four children a node and grows an array; a pairing heap pops in the same order and needs no array of
its own size for each P. Of timers due at the same time the lower task id is first; Go promises no order.
"""

from __future__ import annotations

import numpy as np

from tracekit.engine.state import NONE
from tracekit.jit import njit
from tracekit.models.runtimes.go.state import State

TIMER = np.dtype([("due", "i8"), ("child", "i4"), ("sibling", "i4")], align=True)


@njit
def next_timer(rt: State, p: int) -> int:
    """When P's first timer is due; 0: it has none (wakeTime)."""
    root = rt.ps[p].timers
    return rt.timers[root].due if root >= 0 else 0


@njit
def next_timer_of_all(rt: State) -> int:
    """When the first timer of any P is due; 0: there is none."""
    first = 0
    for p in range(rt.ps.size):
        due = next_timer(rt, p)
        if due > 0 and (first == 0 or due < first):
            first = due
    return first


@njit
def _link(rt: State, a: int, b: int) -> int:
    due, other = rt.timers[a].due, rt.timers[b].due
    if other < due or (other == due and b < a):
        a, b = b, a
    rt.timers[b].sibling = rt.timers[a].child
    rt.timers[a].child = b
    return a


@njit
def add_timer(rt: State, p: int, task: int) -> None:
    """The goroutine sleeps on P until its `due`."""
    timer = rt.timers[task]
    timer.child = NONE
    timer.sibling = NONE
    pp = rt.ps[p]
    pp.timers = task if pp.timers < 0 else _link(rt, pp.timers, task)


@njit
def take_timer(rt: State, p: int) -> int:
    """Take P's first timer out: pair its children from left to right, then link the pairs from right to left."""
    root = rt.ps[p].timers
    first = rt.timers[root].child
    pairs = NONE
    while first >= 0:
        second = rt.timers[first].sibling
        following = NONE
        if second >= 0:
            following = rt.timers[second].sibling
            first = _link(rt, first, second)
        rt.timers[first].sibling = pairs
        pairs = first
        first = following
    merged = NONE
    while pairs >= 0:
        following = rt.timers[pairs].sibling
        merged = pairs if merged < 0 else _link(rt, merged, pairs)
        pairs = following
    rt.ps[p].timers = merged
    return root
