"""The words of tracekit, each declared once with its meaning.

A `Words` is an ordered set of names. A name's code is its position; tables hold the name (as an Arrow
dictionary), the engine holds the code. Append only: codes are stored in Parquet dictionaries, not by
position, but the engine's compile cache and golden tests count on a stable order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class Words(Mapping[str, int]):
    """An ordered vocabulary: `words[name]` is the code, `words.names[code]` the name."""

    def __init__(self, title: str, entries: Mapping[str, str]) -> None:
        self.title = title
        self.meanings = dict(entries)
        self.names = tuple(entries)
        self._codes = {name: code for code, name in enumerate(self.names)}

    def __getitem__(self, name: str) -> int:
        return self._codes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


STATES = Words("state", {
    "RUNNING": "on a CPU",
    "RUNNABLE": "in a run queue",
    "BLOCKED": "needs a wakeup",
    "NEW": "created, not yet runnable",
    "EXITED": "ended",
    "UNKNOWN": "the recording does not say",
})  # fmt: skip

# Why a task is in a state (intervals) or became runnable (wakeups). Null where a recording does not say.
REASONS = Words("reason", {
    "preempted": "left the CPU runnable",
    "yield": "gave the CPU up of its own accord, runnable",
    "wakeup": "made runnable by another task, a timer or an interrupt",
    "spawn": "first made runnable at its creation",
    "sleep": "waits for a timer",
    "io": "waits for a device or a file; the kernel thread waits with it",
    "network": "waits for a socket; pollable",
    "lock": "waits for a mutex or rwmutex",
    "channel_send": "waits for room or a receiver",
    "channel_recv": "waits for a message",
    "select": "waits for one of several channels",
    "wait_group": "waits for a wait group to reach zero",
    "event": "waits for a recorded wake edge, an event or a semaphore",
    "join": "waits for a task to end",
    "syscall": "in a blocking system call",
    "page_fault": "waits for a page",
    "gc": "garbage collection holds it",
    "uninterruptible": "D state in the kernel; the cause is not recorded",
    "stopped": "stopped by a signal or a tracer",
    "coroutine": "switched away from as a coroutine",
    "park": "a kernel thread of a runtime with nothing to run",
    "exit": "ended",
})  # fmt: skip

TASK_KINDS = Words("task kind", {
    "process": "its own address space",
    "thread": "shares its process's address space",
    "goroutine": "run by the Go runtime on kernel threads",
    "kernel": "a kernel thread, or a task outside the chosen processes",
})  # fmt: skip

EXIT_REASONS = Words("exit reason", {
    "exit": "ended by itself",
    "crash": "ended by a fault",
    "killed": "ended with its process",
    "main_returned": "ended because main returned",
})  # fmt: skip

GAP_CAUSES = Words("gap cause", {
    "lost_records": "the recorder says that it lost records",
    "broken_chain": "the task leaving the CPU is not the one last seen entering it",
    "inferred_switch": "a missing switch-in, inferred; the gap bounds when it happened",
    "truncated": "the file ends before its recording does",
    "corrupt": "bytes that can't be decoded were skipped",
    "inconsistent": "an event contradicts the state known so far and was dropped or mended",
    "pid_reused": "a thread id that ended was seen again; a new task begins here",
    "not_recorded": "one of the recordings that were joined does not cover this time",
})  # fmt: skip

RANGES = Words("range kind", {
    "gc": "the collector marks live memory, beside the program",
    "stop_the_world": "nothing but the runtime runs; the task is who stopped the others",
    "sweep": "memory found dead is given back, on the CPU and task named",
    "mark_assist": "the task has to help the collector before it may allocate",
    "user_task": "a task as the program defines it, over any number of goroutines or threads",
    "region": "a part of the task's run that the program names",
    "log": "one line of text from the program; takes no time",
})  # fmt: skip

COUNTERS = Words("counter kind", {
    "heap_bytes": "bytes of heap in use",
    "heap_goal_bytes": "bytes of heap at which the next collection begins",
    "cpu_limit": "CPUs that the runtime may use at once (GOMAXPROCS)",
})  # fmt: skip

OVERHEADS = Words("overhead kind", {
    "switch": "registers, stack and the kernel's own work when a CPU changes task",
    "address_space": "changing the memory mapping, with its TLB misses",
    "cache_refill": "cold caches after others ran or after a migration",
    "spawn": "creating a task, and ending it",
    "sync": "locks, channels, futexes: the operation and waking others",
    "ipc_copy": "copying data between address spaces",
    "runtime": "a user-space scheduler at work",
    "steal": "looking for work in other queues, and taking it",
    "handoff": "a kernel thread coming back to find its P given to another",
    "stack_growth": "allocating a larger stack and copying",
    "tick": "the timer interrupt",
    "idle_exit": "bringing an idle CPU back; no task is on the CPU meanwhile",
    "idle_enter": "looking for other work before a CPU idles, after the task left that is billed for it",
    "syscall": "entering and leaving the kernel",
})  # fmt: skip
# Overheads of these kinds pass while no task is RUNNING; all others are part of a RUNNING interval
# when they name a task.
OFF_TASK_OVERHEADS = ("idle_exit", "idle_enter")

OBJECT_KINDS = Words("object kind", {
    "mutex": "one holder",
    "rwmutex": "many readers or one writer",
    "channel": "messages in order; capacity 0 is a direct hand-over",
    "wait_group": "a count that waiters see reach zero",
    "semaphore": "a count that starts at its capacity",
    "event": "a count that starts at zero: signal adds, wait takes",
    "variable": "shared memory",
})  # fmt: skip


@dataclass(frozen=True)
class SegmentKind:
    """One step a task can take. `uses` names the segment columns that carry its arguments."""

    uses: tuple[str, ...]
    meaning: str
    blocks_as: str | None = None  # the reason of the BLOCKED interval it can cause


SEGMENT_KINDS: dict[str, SegmentKind] = {
    "compute": SegmentKind(("duration_ns",), "needs the CPU for duration_ns"),
    "sleep": SegmentKind(("duration_ns",), "waits for a timer of duration_ns", "sleep"),
    "io": SegmentKind(("duration_ns",), "waits duration_ns for a file or device; not pollable", "io"),
    "network": SegmentKind(("duration_ns",), "waits duration_ns for a socket; pollable", "network"),
    "syscall": SegmentKind(("duration_ns",), "a system call that blocks for duration_ns", "syscall"),
    "arrival": SegmentKind(("duration_ns",), "waits until duration_ns after the start (open arrival)", "network"),
    "yield": SegmentKind((), "goes to the back of its run queue"),
    "lock": SegmentKind(("object_id",), "takes a mutex, or a rwmutex for writing", "lock"),
    "unlock": SegmentKind(("object_id",), "releases what lock took"),
    "read_lock": SegmentKind(("object_id",), "takes a rwmutex for reading", "lock"),
    "read_unlock": SegmentKind(("object_id",), "releases what read_lock took"),
    "send": SegmentKind(("object_id", "bytes"), "puts a message of bytes into a channel", "channel_send"),
    "recv": SegmentKind(("object_id",), "takes the oldest message of a channel", "channel_recv"),
    "wait": SegmentKind(("object_id",), "takes one from an event or semaphore", "event"),
    "signal": SegmentKind(("object_id",), "adds one to an event or semaphore"),
    "spawn": SegmentKind(("target_id",), "creates task target_id"),
    "join": SegmentKind(("target_id",), "waits until task target_id has ended", "join"),
    "wait_group_add": SegmentKind(("object_id", "count"), "adds count to a wait group"),
    "wait_group_done": SegmentKind(("object_id",), "takes one from a wait group"),
    "wait_group_wait": SegmentKind(("object_id",), "waits for a wait group to reach zero", "wait_group"),
    "stack": SegmentKind(("bytes",), "the stack is bytes deep from here on, at its deepest"),
    "request": SegmentKind((), "marks one request as done; takes no time"),
    "exit": SegmentKind((), "the task ends; implied after a task's last segment"),
    "crash": SegmentKind((), "the task faults: it ends, and all that share its address space with it"),
    "read": SegmentKind(("object_id",), "loads a variable; the task remembers what it saw"),
    "write": SegmentKind(("object_id", "count"), "stores into a variable what the task last read, plus count"),
    "atomic": SegmentKind(("object_id", "count"), "adds count to a variable in one step that nothing comes between"),
    "close": SegmentKind(("object_id",), "closes a channel: receives are over at once when it is empty, sends fault"),
}
SEGMENTS = Words("segment kind", {name: kind.meaning for name, kind in SEGMENT_KINDS.items()})

FORMS = ("process", "thread", "goroutine")
