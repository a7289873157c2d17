"""What a kernel recording is made of: one record per scheduling event, in time order.

Every kernel format (perf.data, ftrace, trace.dat, Perfetto) brings its events into this form, and
`build` turns them into tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracekit.sources.base import Progress, no_progress
from tracekit.vocabulary import Words

EVENT_KINDS = Words("kernel event", {
    "switch": "tid leaves the CPU in prev_state, target_tid enters it; value is REASONS of its wait, where known",
    "waking": "tid wakes target_tid; target_cpu is where the wakee was last",
    "wakeup": "target_tid is in the run queue of target_cpu",
    "wakeup_new": "target_tid, just created, is in the run queue of target_cpu",
    "migrate": "target_tid's CPU becomes target_cpu",
    "stat_runtime": "target_tid has run for value ns since its last accounting",
    "fork": "tid created target_tid; value is the child's process, where known",
    "exec": "tid runs another program from here on",
    "exit": "target_tid is ending",
    "comm": "target_tid's name changes; value is its process",
    "known": "target_tid existed before the recording; value is its process, tid its creator",
    "sys_enter": "tid enters the system call numbered value",
    "sys_exit": "tid is back from the system call numbered value",
})  # fmt: skip
# The kinds that tracepoints give; the others come from a recorder's own notes and carry no CPU's state.
SCHEDULING_KINDS = EVENT_KINDS["exit"]

# The letters of `prev_state`, as sched_switch prints them: fs/proc/array.c task_state_array, and
# TASK_REPORT_MAX in include/linux/sched.h for "R+" (preempted). Each with the state and the reason that follow.
PREV_STATES: dict[str, tuple[str, str | None]] = {
    "R": ("RUNNABLE", "preempted"),
    "R+": ("RUNNABLE", "preempted"),
    "S": ("BLOCKED", None),
    "D": ("BLOCKED", "uninterruptible"),
    "T": ("BLOCKED", "stopped"),
    "t": ("BLOCKED", "stopped"),
    "X": ("EXITED", "exit"),
    "Z": ("EXITED", "exit"),
    "P": ("BLOCKED", None),
    "I": ("BLOCKED", None),
    "?": ("BLOCKED", None),
}
PREV_STATE_CODES = {letter: code for code, letter in enumerate(PREV_STATES)}

IN_INTERRUPT = 1  # flags: fired in hard interrupt context, so tid is only the task that was interrupted
EXECUTED = 2  # flags: a comm that comes from exec
GENERIC_NUMBERS = 4  # flags: a sys_enter's number is asm-generic's (aarch64, riscv64), not x86_64's

PID_MAX = 4 * 1024 * 1024  # PID_MAX_LIMIT, include/linux/threads.h
CPU_MAX = 8192  # the largest CONFIG_NR_CPUS that any architecture's Kconfig allows

EVENT = np.dtype(
    [
        ("time_ns", np.int64),  # of the recording's clock
        ("value", np.int64),  # by kind; -1 unknown
        ("tid", np.int32),  # the task current on the CPU; 0 idle, -1 unknown
        ("tgid", np.int32),  # its process; -1 unknown
        ("target_tid", np.int32),
        ("target_cpu", np.int32),
        ("cpu", np.int32),  # where it fired; -1 unknown
        ("kind", np.int8),  # EVENT_KINDS
        ("prev_state", np.int8),  # PREV_STATE_CODES
        ("flags", np.int8),
    ],
    align=True,
)
GAP = np.dtype(
    [
        ("start_ns", np.int64),
        ("end_ns", np.int64),
        ("lost_events", np.int64),  # -1 unknown
        ("cpu", np.int32),  # -1: the whole recording
        ("cause", np.int8),  # GAP_CAUSES
    ],
    align=True,
)

Records = npt.NDArray[Any]  # of a structured dtype
Row = Any  # one of them: np.void, or in compiled code a record
Number = Any  # an int; of numpy's kind where nothing is compiled
wide: Any = np.int64  # brings numbers to one width in compiled code, so that each callee is compiled once
Rows = npt.NDArray[np.int64]
# (event rows, roles) → names; role 0 is the name of `tid`, 1 that of `target_tid`. "" where there is none.
NameReader = Callable[[Rows, npt.NDArray[np.int8]], list[str]]


@dataclass
class KernelRecording:
    """All that `build` needs. `events` (EVENT) and `gaps` (GAP) carry times of the recording's clock."""

    events: Records
    names: NameReader
    gaps: Records = field(default_factory=lambda: np.zeros(0, GAP))
    wakeup: str = "waking"
    progress: Progress = no_progress
    policies: list[dict[str, object]] = field(default_factory=list)
    streams: list[str | None] = field(default_factory=list)  # one by gap: the part of the file; empty: none known


class Batch(NamedTuple):
    """Some events of a recording (EVENT, in time order, none before those of the batch before), and their names.

    `names` takes rows of this batch. Both are done with when the next batch is asked for.
    """

    events: Records
    names: NameReader


@dataclass
class KernelStream:
    """A recording that comes in batches, so that no file need fit in memory.

    `gaps`, `policies` and `streams` may grow while the batches are read; they are looked at when all are in.
    """

    batches: Iterable[Batch]
    gaps: list[Records] = field(default_factory=list)  # of GAP
    streams: list[str | None] = field(default_factory=list)  # one by gap, or empty
    wakeup: str = "waking"
    policies: list[dict[str, object]] = field(default_factory=list)


def blank_events(count: int) -> Records:
    """`count` events with every optional field unknown."""
    events = np.zeros(count, EVENT)
    for name in ("value", "tid", "tgid", "target_tid", "target_cpu", "cpu"):
        events[name] = -1
    events["prev_state"] = PREV_STATE_CODES["?"]
    return events
