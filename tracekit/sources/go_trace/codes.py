"""Event codes by name, as constants that kernels can compare with. The numbers stand in `spec.SPECS` only."""

from __future__ import annotations

from tracekit.sources.go_trace.spec import BY_NAME


def _code(name: str) -> int:
    return BY_NAME[name].code


EVENT_BATCH = _code("EventBatch")
STACKS, STACK = _code("Stacks"), _code("Stack")
STRINGS, STRING = _code("Strings"), _code("String")
CPU_SAMPLES, CPU_SAMPLE = _code("CPUSamples"), _code("CPUSample")
FREQUENCY, SYNC, CLOCK_SNAPSHOT = _code("Frequency"), _code("Sync"), _code("ClockSnapshot")
EXPERIMENTAL_BATCH, END_OF_GENERATION = _code("ExperimentalBatch"), _code("EndOfGeneration")

PROCS_CHANGE = _code("ProcsChange")
PROC_START, PROC_STOP, PROC_STEAL = _code("ProcStart"), _code("ProcStop"), _code("ProcSteal")
PROC_STATUS = _code("ProcStatus")

GO_CREATE, GO_CREATE_SYSCALL, GO_CREATE_BLOCKED = _code("GoCreate"), _code("GoCreateSyscall"), _code("GoCreateBlocked")
GO_START, GO_STOP, GO_BLOCK, GO_UNBLOCK = _code("GoStart"), _code("GoStop"), _code("GoBlock"), _code("GoUnblock")
GO_DESTROY, GO_DESTROY_SYSCALL = _code("GoDestroy"), _code("GoDestroySyscall")
GO_SYSCALL_BEGIN, GO_SYSCALL_END = _code("GoSyscallBegin"), _code("GoSyscallEnd")
GO_SYSCALL_END_BLOCKED = _code("GoSyscallEndBlocked")
GO_STATUS, GO_STATUS_STACK = _code("GoStatus"), _code("GoStatusStack")
GO_SWITCH, GO_SWITCH_DESTROY = _code("GoSwitch"), _code("GoSwitchDestroy")

STW_BEGIN, STW_END = _code("STWBegin"), _code("STWEnd")
GC_ACTIVE, GC_BEGIN, GC_END = _code("GCActive"), _code("GCBegin"), _code("GCEnd")
GC_SWEEP_ACTIVE, GC_SWEEP_BEGIN, GC_SWEEP_END = _code("GCSweepActive"), _code("GCSweepBegin"), _code("GCSweepEnd")
GC_ASSIST_ACTIVE, GC_ASSIST_BEGIN = _code("GCMarkAssistActive"), _code("GCMarkAssistBegin")
GC_ASSIST_END = _code("GCMarkAssistEnd")

USER_TASK_BEGIN, USER_TASK_END = _code("UserTaskBegin"), _code("UserTaskEnd")
USER_REGION_BEGIN, USER_REGION_END = _code("UserRegionBegin"), _code("UserRegionEnd")
USER_LOG = _code("UserLog")

HEAP_ALLOC, HEAP_GOAL = _code("HeapAlloc"), _code("HeapGoal")
FIRST_EXPERIMENTAL = _code("Span")
