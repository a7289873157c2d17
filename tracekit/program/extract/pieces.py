"""The computing between operations, piece by piece."""

from __future__ import annotations

import numpy as np

from tracekit.program.arrays import Flags, Ints
from tracekit.program.extract.operations import Operations
from tracekit.program.extract.timeline import Moments


class Pieces:
    """Computing between operations: one piece before each, and one after the last of each task.

    Pieces are numbered along tasks: the one before operation k has the number k + its task.
    """

    def __init__(self, task: Ints, tasks: int) -> None:
        """`task` of each operation, ascending, and how many tasks there are."""
        self.per_task = np.searchsorted(task, np.arange(tasks + 1))
        self.before_op = np.arange(len(task)) + task
        self.final = self.per_task[1:] + np.arange(tasks)
        self.count = len(task) + tasks

    def between(self, at_ops: Ints, at_starts: Ints) -> Ints:
        """Differences of a running count along each task: up to each operation, and after the last.

        `at_ops` is the count at each operation, `at_starts` (tasks + 1 values) where each task begins.
        """
        ends = np.empty(self.count, np.int64)
        ends[self.before_op], ends[self.final] = at_ops, at_starts[1:]
        return np.diff(ends, prepend=at_starts[:1])

    def at(self, pieces: Ints) -> Ints:
        """How often each piece is among these."""
        return np.bincount(pieces, minlength=self.count)

    def before(self, which: Flags) -> Ints:
        """1 for each piece that ends with one of these operations."""
        return self.at(self.before_op[which])

    def stretch_starts(self, blocks: Flags) -> Ints:
        """Indexes of the pieces that begin a stretch without a wait: a task's first, and each after a wait."""
        starts = np.zeros(self.count + 1, np.bool_)
        starts[self.final + 1] = True
        starts[self.before_op[blocks] + 1] = True
        starts[0] = True
        return np.flatnonzero(starts[: self.count])

    def holding(self, moments: Moments, ops: Operations) -> Ints:
        """How many of these moments each piece holds."""
        before = np.searchsorted(ops.place, moments.task + moments.runs + moments.offset, side="right")
        return np.bincount(before + moments.task, minlength=self.count)
