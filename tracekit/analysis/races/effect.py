"""When the steps of a run took effect: its table has each when it begins, and one that has to wait comes through later.

The steps are gone through in the order in which they began, with what they leave behind: messages in channels, signals in
events. One that finds nothing waits for its turn, first come first served, as the engine has it; what then enables it
brings it through. Locks go to whoever gets there first, so their turn says nothing: but the next step of whoever took
a lock begins before that of whoever takes it after, so a lock counts as taken right before its task's next step. So do
joins and waits for a group, and whatever else has not come through by then (a pipe whose other end is gone).
A step that never came through is left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.analysis.races.detector import CODES
from tracekit.jit import cached_njit, lean

_SEND, _RECV, _WAIT, _SIGNAL = (CODES[name] for name in ("send", "recv", "wait", "signal"))
_LATE = np.isin(list(CODES), ("lock", "read_lock", "join", "wait_group_wait"))


class _Queues(NamedTuple):
    """By object: what is there (messages, signals), and the steps that wait for it, as linked lists of rows.

    The lists are in columns: 0 for those that take, 1 for those that give. `following` is by row, `waits` by task.
    """

    there: Any
    head: Any
    tail: Any
    following: Any
    waits: Any


def in_effect(kind: Any, task: Any, thing: Any, began: Any, tasks: int, room: Any, there: Any) -> tuple[Any, Any]:
    """The rows in the order in which they took effect, and when each did, in ns.

    `kind` has CODES; `room` is by object what a channel holds, `there` what events and semaphores start with.
    """
    things = len(there)
    queues = _Queues(there.copy(), np.full((things, 2), -1, np.int64), np.full((things, 2), -1, np.int64),
                     np.full(len(kind), -1, np.int64), np.full(tasks, -1, np.int64))  # fmt: skip
    order, at = np.empty(len(kind), np.int64), began.copy()
    count = _go_through(kind, task, thing, began, room, _LATE, queues, order, at)
    return order[:count], at


@cached_njit
def _go_through(kind: Any, task: Any, thing: Any, began: Any, room: Any, late: Any, q: _Queues, order: Any, at: Any) -> int:  # fmt: skip
    count = 0
    for i in range(len(kind)):
        if q.waits[task[i]] >= 0:
            count = _through(q.waits[task[i]], began[i], task, q, order, at, count)
        what, x = kind[i], thing[i]
        if late[what]:
            q.waits[task[i]] = i
        elif what == _RECV:
            count = _take(i, x, True, room, began[i], task, q, order, at, count)
        elif what == _WAIT:
            count = _take(i, x, False, room, began[i], task, q, order, at, count)
        elif what in (_SEND, _SIGNAL):
            count = _give(i, x, what == _SEND, room, began[i], task, q, order, at, count)
        else:
            count = _through(i, began[i], task, q, order, at, count)
    return count


@lean
def _through(i: int, now: int, task: Any, q: _Queues, order: Any, at: Any, count: int) -> int:
    order[count], at[i] = i, now
    if q.waits[task[i]] == i:
        q.waits[task[i]] = -1
    return count + 1


@lean
def _take(i: int, x: int, from_channel: bool, room: Any, now: int, task: Any, q: _Queues, order: Any, at: Any, count: int) -> int:  # fmt: skip
    """A receive, or a wait for an event."""
    if q.there[x] > 0:
        q.there[x] -= 1
        count = _through(i, now, task, q, order, at, count)
        if from_channel:
            giver = _next(x, 1, task, q)
            if giver >= 0:  # there is room again
                q.there[x] += 1
                count = _through(giver, now, task, q, order, at, count)
        return count
    giver = _next(x, 1, task, q) if from_channel and room[x] == 0 else -1
    if giver >= 0:
        count = _through(giver, now, task, q, order, at, count)
        return _through(i, now, task, q, order, at, count)
    _queue(i, x, 0, task, q)
    return count


@lean
def _give(i: int, x: int, to_channel: bool, room: Any, now: int, task: Any, q: _Queues, order: Any, at: Any, count: int) -> int:  # fmt: skip
    """A send, or a signal."""
    taker = _next(x, 0, task, q)
    if taker >= 0:
        count = _through(i, now, task, q, order, at, count)
        return _through(taker, now, task, q, order, at, count)
    if to_channel and q.there[x] >= room[x]:
        _queue(i, x, 1, task, q)
        return count
    q.there[x] += 1
    return _through(i, now, task, q, order, at, count)


@lean
def _queue(i: int, x: int, side: int, task: Any, q: _Queues) -> None:
    if q.head[x, side] < 0:
        q.head[x, side] = i
    else:
        q.following[q.tail[x, side]] = i
    q.tail[x, side] = i
    q.waits[task[i]] = i


@lean
def _next(x: int, side: int, task: Any, q: _Queues) -> int:
    """The first that still waits on this side, taken off the list; -1 without any."""
    while q.head[x, side] >= 0:
        i = int(q.head[x, side])
        q.head[x, side] = q.following[i]
        if q.waits[task[i]] == i:
            return i
    return -1
