"""Which rows can not change any more, so that they need not be kept: all but a few, after each stretch of events.

An interval changes while it is open, and until the start of the inferred one that follows it has been refined; a
wakeup may be told another CPU as long as its wakee lives. Whatever of a TASK or a CPU holds the number of a row
must be renumbered here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel import world as k
from tracekit.sources.kernel.events import Records, Rows


def take_intervals(world: k.World) -> Records:
    """The settled intervals that have a length, in the order in which they began; they leave `world`."""
    tasks, cpus = world.tasks[: world.counts[k.N_TASKS]], world.cpus
    cpus["before_row"][cpus["pending"] == 0] = k.NULL
    held = _numbers(tasks["row"], cpus["before_row"])
    taken, left = _split(world.intervals, world.counts, k.N_INTERVALS, held)
    for numbers in (tasks["row"], cpus["before_row"]):
        _renumber(numbers, left)
    return taken[taken["end_ns"] > taken["start_ns"]]


def take_wakeups(world: k.World) -> Records:
    """The settled wakeups. Those at the same time as one that is not wait for it, to keep their order."""
    tasks = world.tasks[: world.counts[k.N_TASKS]]
    tasks["wakeup_row"][tasks["state"] == k.EXITED] = k.NULL
    times = world.wakeups["at_ns"][: world.counts[k.N_WAKEUPS]]
    unsettled = np.unique(times[_numbers(tasks["wakeup_row"])])
    place = np.searchsorted(unsettled, times)
    place[place == len(unsettled)] = 0
    held = np.flatnonzero(unsettled[place] == times) if len(unsettled) else place[:0]
    taken, left = _split(world.wakeups, world.counts, k.N_WAKEUPS, held)
    _renumber(tasks["wakeup_row"], left)
    return taken


def take_gaps(world: k.World) -> Records:
    """All gaps: none changes once it is there."""
    return _split(world.gaps, world.counts, k.N_GAPS, np.zeros(0, np.int64))[0]


def let_go(world: k.World) -> None:
    """The recording has ended: every row is settled."""
    world.tasks["wakeup_row"] = k.NULL
    world.cpus["pending"] = 0


def _numbers(*columns: Rows) -> Rows:
    return np.unique(np.concatenate([column[column >= 0] for column in columns]))


def _split(rows: Records, counts: Rows, count: int, held: Rows) -> tuple[Records, Rows]:
    """Those of the used rows that are not held; the held ones move to the front. Also the held rows' old numbers."""
    free: npt.NDArray[np.bool_] = np.ones(counts[count], np.bool_)
    free[held] = False
    taken = rows[: counts[count]][free]
    rows[: len(held)] = rows[held]
    counts[count] = len(held)
    return taken, held


def _renumber(numbers: Rows, left: Rows) -> None:
    used = numbers >= 0
    numbers[used] = np.searchsorted(left, numbers[used])
