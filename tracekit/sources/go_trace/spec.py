"""The wire format's vocabulary, once: events with their arguments, statuses, versions and limits.

Facts from Go's `src/internal/trace/tracev2` (events.go, spec.go) and `src/internal/trace/version`. The decoder,
the tests' writer and the documentation all read the tables here.

Names of arguments say what they are: `dt` (time since the batch's previous event, in clock units), `g`, `new_g`
(goroutine id), `p`, `m` (thread id), `*_seq` (sequence number), `*stack` (stack id), `*_string` (string id),
`gstatus`, `pstatus`; anything else is a plain number.
"""

from __future__ import annotations

from dataclasses import dataclass

# Wire format versions, and the Go releases that write them. A trace names the format, not the release.
VERSIONS: dict[int, str] = {22: "Go 1.22", 23: "Go 1.23 and 1.24", 25: "Go 1.25", 26: "Go 1.26 and later"}
FIRST_SYNC_VERSION = 25  # the clock frequency moved into a sync batch, beside a clock snapshot
FIRST_MARKED_VERSION = 26  # generations end with an event of their own
OLD_VERSIONS = range(5, 22)  # the format before: other events, other order

MAX_BATCH_BYTES = 64 << 10
MAX_STRING_BYTES = 1 << 10
MAX_FRAMES = 128
NO_THREAD = 2**64 - 1  # the M of batches that belong to none


@dataclass(frozen=True)
class EventSpec:
    """One event: its code on the wire, arguments in order, the format version that brought it.

    A timed event stands in a thread's batches and begins with `dt`; the others give the file its structure.
    """

    code: int
    name: str
    args: tuple[str, ...]
    since: int
    timed: bool
    meaning: str


def _timed(code: int, name: str, args: str, meaning: str, since: int = 22) -> EventSpec:
    return EventSpec(code, name, tuple(args.split()), since, True, meaning)


def _structural(code: int, name: str, args: str, meaning: str, since: int = 22) -> EventSpec:
    return EventSpec(code, name, tuple(args.split()), since, False, meaning)


SPECS: tuple[EventSpec, ...] = (
    _structural(1, "EventBatch", "gen m time size", "events of one thread follow"),
    _structural(2, "Stacks", "", "a part of the stack table follows"),
    _structural(3, "Stack", "id nframes", "one stack: pc, function, file and line of each frame"),
    _structural(4, "Strings", "", "a part of the string table follows"),
    _structural(5, "String", "id size", "one string"),
    _structural(6, "CPUSamples", "", "CPU profile samples follow"),
    _structural(7, "CPUSample", "time m p g stack", "one sample"),
    _structural(8, "Frequency", "freq", "clock units per second"),
    _timed(9, "ProcsChange", "dt procs_value stack", "GOMAXPROCS"),
    _timed(10, "ProcStart", "dt p p_seq", "the thread takes a P"),
    _timed(11, "ProcStop", "dt", "the thread gives its P up"),
    _timed(12, "ProcSteal", "dt p p_seq m", "a P is taken from a thread in a system call"),
    _timed(13, "ProcStatus", "dt p pstatus", "a P's status at the start of a generation"),
    _timed(14, "GoCreate", "dt new_g new_stack stack", "a goroutine is created, runnable"),
    _timed(15, "GoCreateSyscall", "dt new_g", "a goroutine appears in a system call (callback from C)"),
    _timed(16, "GoStart", "dt g g_seq", "a goroutine starts to run"),
    _timed(17, "GoDestroy", "dt", "the running goroutine ends"),
    _timed(18, "GoDestroySyscall", "dt", "a goroutine ends in a system call (callback from C)"),
    _timed(19, "GoStop", "dt reason_string stack", "the running goroutine leaves its P, runnable"),
    _timed(20, "GoBlock", "dt reason_string stack", "the running goroutine blocks"),
    _timed(21, "GoUnblock", "dt g g_seq stack", "a blocked goroutine becomes runnable"),
    _timed(22, "GoSyscallBegin", "dt p_seq stack", "a system call begins"),
    _timed(23, "GoSyscallEnd", "dt", "a system call ends, the P was kept"),
    _timed(24, "GoSyscallEndBlocked", "dt", "a system call ends, the P was lost"),
    _timed(25, "GoStatus", "dt g m gstatus", "a goroutine's status at the start of a generation"),
    _timed(26, "STWBegin", "dt kind_string stack", "the world stops"),
    _timed(27, "STWEnd", "dt", "the world goes on"),
    _timed(28, "GCActive", "dt gc_seq", "the mark phase is under way at the start of a generation"),
    _timed(29, "GCBegin", "dt gc_seq stack", "the mark phase begins"),
    _timed(30, "GCEnd", "dt gc_seq", "the mark phase ends"),
    _timed(31, "GCSweepActive", "dt p", "a P is sweeping at the start of a generation"),
    _timed(32, "GCSweepBegin", "dt stack", "a P begins to sweep"),
    _timed(33, "GCSweepEnd", "dt swept_value reclaimed_value", "a P has swept"),
    _timed(34, "GCMarkAssistActive", "dt g", "a goroutine is assisting at the start of a generation"),
    _timed(35, "GCMarkAssistBegin", "dt stack", "the running goroutine assists the collector"),
    _timed(36, "GCMarkAssistEnd", "dt", "the running goroutine has assisted"),
    _timed(37, "HeapAlloc", "dt heapalloc_value", "bytes of live heap"),
    _timed(38, "HeapGoal", "dt heapgoal_value", "heap size at which the next collection starts"),
    _timed(39, "GoLabel", "dt label_string", "a label for the running goroutine"),
    _timed(40, "UserTaskBegin", "dt task parent_task name_string stack", "trace.NewTask"),
    _timed(41, "UserTaskEnd", "dt task stack", "Task.End"),
    _timed(42, "UserRegionBegin", "dt task name_string stack", "trace.StartRegion"),
    _timed(43, "UserRegionEnd", "dt task name_string stack", "Region.End"),
    _timed(44, "UserLog", "dt task key_string value_string stack", "trace.Log"),
    _timed(45, "GoSwitch", "dt g g_seq", "the running goroutine blocks and hands over to another (coroutine)", 23),
    _timed(46, "GoSwitchDestroy", "dt g g_seq", "the running goroutine ends and hands over to another", 23),
    _timed(47, "GoCreateBlocked", "dt new_g new_stack stack", "a goroutine is created, blocked (coroutine)", 23),
    _timed(48, "GoStatusStack", "dt g m gstatus stack", "GoStatus, with the goroutine's stack", 23),
    _structural(49, "ExperimentalBatch", "exp gen m time size", "data of an experiment follows", 23),
    _structural(50, "Sync", "", "clock frequency and snapshot follow", 25),
    _structural(51, "ClockSnapshot", "dt mono sec nsec", "trace, monotonic and wall clock at one moment", 25),
    _structural(52, "EndOfGeneration", "", "no more batches of this generation", 26),
    _timed(128, "Span", "dt id npages_value kindclass", "experiment AllocFree", 23),
    _timed(129, "SpanAlloc", "dt id npages_value kindclass", "experiment AllocFree", 23),
    _timed(130, "SpanFree", "dt id", "experiment AllocFree", 23),
    _timed(131, "HeapObject", "dt id type", "experiment AllocFree", 23),
    _timed(132, "HeapObjectAlloc", "dt id type", "experiment AllocFree", 23),
    _timed(133, "HeapObjectFree", "dt id", "experiment AllocFree", 23),
    _timed(134, "GoroutineStack", "dt id order", "experiment AllocFree", 23),
    _timed(135, "GoroutineStackAlloc", "dt id order", "experiment AllocFree", 23),
    _timed(136, "GoroutineStackFree", "dt id", "experiment AllocFree", 23),
)  # fmt: skip

BY_NAME: dict[str, EventSpec] = {spec.name: spec for spec in SPECS}

MAX_ARGS = 5  # of a timed event, dt included
NOT_TIMED = 255
# Arguments of a timed event after dt, by code; NOT_TIMED for every other code.
ARGUMENTS = bytes(
    next((len(spec.args) - 1 for spec in SPECS if spec.code == code and spec.timed), NOT_TIMED) for code in range(256)
)
