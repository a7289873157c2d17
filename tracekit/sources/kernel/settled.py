"""Which rows can not change any more, so that they need not be kept: all but a few, after each stretch of events.

An interval changes while it is open, and until the start of the inferred one that follows it has been refined; a
wakeup may be told another CPU as long as its wakee lives. Whatever of a TASK or a CPU holds the number of a row
must be renumbered here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel import world as k
from tracekit.sources.kernel.events import Number, Records, Row, Rows
from tracekit.sources.kernel.world import NULL

# Places that rows are moved, per row, to stand in order. Few are out of it, so some can be far from their place; in a
# recording where many are, the rest is left for who sorts all.
_MOVES_PER_ROW = 4

Ids = npt.NDArray[np.int32]
Column = npt.NDArray[Any]


class Intervals(NamedTuple):
    """Settled intervals by column: numpy moves columns many times as fast as structures."""

    task_id: Column
    cpu: Column
    state: Column
    start_ns: Column
    end_ns: Column
    reason: Column
    inferred: Column


class Wakeups(NamedTuple):
    """Settled wakeups by column."""

    at_ns: Column
    waker_id: Column
    wakee_id: Column
    cpu: Column
    target_cpu: Column
    reason: Column


_INTERVAL_TYPES = (np.int32, np.int32, np.int8, np.int64, np.int64, np.int8, np.bool_)
_WAKEUP_TYPES = (np.int64, np.int32, np.int32, np.int32, np.int32, np.int8)


def take_intervals(world: k.World, renamed: Ids) -> Intervals:
    """The settled intervals that have a length, in the order in which they began; they leave `world`.

    `renamed` has the task_id of each task. Of equal starts, the lower task_id comes first.
    """
    tasks, cpus, used = world.tasks[: world.counts[k.N_TASKS]], world.cpus, int(world.counts[k.N_INTERVALS])
    cpus["before_row"][cpus["pending"] == 0] = k.NULL
    held = _numbers(tasks["row"], cpus["before_row"])
    taken = Intervals(*(np.empty(used, dtype) for dtype in _INTERVAL_TYPES))
    count = split_intervals(world.intervals, used, held, renamed, taken)
    world.counts[k.N_INTERVALS] = len(held)
    for numbers in (tasks["row"], cpus["before_row"]):
        _renumber(numbers, held)
    return Intervals(*(column[:count] for column in taken))


def take_wakeups(world: k.World, renamed: Ids) -> Wakeups:
    """The settled wakeups; `renamed` has the task_id of each task.

    Those at the same time as one that is not settled wait for it, to keep their order.
    """
    tasks, used = world.tasks[: world.counts[k.N_TASKS]], int(world.counts[k.N_WAKEUPS])
    tasks["wakeup_row"][tasks["state"] == k.EXITED] = k.NULL
    times = np.ascontiguousarray(world.wakeups["at_ns"][:used])
    held = np.flatnonzero(_among(times, np.unique(times[_numbers(tasks["wakeup_row"])])))
    taken = Wakeups(*(np.empty(used, dtype) for dtype in _WAKEUP_TYPES))
    count = split_wakeups(world.wakeups, used, held, renamed, taken)
    world.counts[k.N_WAKEUPS] = len(held)
    _renumber(tasks["wakeup_row"], held)
    return Wakeups(*(column[:count] for column in taken))


def take_gaps(world: k.World) -> Records:
    """All gaps: none changes once it is there."""
    taken = world.gaps[: world.counts[k.N_GAPS]].copy()
    world.counts[k.N_GAPS] = 0
    return taken


def let_go(world: k.World) -> None:
    """The recording has ended: every row is settled."""
    world.tasks["wakeup_row"] = k.NULL
    world.cpus["pending"] = 0


def _numbers(*columns: Rows) -> Rows:
    return np.unique(np.concatenate([column[column >= 0] for column in columns]))


def _among(times: Rows, few: Rows) -> npt.NDArray[np.bool_]:
    """Which times are among `few`, which are in order."""
    if not len(few):
        return np.zeros(len(times), np.bool_)
    found: npt.NDArray[np.bool_] = few[np.minimum(np.searchsorted(few, times), len(few) - 1)] == times
    return found


def _renumber(numbers: Rows, held: Rows) -> None:
    used = numbers >= 0
    numbers[used] = np.searchsorted(held, numbers[used])


@lean
def _place(times: Column, tasks: Column, count: int, at_ns: int, task_id: int, most: int) -> Number:
    """Where among the rows one of that time and task belongs, at most so many places from their end."""
    place = count
    while place > 0 and count - place < most:
        before = place - 1
        if times[before] < at_ns or (times[before] == at_ns and tasks[before] <= task_id):
            break
        place = before
    return place


@lean
def _put(column: Column, place: int, count: int, value: int) -> None:
    """The value there; the rows from there on make room."""
    for row in range(count, place, -1):
        column[row] = column[row - 1]
    column[place] = value


@lean
def _put_interval(to: Intervals, count: int, row: Row, task_id: int, most: int) -> Number:
    """The row where it belongs; returns how many others were moved."""
    place = _place(to.start_ns, to.task_id, count, row["start_ns"], task_id, most)
    _put(to.task_id, place, count, task_id)
    _put(to.cpu, place, count, row["cpu"])
    _put(to.state, place, count, row["state"])
    _put(to.start_ns, place, count, row["start_ns"])
    _put(to.end_ns, place, count, row["end_ns"])
    _put(to.reason, place, count, row["reason"])
    _put(to.inferred, place, count, row["inferred"] != 0)
    return count - place


@lean
def _put_wakeup(to: Wakeups, count: int, row: Row, renamed: Ids, most: int) -> Number:
    """The row behind those of its time or before; returns how many others were moved."""
    place = _place(to.at_ns, to.at_ns, count, row["at_ns"], row["at_ns"], most)
    _put(to.at_ns, place, count, row["at_ns"])
    _put(to.waker_id, place, count, renamed[row["waker"]] if row["waker"] >= 0 else NULL)
    _put(to.wakee_id, place, count, renamed[row["wakee"]])
    _put(to.cpu, place, count, row["cpu"])
    _put(to.target_cpu, place, count, row["target_cpu"])
    _put(to.reason, place, count, row["reason"])
    return count - place


@cached_njit
def split_intervals(rows: Records, used: int, held: Rows, renamed: Ids, to: Intervals) -> int:
    """Of the used rows (INTERVAL) those that are `held` move to the front, the others into `to`; returns how many."""
    count = kept = 0
    moves = _MOVES_PER_ROW * used
    for number in range(used):
        row = rows[number]
        if kept < len(held) and held[kept] == number:
            rows[kept] = row
            kept += 1
        elif row["end_ns"] > row["start_ns"]:
            moves -= _put_interval(to, count, row, renamed[row["task"]], moves)
            count += 1
    return count


@cached_njit
def split_wakeups(rows: Records, used: int, held: Rows, renamed: Ids, to: Wakeups) -> int:
    """Of the used rows (WAKE) those that are `held` move to the front, the others into `to`; returns how many."""
    count = kept = 0
    moves = _MOVES_PER_ROW * used
    for number in range(used):
        row = rows[number]
        if kept < len(held) and held[kept] == number:
            rows[kept] = row
            kept += 1
            continue
        moves -= _put_wakeup(to, count, row, renamed, moves)
        count += 1
    return count
