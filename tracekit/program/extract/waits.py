"""Why tasks left the CPU, and what brought them back: each wait with the wakeup that ended it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tracekit.program.arrays import NULL, Flags, Ints, codes, ints
from tracekit.program.extract.grouped import by_group, count_until
from tracekit.program.extract.timeline import BLOCKED, RUNNABLE, UNKNOWN, Moments, Timeline
from tracekit.vocabulary import REASONS, SEGMENTS

# What a wait that no task ended becomes. All others, and those of no known reason, are `network`: something from
# outside ends them, at once and after just the recorded time. A `sleep` would come late by the timer's slack once
# more, and as a goroutine by up to the millisecond that Go's poller rounds to (runtime/netpoll_epoll.go).
_BY_REASON = {"sleep": "sleep", "io": "io", "page_fault": "io", "uninterruptible": "io", "syscall": "syscall"}
_INTERRUPTS = [SEGMENTS[kind] for kind in ("io", "network", "syscall")]
# Reasons that name a timer or a device, and so explain a wait that no recorded wakeup ended.
_KNOWN = ("sleep", "io", "network", "syscall", "page_fault", "uninterruptible")
_WAKEUP, _UNINTERRUPTIBLE = REASONS["wakeup"], REASONS["uninterruptible"]


class Wakeups:
    """The wakeups table as arrays, in order of time, and the latest wakeup of a task up to a time.

    `by` says where the waking task was (anything where none is named); `woke` is false where it had not run by
    then: it can have woken no one, whatever the recording says.
    """

    def __init__(self, wakeups: pa.Table, line: Timeline) -> None:
        """`line` is that of the same recording."""
        at = ints(wakeups, "at_ns")
        if (at[1:] < at[:-1]).any():
            wakeups = wakeups.take(pa.array(np.argsort(at, kind="stable")))
        self.at = ints(wakeups, "at_ns")
        self.waker, self.wakee = ints(wakeups, "waker_id"), ints(wakeups, "wakee_id")
        self.cpu = ints(wakeups, "cpu")
        self.reason = codes(wakeups, "reason", REASONS)
        self._by_wakee, self._bounds = by_group(self.wakee, len(line.first_row) - 1)
        self._at_by_wakee = self.at[self._by_wakee]
        self.by = line.moments(self.waker.clip(min=0), self.at)
        self.woke = (self.waker != NULL) & (self.by.runs > line.first_run[self.by.task])

    def sent(self, line: Timeline) -> Moments:
        """Where tasks were when they woke somebody on another CPU that idled, which takes an interrupt
        (resched_curr → smp_send_reschedule)."""
        rows = np.flatnonzero(self.woke & (self.waker != self.wakee))
        run = count_until(line.first_run, line.run_start, self.wakee[rows], self.at[rows] - 1)
        rows, run = (values[run < line.first_run[self.wakee[rows] + 1]] for values in (rows, run))
        cpu, own = line.cpu_of(run), line.cpu_at(self.waker[rows], self.at[rows])
        known = (cpu != NULL) & (own != NULL) & (cpu != own)
        rows, cpu = rows[known], cpu[known]
        rows = rows[line.running_on(cpu, self.at[rows]) == NULL]
        return self.by.take(rows)

    def interrupts(self, line: Timeline) -> Moments:
        """Where tasks were when an interrupt on their CPU woke somebody: another task, or the one that ran there,
        which was about to wait.

        A timer goes off on the CPU where it was set (timerfd_setup, hrtimer_start), which is the one that the waiting
        task left: that counts where the recording does not tell the CPU. Go's tracer tells when a scheduler noticed
        that the wait was over, which is later.
        """
        by_none = (self.waker == NULL) | (self.waker == self.wakee)
        rows = np.flatnonzero(by_none & ~line.goroutines[self.wakee])
        at = self.at[rows] - 1
        cpu = np.where(self.cpu[rows] == NULL, line.cpu_at(self.wakee[rows], at), self.cpu[rows])
        struck = np.full(len(rows), NULL)
        struck[cpu != NULL] = line.running_on(cpu[cpu != NULL], at[cpu != NULL])
        return line.moments(struck[struck != NULL], at[struck != NULL])

    def latest(self, task: Ints, after: Ints, until: Ints) -> Ints:
        """Row of each task's last wakeup in (after, until], NULL where there is none."""
        count = count_until(self._bounds, self._at_by_wakee, task, until)
        rows = np.append(self._by_wakee, NULL)[count - 1]
        return np.where((count > self._bounds[task]) & (np.append(self.at, 0)[rows] > after), rows, NULL)


@dataclass(frozen=True)
class Waits:
    """One row per wait that ended. `wake` is the wakeup's row, `waker` the task that made it; NULL: none, nobody.

    `zero` marks waits that were over before the task had left the CPU, or whose beginning was not recorded.
    """

    at: Moments
    start: Ints
    end: Ints
    reason: Ints
    wake: Ints
    waker: Ints
    known: Flags  # BLOCKED, and not UNKNOWN or zero
    zero: Flags
    unended: int  # waits dropped because the recording ends in them
    kernel_locks: Moments  # where waits were dropped because another task's way through the kernel ended them
    lock_wakes: Ints  # the wakeups that ended those

    @property
    def task(self) -> Ints:
        """Who waited."""
        return self.at.task

    @property
    def explained(self) -> Flags:
        """Ended by a recorded wakeup, of a task or an interrupt, or by a timer or device that the reason names."""
        by_itself = (self.wake != NULL) & (self.waker == NULL)
        named = np.isin(self.reason, [REASONS[reason] for reason in _KNOWN])
        explained: Flags = (self.waker != NULL) | by_itself | named
        return explained

    def kinds(self, open_arrivals: bool) -> Ints:
        """The segment kind of each: `wait` where a task ended it, else one that lasts as long as recorded."""
        kinds = np.full(len(REASONS) + 1, SEGMENTS["network"], np.int64)  # the last for no reason, NULL
        for reason, kind in _BY_REASON.items():
            kinds[REASONS[reason]] = SEGMENTS[kind]
        if open_arrivals:
            kinds[[REASONS["network"], NULL]] = SEGMENTS["arrival"]
        return np.where(self.waker == NULL, kinds[self.reason], SEGMENTS["wait"])


def find_waits(line: Timeline, wakeups: Wakeups, kernel: Flags) -> Waits:
    """All waits, in order of (task, time). `kernel` says which tasks are the kernel's own.

    A wakeup by the task itself counts as none: an interrupt that found it on the CPU says nothing of its wait. An
    uninterruptible wait that another program's task ends is for a lock inside the kernel, such as that of an address
    space while a thread is created or ends (mmap_lock): the form's, not the program's, and left out.
    """
    waiting = ((line.state == BLOCKED) | (line.state == UNKNOWN)) & ~line.short_syscall & ~line.parked
    # A task found RUNNABLE by a wakeup was about to wait, or waited before it was first seen.
    zero = (line.state == RUNNABLE) & (line.reason == _WAKEUP)
    zero[1:] &= line.first[1:] | ~(waiting | (line.state == RUNNABLE))[:-1]
    rows = np.flatnonzero((waiting & ~line.last) | zero)
    zero = zero[rows]
    task, start, end = line.task[rows], line.start[rows], np.where(zero, line.start[rows], line.end[rows])
    wake = wakeups.latest(task, start - zero, end)
    waker = _at(wakeups.waker, wake)
    nobody = (waker == task) | ~np.append(wakeups.woke, False)[wake]
    wake, waker = np.where((waker != NULL) & nobody, NULL, wake), np.where(nobody, NULL, waker)
    reason = np.where(line.reason[rows] == NULL, _at(wakeups.reason, wake), line.reason[rows])
    locks = (reason == _UNINTERRUPTIBLE) & (waker != NULL) & ~kernel[waker.clip(min=0)]
    keep = (~zero | (waker != NULL)) & ~locks
    return Waits(
        at=line.at_rows(rows[keep]), start=start[keep], end=end[keep], reason=reason[keep], wake=wake[keep],
        waker=waker[keep],
        known=(line.state[rows] == BLOCKED)[keep], zero=zero[keep], unended=int((waiting & line.last).sum()),
        kernel_locks=line.at_rows(rows[locks]), lock_wakes=wake[locks],
    )  # fmt: skip


def untold_interrupts(line: Timeline, waits: Waits) -> float:
    """Interrupts on each ns of a CPU that ended goroutines' waits for timers, devices and sockets. Go's poller and
    scheduler notice them later, and a busy runtime's kernel wakes nobody by them: they struck whoever ran, or nobody."""
    by_device = np.isin(waits.kinds(False), _INTERRUPTS) & line.goroutines[waits.task] & waits.known
    span_ns = int(line.end.max(initial=0) - line.start.min(initial=0)) if len(line.start) else 0
    cpus = line.cpus()
    return float(by_device.sum()) / (span_ns * cpus) if span_ns and cpus else 0.0


def _at(values: Ints, rows: Ints) -> Ints:
    """`values` at `rows`, NULL where the row is NULL."""
    return np.append(values, NULL)[rows]
