"""Why tasks left the CPU, and what brought them back: each wait with the wakeup that ended it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tracekit.program.arrays import NULL, Flags, Ints, codes, ints
from tracekit.program.extract.timeline import BLOCKED, RUNNABLE, UNKNOWN, Timeline
from tracekit.vocabulary import REASONS, SEGMENTS

# What a wait that no task ended becomes; all other reasons, and none, become sleep.
_BY_REASON = {"io": "io", "page_fault": "io", "uninterruptible": "io", "network": "network", "syscall": "syscall"}
# Reasons that name a timer or a device, and so explain a wait that no recorded wakeup ended.
_KNOWN = ("sleep", "io", "network", "syscall", "page_fault", "uninterruptible")
_WAKEUP, _NETWORK = REASONS["wakeup"], REASONS["network"]


class Wakeups:
    """The wakeups table as arrays, in its order, and the latest wakeup of a task up to a time."""

    def __init__(self, wakeups: pa.Table) -> None:
        at = ints(wakeups, "at_ns")
        order = np.argsort(at, kind="stable") if (at[1:] < at[:-1]).any() else np.arange(len(at))
        self.at = at[order]
        self.waker, self.wakee = ints(wakeups, "waker_id")[order], ints(wakeups, "wakee_id")[order]
        self.reason = codes(wakeups, "reason", REASONS)[order]
        self._by_wakee = np.argsort(self.wakee, kind="stable")
        self._keys = self.wakee[self._by_wakee] * (len(at) + 1) + self._by_wakee

    def latest(self, task: Ints, after: Ints, until: Ints) -> Ints:
        """Row of each task's last wakeup in (after, until], NULL where there is none."""
        if not len(self.at):
            return np.full(len(task), NULL)
        place = np.searchsorted(self.at, until, side="right")
        found = np.searchsorted(self._keys, task * (len(self.at) + 1) + place) - 1
        rows = self._by_wakee[found]
        return np.where((found >= 0) & (self.wakee[rows] == task) & (self.at[rows] > after), rows, NULL)


@dataclass(frozen=True)
class Waits:
    """One row per wait that ended. `wake` is the wakeup's row, `waker` the task that made it; NULL: none, nobody.

    `zero` marks waits that were over before the task had left the CPU, or whose beginning was not recorded.
    """

    task: Ints
    start: Ints
    end: Ints
    reason: Ints
    wake: Ints
    waker: Ints
    known: Flags  # BLOCKED, and not UNKNOWN or zero
    zero: Flags
    unended: int  # waits dropped because the recording ends in them

    @property
    def explained(self) -> Flags:
        """Ended by a recorded wakeup, of a task or an interrupt, or by a timer or device that the reason names."""
        by_itself = (self.wake != NULL) & (self.waker == NULL)
        named = np.isin(self.reason, [REASONS[reason] for reason in _KNOWN])
        explained: Flags = (self.waker != NULL) | by_itself | named
        return explained

    def kinds(self, open_arrivals: bool) -> Ints:
        """The segment kind of each: `wait` where a task ended it, else one that lasts as long as recorded."""
        kinds = np.full(len(REASONS) + 1, SEGMENTS["sleep"], np.int64)  # the last for no reason, NULL
        for reason, kind in _BY_REASON.items():
            kinds[REASONS[reason]] = SEGMENTS[kind]
        if open_arrivals:
            kinds[_NETWORK] = SEGMENTS["arrival"]
        return np.where(self.waker == NULL, kinds[self.reason], SEGMENTS["wait"])


def find_waits(line: Timeline, wakeups: Wakeups) -> Waits:
    """All waits, in order of (task, time).

    A wakeup by the task itself counts as none: an interrupt that found it on the CPU says nothing of its wait.
    """
    waiting = ((line.state == BLOCKED) | (line.state == UNKNOWN)) & ~line.short_syscall
    # A task found RUNNABLE by a wakeup was about to wait, or waited before it was first seen.
    zero = (line.state == RUNNABLE) & (line.reason == _WAKEUP)
    zero[1:] &= line.first[1:] | ~(waiting | (line.state == RUNNABLE))[:-1]
    rows = np.flatnonzero((waiting & ~line.last) | zero)
    zero = zero[rows]
    task, start, end = line.task[rows], line.start[rows], np.where(zero, line.start[rows], line.end[rows])
    wake = wakeups.latest(task, start - zero, end)
    waker = _at(wakeups.waker, wake)
    nobody = (waker == task) | ~_has_run(line, waker, _at(wakeups.at, wake))
    wake, waker = np.where((waker != NULL) & nobody, NULL, wake), np.where(nobody, NULL, waker)
    reason = np.where(line.reason[rows] == NULL, _at(wakeups.reason, wake), line.reason[rows])
    keep = ~zero | (waker != NULL)
    return Waits(
        task=task[keep], start=start[keep], end=end[keep], reason=reason[keep], wake=wake[keep], waker=waker[keep],
        known=(line.state[rows] == BLOCKED)[keep], zero=zero[keep], unended=int((waiting & line.last).sum()),
    )  # fmt: skip


def _has_run(line: Timeline, task: Ints, time: Ints) -> Flags:
    """Which tasks had run by then: who had not can have woken no one, whatever the recording says."""
    known = np.where(task == NULL, 0, task)
    has_run: Flags = (task != NULL) & (line.moments(known, time).runs > line.first_run[known])
    return has_run


def _at(values: Ints, rows: Ints) -> Ints:
    """`values` at `rows`, NULL where the row is NULL."""
    return np.append(values, NULL)[rows]
