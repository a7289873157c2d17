"""The records that the state machine keeps and writes, and how they begin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import Number, Records, Rows, wide
from tracekit.sources.kernel.syscalls import SYSCALL_REASONS


def _numbers(start: int, end: int) -> list[Number]:
    """start … end-1, of one width: numba compiles a callee anew for every plain int that it is given."""
    return [wide(number) for number in range(start, end)]


# Positions in EVENT_KINDS, STATES, REASONS and GAP_CAUSES: compiled code can't look words up.
# tests/unit/test_kernel_build.py compares them.
SWITCH, WAKING, WAKEUP, WAKEUP_NEW, MIGRATE, STAT_RUNTIME, FORK, EXEC, EXIT, COMM, KNOWN = _numbers(0, 11)
SYS_ENTER, SYS_EXIT = _numbers(11, 13)
RUNNING, RUNNABLE, BLOCKED, NEW, EXITED, UNKNOWN = _numbers(0, 6)
REASON_YIELD, REASON_WAKEUP, REASON_SPAWN = _numbers(1, 4)
REASON_UNINTERRUPTIBLE: Number = wide(17)
BROKEN_CHAIN, INFERRED_SWITCH = _numbers(1, 3)
PID_REUSED: Number = wide(6)
IN_INTERRUPT, EXECUTED, GENERIC_NUMBERS = 1, 2, 4

NO, YES = FIRST, SECOND = _numbers(0, 2)
NULL: Number = wide(-1)
IDLE: Number = wide(-1)  # a CPU's task
NOT_SEEN: Number = wide(-2)  # a CPU's task, when no event tells
NO_TIME: Number = wide(-(1 << 62))

# What is wrong with an event: nothing that could be meant (a note about no task), or ids that can not be.
AIMLESS, FLAWED = _numbers(1, 3)

# Positions in `World.counts`.
N_TASKS, N_ACTIVE, N_INTERVALS, N_WAKEUPS, N_GAPS = _numbers(0, 5)
WOKEN_RUNNING, WOKEN_RUNNABLE, MISSED_WAKEUP, EARLY_WAKEUP, INFERRED, REFINED = _numbers(5, 11)
COUNTERS = 11

# More rows than one event can add to any table: a switch of two tasks, each new and seen elsewhere before, adds
# six intervals and five gaps.
ROOM = 8

TASK = np.dtype(
    [
        ("row", np.int64),  # its open interval
        ("start_ns", np.int64),
        ("end_ns", np.int64),
        ("first", np.int64),  # order of first sight; NULL while only known of
        ("hint_ns", np.int64),  # when it got its CPU, by the first accounting since it last left one
        ("wakeup_row", np.int64),
        ("name_row", np.int64),
        ("tid", np.int64),
        ("tgid", np.int64),
        ("parent", np.int64),
        ("cpu", np.int64),
        ("waker", np.int64),  # of the last waking that has not taken effect
        ("waking_cpu", np.int64),
        ("syscall", np.int64),  # one more than REASONS of the system call it is in; 0 in none
        ("state", np.int8),
        ("name_role", np.int8),
        ("exiting", np.int8),
        ("executed", np.int8),
        ("woken_early", np.int8),
    ],
    align=True,
)
CPU = np.dtype(
    [
        ("seen_ns", np.int64),  # the last event that told who runs here
        ("lower_ns", np.int64),  # bounds of an inferred switch-in that accounting may still refine
        ("upper_ns", np.int64),
        ("before_row", np.int64),
        ("task", np.int64),
        ("wakee", np.int64),  # whom this CPU is just placing
        ("pending", np.int8),
    ],
    align=True,
)
INTERVAL = np.dtype(
    [
        ("start_ns", np.int64),
        ("end_ns", np.int64),
        ("task", np.int32),
        ("cpu", np.int32),
        ("state", np.int8),
        ("reason", np.int8),
        ("inferred", np.int8),
    ],
    align=True,
)
WAKE = np.dtype(
    [
        ("at_ns", np.int64),
        ("waker", np.int32),
        ("wakee", np.int32),
        ("cpu", np.int32),
        ("target_cpu", np.int32),
        ("reason", np.int8),
    ],
    align=True,
)


class World(NamedTuple):
    """Everything the loop reads and writes between events."""

    tasks: Records
    cpus: Records
    task_of_tid: Rows
    intervals: Records
    wakeups: Records
    gaps: Records
    counts: Rows
    leave_state: Rows  # by prev_state
    leave_reason: Rows
    use_wakeup: bool
    syscall_reasons: npt.NDArray[np.int8] = SYSCALL_REASONS


class Event(NamedTuple):
    """One event at hand: EVENT's fields, all of one width, so that every callee is compiled once."""

    time_ns: int
    kind: int
    cpu: int
    tid: int
    tgid: int
    target_tid: int
    target_cpu: int
    prev_state: int
    flags: int
    value: int
