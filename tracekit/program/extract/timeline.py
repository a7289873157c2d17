"""Intervals in the order of each task's life, and where in its on-CPU time a task was at a moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracekit.program.arrays import NULL, Flags, Ints, codes, ints, starts_of
from tracekit.program.extract.grouped import by_group, count_until
from tracekit.vocabulary import REASONS, STATES

RUNNING, RUNNABLE, BLOCKED = STATES["RUNNING"], STATES["RUNNABLE"], STATES["BLOCKED"]
UNKNOWN, NEW = STATES["UNKNOWN"], STATES["NEW"]
SYSCALL, YIELD, PARK = (REASONS[reason] for reason in ("syscall", "yield", "park"))
# The shortest period of Go's sysmon, which takes the P of a system call that it sees twice
# (runtime/proc.go: sysmon, retake). A call that is over before then, with its P, held the CPU like computing.
SHORT_SYSCALL_NS = 20_000


@dataclass(frozen=True)
class Moments:
    """Points in tasks' lives: `offset` on-CPU ns since the first task's first run, `runs` runs begun by then.

    Both count through all tasks, in order of tasks, so that they compare within a task.
    """

    task: Ints
    runs: Ints
    offset: Ints

    def take(self, rows: npt.NDArray[np.intp] | Ints | Flags) -> Moments:
        """Some of the points."""
        return Moments(self.task[rows], self.runs[rows], self.offset[rows])


class Timeline:
    """Rows of intervals by (task, time). `runs` are the rows on a CPU; run k begins at `before[k]` on-CPU ns.

    Task t has the rows from `first_row[t]` and the runs from `first_run[t]` on, both up to those of task t + 1.
    """

    def __init__(self, intervals: pa.Table, goroutines: Flags, joined: bool = False) -> None:
        """`goroutines` says of each task whether it is one. `joined`: waits that name a thread are that thread's."""
        task, start = ints(intervals, "task_id"), ints(intervals, "start_ns")
        if (start[1:] < start[:-1]).any():
            intervals = intervals.take(pa.array(np.argsort(start, kind="stable")))
            task, start = ints(intervals, "task_id"), ints(intervals, "start_ns")
        self.goroutines = goroutines
        order, self.first_row = by_group(task, len(goroutines))
        self.task, self.start, self.end = task[order], start[order], ints(intervals, "end_ns")[order]
        self.state = codes(intervals, "state", STATES)[order]
        self.reason = codes(intervals, "reason", REASONS)[order]
        self._cpu = ints(intervals, "cpu")[order]
        self._of_thread = goroutines[self.task] & (ints(intervals, "thread_id")[order] != NULL) & joined
        # Of a joined trace: what the runtime did on a goroutine's thread is no wait of the goroutine's.
        self.parked = (self.state == BLOCKED) & (self.reason == PARK) & self._of_thread
        self.first = starts_of(self.task)
        self.last = np.append(self.first[1:], True)[: len(task)]
        self.short_syscall = self._short_syscalls(goroutines)
        self._find_runs()

    def _short_syscalls(self, goroutines: Flags) -> Flags:
        goes_on = np.zeros(len(self.task), np.bool_)
        goes_on[:-1] = ~self.last[:-1] & (self.state[1:] == RUNNING) & (self.start[1:] == self.end[:-1])
        in_call = (self.state == BLOCKED) & (self.reason == SYSCALL) & goroutines[self.task]
        short: Flags = in_call & goes_on & (self.end - self.start < SHORT_SYSCALL_NS)
        return short

    def _find_runs(self) -> None:
        on_cpu = (self.state == RUNNING) | self.short_syscall
        self.runs = np.flatnonzero(on_cpu)
        self.run_start, self.run_end = self.start[self.runs], self.end[self.runs]
        self.before = np.concatenate(([0], np.cumsum(self.run_end - self.run_start)))
        self._runs_before = np.concatenate(([0], np.cumsum(on_cpu)))
        self.first_run = self._runs_before[self.first_row]
        after_run = np.zeros(len(self.task), np.bool_)
        after_run[1:] = ~self.first[1:] & on_cpu[:-1] & (self.start[1:] == self.end[:-1])
        self.switched_in = ~after_run[self.runs]

    def yields(self) -> npt.NDArray[np.intp]:
        """Rows in which a task is off its CPU because it gave it up."""
        return np.flatnonzero((self.state == RUNNABLE) & (self.reason == YIELD) & ~self.first & ~self.last)

    def below(self) -> Flags:
        """Of each run whether the kernel brought the goroutine's thread onto the CPU, and not the runtime it."""
        row = self.runs - 1
        waited = ((self.state == BLOCKED) | (self.state == RUNNABLE)) & self._of_thread
        below: Flags = waited[row] & ~self.first[self.runs]
        return below

    def into_idle(self) -> Flags:
        """Of each run whether nobody ran on its CPU just after it; not where the CPU is unknown, or after the last."""
        idle = np.zeros(len(self.runs), np.bool_)
        before, after = self._neighbours()
        idle[before] = self.run_start[after] > self.run_end[before]
        return idle

    def cpus(self) -> int:
        """How many CPUs (of a Go trace: Ps) anybody ran on."""
        known = self._cpu[self.runs]
        return len(np.unique(known[known != NULL]))

    def _neighbours(self) -> tuple[Ints, Ints]:
        """Runs, and the next on the same CPU of each."""
        cpu = self._cpu[self.runs]
        order = np.lexsort((self.run_start, cpu))
        same = (cpu[order[1:]] == cpu[order[:-1]]) & (cpu[order[1:]] != NULL)
        return order[:-1][same], order[1:][same]

    def at_rows(self, rows: npt.NDArray[np.intp]) -> Moments:
        """Where tasks were when these rows of theirs, which are no runs, began."""
        runs = self._runs_before[rows]
        return Moments(self.task[rows], runs, self.before[runs])

    def moments(self, task: Ints, time: Ints) -> Moments:
        """Where each task was at each time: in its latest run that had begun, at that run's end if it was over."""
        runs = count_until(self.first_run, self.run_start, task, time)
        return Moments(task, runs, self.offsets(task, runs, time))

    def offsets(self, task: Ints, runs: Ints, time: Ints) -> Ints:
        """On-CPU ns at `time` of tasks that had begun `runs` runs by then."""
        if not len(self.runs):
            return np.zeros(len(task), np.int64)
        latest = np.maximum(runs - 1, 0)
        within = self.before[latest] + np.minimum(time, self.run_end[latest]) - self.run_start[latest]
        return np.where(runs > self.first_run[task], within, self.before[runs])

    def cpu_at(self, task: Ints, time: Ints) -> Ints:
        """The CPU of each task's latest run that had begun by then, NULL where there is none or it is not known."""
        runs = count_until(self.first_run, self.run_start, task, time)
        return np.where(runs > self.first_run[task], self.cpu_of(runs - 1), NULL)

    def cpu_of(self, run: Ints) -> Ints:
        """The CPU of each run, NULL where it is not known."""
        cpu: Ints = np.append(self._cpu[self.runs], NULL)[run]
        return cpu

    def running_on(self, cpu: Ints, time: Ints) -> Ints:
        """The task that ran on each CPU at each time, NULL where none did."""
        if not len(cpu) or not len(self.runs):
            return np.full(len(cpu), NULL)
        rows = self.runs[np.argsort(self.run_start, kind="stable")]
        rows = rows[self._cpu[rows] != NULL]
        order, bounds = by_group(self._cpu[rows], int(max(cpu.max(), self._cpu.max())) + 1)
        rows = rows[order]
        count = count_until(bounds, self.start[rows], cpu, time)
        found = np.append(rows, 0)[count - 1]
        there = (count > bounds[cpu]) & (self.end[found] > time)
        return np.where(there, self.task[found], NULL)
