"""The words of the texts, as arrays that compiled code can compare with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import EVENT_KINDS, PREV_STATE_CODES, Number, wide

Bytes = npt.NDArray[np.uint8]

# tracepoint without its "sched_": kind. include/trace/events/sched.h
TRACEPOINTS = {
    "switch": "switch",
    "waking": "waking",
    "wakeup": "wakeup",
    "wakeup_new": "wakeup_new",
    "migrate_task": "migrate",
    "stat_runtime": "stat_runtime",
    "process_fork": "fork",
    "process_exec": "exec",
    "process_exit": "exit",
}


def word(text: str) -> Bytes:
    """A word as bytes."""
    return np.frombuffer(text.encode(), np.uint8)


def _table(words: list[str]) -> Bytes:
    table = np.zeros((len(words), max(map(len, words)) + 1), np.uint8)
    for row, text in zip(table, words, strict=True):
        row[: len(text)] = word(text)
    return table


NAMES = _table(list(TRACEPOINTS))
LENGTHS = np.array([len(name) for name in TRACEPOINTS], np.int64)
KINDS = np.array([EVENT_KINDS[kind] for kind in TRACEPOINTS.values()], np.int64)

SCHED, SCHED_COLON, NOTE = word("sched_"), word("sched:"), word("PERF_RECORD_")
RAW_COLON, SYS_ENTER, SYS_EXIT, NR, ID = map(word, ("raw_syscalls:", "sys_enter:", "sys_exit:", "NR ", "id="))
NOTE_FORK, NOTE_EXIT, NOTE_COMM = word("FORK("), word("EXIT("), word("COMM")
NOTE_LOST, EXEC_NOTE = word("LOST lost "), word(" exec:")
COMM, PARENT_COMM, PREV_COMM = word("comm="), word("parent_comm="), word("prev_comm=")
# Words that end a name come with the space before, and are searched behind it.
PID, PARENT_PID, PREV_PID, NEXT_PID, CHILD_PID = map(
    word, (" pid=", " parent_pid=", " prev_pid=", " next_pid=", " child_pid=")
)
PREV_STATE, NEXT_COMM, NEXT_PRIO, CHILD_COMM = map(word, (" prev_state=", " next_comm=", " next_prio=", " child_comm="))
TARGET_CPU, DEST_CPU, RUNTIME, CPU, ARROW = map(word, (" target_cpu=", " dest_cpu=", " runtime=", " CPU:", " ==> "))
NAME_BEGINS = word(": ")
CPU_LINE, BUFFER_LINE, LOST, DROPPED = map(word, ("CPU:", "##### CPU ", "LOST", "DROPPED"))

# The letters of a state, the strongest first: of several the strongest decides. "x" is dead and "W" idle:
# before 4.14 the kernel printed the first for TASK_DEAD, and trace-cmd's plugin prints the second for 0x80.
_STRONGEST = "XxZTtDPISW"
_MEANING = {"x": "X", "W": "I"}
STATE_RANKS = np.full(256, len(_STRONGEST), np.int64)
STATE_CODES = np.full(256, PREV_STATE_CODES["?"], np.int64)
for _rank, _letter in enumerate(_STRONGEST):
    STATE_RANKS[ord(_letter)] = _rank
    STATE_CODES[ord(_letter)] = PREV_STATE_CODES[_MEANING.get(_letter, _letter)]

# States as numbers: their bits since 4.14 (include/linux/sched.h TASK_REPORT), as letters.
STATE_BITS = np.array([(1 << bit, ord(letter)) for bit, letter in enumerate("SDTtXZPI")], np.int64)
# TASK_STATE_MAX of the kernels from 2.6.33 to 4.13: a bit of these says preempted, and that 0x40 is TASK_DEAD.
OLD_PREEMPTED: Number = wide(0xFE00)
OLD_DEAD: Number = wide(0x40)

LONGEST_NAME = 15  # TASK_COMM_LEN - 1, include/linux/sched.h
NAME_BYTES = 16
