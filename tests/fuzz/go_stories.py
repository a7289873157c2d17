"""Small traces by hand, for tests that need no recording: every kind of thing that a goroutine can do."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.go_writer import assemble

# Two Ps. Thread 10 runs the main goroutine, which creates two others, waits for them, and calls the kernel; thread
# 11 takes its P away meanwhile. 1 GHz clock: times are ns. Strings and stacks as the runtime writes them.
TABLES = """
EventBatch gen={gen} m=NONE time={time}
Strings
String id=1
    data="chan receive"
String id=2
    data="main.main"
String id=3
    data="main.worker"
String id=4
    data="main.go"
String id=5
    data="sync"
String id=6
    data="sync.(*WaitGroup).Wait"
String id=7
    data="preempted"
String id=8
    data="runtime.Gosched"
String id=9
    data="GC sweep termination"
EventBatch gen={gen} m=NONE time={time}
Stacks
Stack id=1 nframes=1
    pc=1 func=2 file=4 line=10
Stack id=2 nframes=1
    pc=2 func=3 file=4 line=20
Stack id=3 nframes=2
    pc=3 func=6 file=4 line=30
    pc=4 func=2 file=4 line=31
EventBatch gen={gen} m=NONE time={time}
Sync
Frequency freq=1000000000
ClockSnapshot dt=0 mono={time} sec=1700000000 nsec={time}
EndOfGeneration
"""

FORK = (
    """
Trace Go1.26
EventBatch gen=1 m=10 time=1000
ProcStatus dt=0 p=0 pstatus=1
GoStatusStack dt=10 g=1 m=10 gstatus=2 stack=1
STWBegin dt=10 kind_string=9 stack=0
STWEnd dt=10
GoCreate dt=10 new_g=5 new_stack=2 stack=1
GoCreate dt=10 new_g=6 new_stack=2 stack=1
GoBlock dt=50 reason_string=5 stack=3
GoStart dt=10 g=5 g_seq=1
GoStop dt=100 reason_string=7 stack=2
GoStart dt=10 g=6 g_seq=1
GoBlock dt=100 reason_string=1 stack=2
GoStart dt=10 g=5 g_seq=2
GoUnblock dt=50 g=6 g_seq=2 stack=2
GoDestroy dt=10
GoStart dt=10 g=6 g_seq=3
GoUnblock dt=50 g=1 g_seq=1 stack=2
GoDestroy dt=10
GoStart dt=10 g=1 g_seq=2
GoSyscallBegin dt=20 p_seq=1 stack=1
GoSyscallEnd dt=30
GoSyscallBegin dt=20 p_seq=2 stack=1
GoSyscallEndBlocked dt=200
ProcStart dt=5 p=0 p_seq=4
GoStart dt=5 g=1 g_seq=3
EventBatch gen=1 m=11 time=1900
ProcStatus dt=0 p=1 pstatus=2
ProcSteal dt=10 p=0 p_seq=3 m=10
ProcStart dt=10 p=1 p_seq=1
ProcStop dt=100
"""
    + TABLES.format(gen=1, time=2500)
    + """
EventBatch gen=2 m=10 time=3000
ProcStatus dt=0 p=0 pstatus=1
GoStatus dt=5 g=1 m=10 gstatus=2
GoBlock dt=95 reason_string=1 stack=1
"""
    + TABLES.format(gen=2, time=3200)
)


# Coroutines: goroutine 1 creates 5, which starts blocked, and switches to it twice; 5 ends by switching back.
COROUTINE = """
Trace Go1.23
EventBatch gen=1 m=10 time=1000
ProcStatus dt=0 p=0 pstatus=1
GoStatus dt=10 g=1 m=10 gstatus=2
GoCreateBlocked dt=10 new_g=5 new_stack=0 stack=0
GoSwitch dt=10 g=5 g_seq=1
GoSwitch dt=50 g=1 g_seq=1
GoSwitch dt=50 g=5 g_seq=2
GoSwitchDestroy dt=50 g=1 g_seq=2
GoBlock dt=50 reason_string=0 stack=0
EventBatch gen=1 m=NONE time=0
Frequency freq=1000000000
"""

# A thread of C code calls into Go: its goroutine appears and ends in a system call, and gives up its P with it.
CALLBACK = """
Trace Go1.22
EventBatch gen=1 m=20 time=1000
GoCreateSyscall dt=0 new_g=4
GoSyscallEndBlocked dt=10
ProcStatus dt=10 p=0 pstatus=2
ProcStart dt=10 p=0 p_seq=1
GoStart dt=10 g=4 g_seq=1
GoSyscallBegin dt=10 p_seq=2 stack=0
GoDestroySyscall dt=10
EventBatch gen=1 m=21 time=1000
ProcStatus dt=100 p=1 pstatus=2
ProcStart dt=10 p=1 p_seq=1
ProcSteal dt=10 p=0 p_seq=3 m=20
ProcStop dt=10
EventBatch gen=1 m=NONE time=0
Frequency freq=1000000000
"""

# The collector: its mark phase begins on one thread and ends on another; sweeping, assisting, a CPU sample, an
# experiment's batch and events, a user's task and region, and a goroutine that only the network poller wakes.
COLLECTOR = """
Trace Go1.25
EventBatch gen=7 m=10 time=1000
ProcStatus dt=0 p=0 pstatus=1
GoStatus dt=10 g=1 m=10 gstatus=2
GCBegin dt=10 gc_seq=1 stack=0
GCMarkAssistBegin dt=10 stack=0
GCMarkAssistEnd dt=10
GCSweepBegin dt=10 stack=0
GCSweepEnd dt=10 swept_value=8192 reclaimed_value=4096
HeapAlloc dt=10 heapalloc_value=1000000
HeapGoal dt=10 heapgoal_value=4194304
ProcsChange dt=10 procs_value=2 stack=0
GoLabel dt=10 label_string=2
UserTaskBegin dt=10 task=1 parent_task=0 name_string=2 stack=0
UserRegionBegin dt=10 task=1 name_string=2 stack=0
UserLog dt=10 task=1 key_string=2 value_string=3 stack=0
UserRegionEnd dt=10 task=1 name_string=2 stack=0
UserTaskEnd dt=10 task=1 stack=0
HeapObjectAlloc dt=10 id=77 type=3
GoBlock dt=10 reason_string=1 stack=0
EventBatch gen=7 m=11 time=1300
ProcStatus dt=0 p=1 pstatus=1
GoStatus dt=10 g=9 m=11 gstatus=2
GCEnd dt=10 gc_seq=2
GoStatus dt=10 g=30 m=NONE gstatus=4
GoBlock dt=10 reason_string=1 stack=0
GoUnblock dt=10 g=30 g_seq=1 stack=0
ExperimentalBatch exp=1 gen=7 m=10 time=1000
Raw hex=ffffffffffffffffffff00
EventBatch gen=7 m=NONE time=1400
CPUSamples
CPUSample time=1100 m=10 p=0 g=1 stack=0
CPUSample time=1050 m=10 p=0 g=1 stack=0
""" + TABLES.format(gen=7, time=1400).replace("EndOfGeneration\n", "")

STORIES = {"fork": FORK, "coroutine": COROUTINE, "callback": CALLBACK, "collector": COLLECTOR}


def write(text: str, folder: Path, name: str = "go.trace") -> Path:
    """The trace of a text, as a file."""
    path = folder / name
    path.write_bytes(assemble(text))
    return path
