"""A happens-before race detector: vector clocks, and FastTrack's epochs for the accesses.

FastTrack (Flanagan and Freund, PLDI 2009): the last write of a variable, and mostly its last read, are one clock of one
task (an epoch), as writes are ordered until the first race; only reads that are not ordered need a whole vector. Every
variable's first race is found, and nothing is called a race that is none.

What orders (the Go memory model, go.dev/ref/mem; POSIX says the same of its own):

* `unlock` → the next `lock`; for a rwmutex also `unlock` → `read_lock`, and `read_unlock` → `lock`
* the k-th `send` → the k-th `recv`; with capacity C the k-th `recv` → send k + C; with capacity 0 the two meet
* `close` → every `recv` that it ends
* `signal` → every later `wait` of the same event or semaphore; `wait_group_done` → every later `wait_group_wait`
* `spawn` → the task's first step; its last step → `join`
* atomics of one variable are in order. An atomic against a plain access that it is not ordered with is a race.

A vector has a component per task that accesses variables; the others only pass clocks on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.errors import TableError, TracekitError
from tracekit.jit import cached_njit, lean

KINDS = (
    "lock", "unlock", "read_lock", "read_unlock", "send", "recv", "wait", "signal", "spawn", "join",
    "wait_group_done", "wait_group_wait", "atomic", "read", "write",
)  # fmt: skip
CODES = {name: code for code, name in enumerate(KINDS)}
(_LOCK, _UNLOCK, _READ_LOCK, _READ_UNLOCK, _SEND, _RECV, _WAIT, _SIGNAL, _SPAWN, _JOIN, _DONE, _AWAIT, _ATOMIC, _READ,
 _WRITE) = range(len(KINDS))  # fmt: skip
_SHARED = -2  # in `reader`: not one epoch but a vector
MOST_BYTES = 3 << 30  # of clocks; more than that is refused, not swapped
MOST_RACES = 10_000  # kept one by one; all are counted


class Operations(NamedTuple):
    """A history in the order in which steps took effect, as arrays of one length.

    `kind` holds CODES, `task` who, `thing` the object, or for spawn and join the task. `capacity` is by object: of
    channels; anything for others. Steps that wait stand where they come through, not where they begin to wait.
    """

    kind: Any
    task: Any
    thing: Any
    capacity: Any


class Races(NamedTuple):
    """`pairs`: rows of the two accesses of each race, in order of the second; `count`: races by object, all of them."""

    pairs: Any
    count: Any


class _Clocks(NamedTuple):
    of_task: Any  # (tasks, width)
    of_object: Any  # (rows, width)
    component: Any  # by task; -1 for those that access nothing
    row: Any  # by object: where its rows begin
    slots: Any  # by object: of a channel with room; 0 for one without
    sent: Any
    received: Any


class _Variables(NamedTuple):
    """Columns by object: epochs (component, clock) with the row of the access, for writes, reads and atomics."""

    component: Any  # (3, objects): writer, reader, atomic; -1 none
    clock: Any
    place: Any
    shared: Any  # by object: which vector of reads


_W, _R, _A = range(3)


def detect(operations: Operations, tasks: int) -> Races:
    """All races of a history. Raises TableError for ids out of range, TracekitError where clocks would not fit."""
    kind, task, thing, capacity = (np.ascontiguousarray(part) for part in operations)
    objects = len(capacity)
    of_task = np.isin(kind, (_SPAWN, _JOIN))
    limits = np.where(of_task, tasks, objects)
    bad = np.flatnonzero((task < 0) | (task >= tasks) | (thing < 0) | (thing >= limits) | (kind >= len(KINDS)))
    if len(bad):
        row = int(bad[0])
        raise TableError(
            f"step {row} of the history names task {int(task[row])} and {int(thing[row])}, which are not there"
        )
    component, width = _components(kind, task, tasks)
    row, slots, rows = _layout(kind, thing, np.asarray(capacity, np.int64))
    if (tasks + rows) * width * 4 > MOST_BYTES:
        raise TracekitError(
            f"{width} tasks access variables and {tasks + rows} clocks are needed: more than {MOST_BYTES >> 30} GiB",
            remedy="look at fewer tasks with --task",
        )
    partner = _partners(kind, thing, slots, objects)
    clocks = _Clocks(np.zeros((tasks, width), np.int32), np.zeros((rows, width), np.int32), component, row, slots,
                     np.zeros(objects, np.int64), np.zeros(objects, np.int64))  # fmt: skip
    epochs = (np.full((3, objects), -1, np.int32), np.zeros((3, objects), np.int32), np.zeros((3, objects), np.int64))
    variables = _Variables(*epochs, np.full(objects, -1, np.int64))
    return Races(*_run(kind, task, thing, partner, clocks, variables))


def _components(kind: Any, task: Any, tasks: int) -> tuple[Any, int]:
    accessing = np.unique(task[kind >= _ATOMIC])
    component = np.full(tasks, -1, np.int32)
    component[accessing] = np.arange(len(accessing))
    return component, max(1, len(accessing))


def _layout(kind: Any, thing: Any, capacity: Any) -> tuple[Any, Any, int]:
    """Two clocks per object that orders anything; for a channel with room two per place that is ever used."""
    objects = len(capacity)
    on_object = ~np.isin(kind, (_SPAWN, _JOIN))
    used = np.bincount(thing[on_object & (kind <= _ATOMIC)], minlength=objects)
    sends = np.bincount(thing[kind == _SEND], minlength=objects)
    channel = np.bincount(thing[(kind == _SEND) | (kind == _RECV)], minlength=objects) > 0
    slots = np.where(channel, np.minimum(np.maximum(capacity, 0), np.maximum(sends, 1)), 0)
    slots[channel & (capacity <= 0)] = 0
    rows = np.where(channel, 2 * slots, np.where(used > 0, 2, 0))
    return np.cumsum(rows) - rows, slots, int(rows.sum())


@cached_njit
def _partners(kind: Any, thing: Any, slots: Any, objects: int) -> Any:
    """For channels without room: the row of the recv that meets a send, and the other way round; -1 for none."""
    partner, following = np.full(len(kind), -1, np.int64), np.full(len(kind), -1, np.int64)
    oldest, newest = (
        np.full(objects, -1, np.int64),
        np.full(objects, -1, np.int64),
    )  # of those that have not met, by row
    for i in range(len(kind)):
        channel = thing[i]
        if (kind[i] != _SEND and kind[i] != _RECV) or slots[channel] > 0:
            continue
        first = oldest[channel]
        if first < 0:
            oldest[channel] = i
        elif kind[first] == kind[i]:
            following[newest[channel]] = i
        else:
            partner[i], partner[first] = first, i
            oldest[channel] = following[first]
            continue
        newest[channel] = i
    return partner


@cached_njit
def _run(kind: Any, task: Any, thing: Any, partner: Any, clocks: _Clocks, variables: _Variables) -> Any:
    """Every step in order: those that order move clocks, accesses are held against the epochs."""
    width = clocks.of_task.shape[1]
    for k in range(len(clocks.component)):
        if clocks.component[k] >= 0:
            clocks.of_task[k, clocks.component[k]] = 1
    count = np.zeros(len(variables.shared), np.int64)
    pairs, found = np.empty((MOST_RACES, 2), np.int64), np.zeros(2, np.int64)  # races kept, read vectors in use
    vectors, places = np.zeros((4, width), np.int32), np.zeros((4, width), np.int64)
    for i in range(len(kind)):
        k, x, what = task[i], thing[i], kind[i]
        if what == _READ:
            if found[1] == len(vectors):
                vectors = np.concatenate((vectors, np.zeros_like(vectors)))
                places = np.concatenate((places, np.zeros_like(places)))
            _read(i, clocks.of_task[k], clocks.component[k], x, variables, vectors, places, pairs, found, count)
        elif what == _WRITE:
            _write(i, clocks.of_task[k], clocks.component[k], x, variables, vectors, places, pairs, found, count)
        elif what == _ATOMIC:
            _join(clocks.of_task[k], clocks.of_object[clocks.row[x]])
            _atomic(i, clocks.of_task[k], clocks.component[k], x, variables, vectors, places, pairs, found, count)
            _copy(clocks.of_object[clocks.row[x]], clocks.of_task[k])
            _tick(clocks, k)
        else:
            _order(i, what, k, x, task, partner, clocks)
    return pairs[: found[0]], count


@lean
def _join(into: Any, other: Any) -> None:
    for c in range(len(into)):
        into[c] = max(into[c], other[c])


@lean
def _copy(into: Any, other: Any) -> None:
    for c in range(len(into)):
        into[c] = other[c]


@lean
def _tick(clocks: _Clocks, k: int) -> None:
    if clocks.component[k] >= 0:
        clocks.of_task[k, clocks.component[k]] += 1


@lean
def _order(i: int, what: int, k: int, x: int, task: Any, partner: Any, clocks: _Clocks) -> None:
    """One step that orders: take clocks in, give one's own, and begin a new epoch after giving."""
    own = clocks.of_task[k]
    if what == _SPAWN:
        _join(clocks.of_task[x], own)
        _tick(clocks, k)
    elif what == _JOIN:
        _join(own, clocks.of_task[x])
    elif what in (_SEND, _RECV):
        if clocks.slots[x] > 0:
            _pass(what, own, x, clocks)
            _tick(clocks, k)
        elif partner[i] > i:  # the first of the two: the other one has arrived, and does nothing until its own step
            other = task[partner[i]]
            _join(own, clocks.of_task[other])
            _copy(clocks.of_task[other], own)
            _tick(clocks, k)
            _tick(clocks, other)
    else:
        exclusive, shared = clocks.of_object[clocks.row[x]], clocks.of_object[clocks.row[x] + 1]
        if what == _UNLOCK:
            _copy(exclusive, own)
        elif what == _READ_UNLOCK:
            _join(shared, own)
        elif what in (_SIGNAL, _DONE):
            _join(exclusive, own)
        else:  # lock, read_lock, wait, wait_group_wait
            _join(own, exclusive)
            if what == _LOCK:
                _join(own, shared)
            return
        _tick(clocks, k)


@lean
def _pass(what: int, own: Any, x: int, clocks: _Clocks) -> None:
    """A channel with room: step n uses place n modulo the capacity; sends fill it and recvs free it for send n + C."""
    done = clocks.sent if what == _SEND else clocks.received
    place = clocks.row[x] + 2 * (done[x] % clocks.slots[x])
    done[x] += 1
    filled, freed = clocks.of_object[place], clocks.of_object[place + 1]
    if what == _SEND:
        _join(own, freed)
        _copy(filled, own)
    else:
        _join(own, filled)
        _copy(freed, own)


@lean
def _hold(i: int, own: Any, x: int, which: int, v: _Variables, pairs: Any, found: Any, count: Any) -> None:
    """A race, if the last access of this sort is not ordered before."""
    c = v.component[which, x]
    if c >= 0 and v.clock[which, x] > own[c]:
        _race(v.place[which, x], i, x, pairs, found, count)


@lean
def _race(earlier: int, later: int, x: int, pairs: Any, found: Any, count: Any) -> None:
    if found[0] < len(pairs):
        pairs[found[0], 0], pairs[found[0], 1] = earlier, later
        found[0] += 1
    count[x] += 1


@lean
def _hold_reads(i: int, own: Any, x: int, v: _Variables, vectors: Any, places: Any, pairs: Any, found: Any, count: Any) -> None:  # fmt: skip
    if v.component[_R, x] != _SHARED:
        _hold(i, own, x, _R, v, pairs, found, count)
        return
    seen = vectors[v.shared[x]]
    for c in range(len(own)):
        if seen[c] > own[c]:
            _race(places[v.shared[x], c], i, x, pairs, found, count)


@lean
def _set(i: int, own: Any, c: int, x: int, which: int, v: _Variables) -> None:
    v.component[which, x], v.clock[which, x], v.place[which, x] = c, own[c], i


@lean
def _read(i: int, own: Any, c: int, x: int, v: _Variables, vectors: Any, places: Any, pairs: Any, found: Any, count: Any) -> None:  # fmt: skip
    reader = v.component[_R, x]
    if reader == c and v.clock[_R, x] == own[c]:
        return  # in the same epoch as the last one
    if reader == _SHARED and vectors[v.shared[x], c] == own[c]:
        return
    _hold(i, own, x, _W, v, pairs, found, count)
    _hold(i, own, x, _A, v, pairs, found, count)
    if reader == _SHARED:
        vectors[v.shared[x], c], places[v.shared[x], c] = own[c], i
    elif reader < 0 or v.clock[_R, x] <= own[reader]:
        _set(i, own, c, x, _R, v)
    else:
        if v.shared[x] < 0:
            v.shared[x] = found[1]
            found[1] += 1
        for other in range(len(own)):
            vectors[v.shared[x], other] = 0
        vectors[v.shared[x], reader], places[v.shared[x], reader] = v.clock[_R, x], v.place[_R, x]
        vectors[v.shared[x], c], places[v.shared[x], c] = own[c], i
        v.component[_R, x] = _SHARED


@lean
def _write(i: int, own: Any, c: int, x: int, v: _Variables, vectors: Any, places: Any, pairs: Any, found: Any, count: Any) -> None:  # fmt: skip
    if v.component[_W, x] == c and v.clock[_W, x] == own[c]:
        return
    _hold(i, own, x, _W, v, pairs, found, count)
    _hold(i, own, x, _A, v, pairs, found, count)
    _hold_reads(i, own, x, v, vectors, places, pairs, found, count)
    _set(i, own, c, x, _W, v)
    if v.component[_R, x] == _SHARED:
        v.component[_R, x] = -1


@lean
def _atomic(i: int, own: Any, c: int, x: int, v: _Variables, vectors: Any, places: Any, pairs: Any, found: Any, count: Any) -> None:  # fmt: skip
    _hold(i, own, x, _W, v, pairs, found, count)
    _hold_reads(i, own, x, v, vectors, places, pairs, found, count)
    _set(i, own, c, x, _A, v)
