"""Which number each field has that is read here: protos/perfetto/ in google/perfetto, as of v59.

TracePacket: trace/trace_packet.proto. FtraceEventBundle and CompactSched: trace/ftrace/ftrace_event_bundle.proto.
FtraceEvent: trace/ftrace/ftrace_event.proto. Events: trace/ftrace/sched.proto and task.proto.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import EVENT_KINDS, Number, Rows, wide


def _wide(*numbers: int) -> list[Number]:
    return [wide(number) for number in numbers]


# TracePacket
FTRACE_EVENTS, TIMESTAMP, SEQUENCE, DROPPED, CLOCK, MACHINE = _wide(1, 8, 10, 42, 58, 98)
COMPRESSED, ZSTD_COMPRESSED = _wide(50, 133)
PROCESS_TREE, CLOCK_SNAPSHOT, PROCESS_STATS, FTRACE_STATS, SYSTEM_INFO, DEFAULTS = 2, 6, 9, 34, 45, 59
# FtraceEventBundle
CPU, EVENT_FIELD, LOST_EVENTS, COMPACT_SCHED, FTRACE_CLOCK, FTRACE_TIME, BOOT_TIME, ERROR = _wide(*range(1, 9))
LAST_READ_EVENT_TIME, PREVIOUS_BUNDLE_END = _wide(9, 10)
# FtraceEvent
EVENT_TIME, EVENT_PID, EVENT_FLAGS = _wide(1, 2, 5)
# CompactSched
SWITCH_TIME, SWITCH_STATE, SWITCH_PID, SWITCH_PRIO, INTERN_TABLE, SWITCH_COMM = _wide(*range(1, 7))
WAKING_TIME, WAKING_PID, WAKING_CPU, WAKING_PRIO, WAKING_COMM, WAKING_FLAGS = _wide(*range(7, 13))
COMPACT_FIELDS = 13

# ProcessTree, and ProcessStats of the same shape: processes (pid, ppid, cmdline) and threads (tid, name, tgid)
TREE_PROCESSES, TREE_THREADS, TREE_NAME_IS_COMM, STATS_PROCESSES, STATS_THREADS = 1, 2, 9, 1, 11

# What a plain event's field means here.
OWN_TID, OWN_NAME, TARGET_TID, TARGET_NAME, TARGET_CPU, STATE, CLONE_FLAGS = _wide(*range(1, 8))
# by FtraceEvent's field: the kind, and the meaning of each of the event's own fields that is read
PLAIN: dict[int, tuple[str, dict[int, Number]]] = {
    4: ("switch", {1: OWN_NAME, 2: OWN_TID, 4: STATE, 5: TARGET_NAME, 6: TARGET_TID}),
    17: ("wakeup", {1: TARGET_NAME, 2: TARGET_TID, 5: TARGET_CPU}),
    20: ("waking", {1: TARGET_NAME, 2: TARGET_TID, 5: TARGET_CPU}),
    114: ("wakeup_new", {1: TARGET_NAME, 2: TARGET_TID, 5: TARGET_CPU}),
    235: ("fork", {1: TARGET_TID, 2: TARGET_NAME, 3: CLONE_FLAGS}),  # task_newtask
    236: ("comm", {1: TARGET_TID, 3: TARGET_NAME}),  # task_rename
    237: ("exec", {}),
    238: ("exit", {2: TARGET_TID}),
    239: ("fork", {2: OWN_TID, 3: TARGET_NAME, 4: TARGET_TID}),
    491: ("migrate", {1: TARGET_NAME, 2: TARGET_TID, 5: TARGET_CPU}),
}
PLANS = 1024  # FtraceEvent's numbers that are looked up; the last in use is 604
_FIELDS = 16

# ClockSnapshot's clocks and FtraceClock: common/builtin_clock.proto, trace/ftrace/ftrace_event_bundle.proto
REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME = 1, 3, 5, 6
CLOCK_NAMES = {1: "CLOCK_REALTIME", 3: "CLOCK_MONOTONIC", 5: "CLOCK_MONOTONIC_RAW", 6: "CLOCK_BOOTTIME"}
FTRACE_BOOT, FTRACE_UNKNOWN, FTRACE_GLOBAL, FTRACE_LOCAL, FTRACE_MONO_RAW = range(5)
FTRACE_CLOCK_NAMES = ("boot", "unknown", "global", "local", "mono_raw")


def plans() -> tuple[npt.NDArray[np.int8], Rows]:
    """(each FtraceEvent field's kind, -1 for others; by field of FtraceEvent and of the event: its meaning, or 0)."""
    kinds = np.full(PLANS, -1, np.int8)
    meanings = np.zeros((PLANS, _FIELDS), np.int64)
    for number, (kind, of_fields) in PLAIN.items():
        kinds[number] = EVENT_KINDS[kind]
        for field, meaning in of_fields.items():
            meanings[number, field] = meaning
    return kinds, meanings
