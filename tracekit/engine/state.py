"""The engine's state: structured arrays behind one handle, so that the loop can stop and go on at any event."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine.handles import Handle
from tracekit.vocabulary import EXIT_REASONS, OBJECT_KINDS, OVERHEADS, REASONS, SEGMENTS, STATES

Records = Any  # np.recarray; numba's Record access is untyped

# Codes as plain integers: numba freezes them into the compiled code.
RUNNING, RUNNABLE, BLOCKED, NEW, EXITED = (STATES[n] for n in ("RUNNING", "RUNNABLE", "BLOCKED", "NEW", "EXITED"))
R_PREEMPTED, R_YIELD, R_WAKEUP, R_SPAWN = (REASONS[n] for n in ("preempted", "yield", "wakeup", "spawn"))
R_SLEEP, R_IO, R_NETWORK, R_SYSCALL = (REASONS[n] for n in ("sleep", "io", "network", "syscall"))
R_LOCK, R_SEND, R_RECV = (REASONS[n] for n in ("lock", "channel_send", "channel_recv"))
R_UNINTERRUPTIBLE = REASONS["uninterruptible"]
R_WAIT_GROUP, R_EVENT, R_JOIN = (REASONS[n] for n in ("wait_group", "event", "join"))
O_SWITCH, O_SPACE, O_CACHE = (OVERHEADS[n] for n in ("switch", "address_space", "cache_refill"))
O_SPAWN, O_SYNC, O_COPY = (OVERHEADS[n] for n in ("spawn", "sync", "ipc_copy"))
O_RUNTIME, O_STEAL, O_HANDOFF = (OVERHEADS[n] for n in ("runtime", "steal", "handoff"))
O_STACK, O_TICK, O_IDLE, O_SYSCALL = (OVERHEADS[n] for n in ("stack_growth", "tick", "idle_exit", "syscall"))
O_IDLE_ENTER = OVERHEADS["idle_enter"]
E_EXIT, E_CRASH, E_KILLED, E_MAIN = (EXIT_REASONS[n] for n in ("exit", "crash", "killed", "main_returned"))
S = SEGMENTS
(S_COMPUTE, S_SLEEP, S_IO, S_NETWORK, S_SYSCALL, S_ARRIVAL, S_YIELD, S_LOCK, S_UNLOCK, S_READ_LOCK, S_READ_UNLOCK) = (
    S[n] for n in ("compute", "sleep", "io", "network", "syscall", "arrival", "yield", "lock", "unlock", "read_lock",
                   "read_unlock")
)  # fmt: skip
(S_SEND, S_RECV, S_WAIT, S_SIGNAL, S_SPAWN, S_JOIN, S_WG_ADD, S_WG_DONE, S_WG_WAIT, S_STACK, S_REQUEST, S_EXIT) = (
    S[n] for n in ("send", "recv", "wait", "signal", "spawn", "join", "wait_group_add", "wait_group_done",
                   "wait_group_wait", "stack", "request", "exit")
)  # fmt: skip
S_CRASH, S_READ, S_WRITE, S_ATOMIC, S_CLOSE = (S[n] for n in ("crash", "read", "write", "atomic", "close"))
K_SEMAPHORE = OBJECT_KINDS["semaphore"]

# Thread states, and why a thread that still runs is about to leave its CPU or its task.
T_RUNNING, T_RUNNABLE, T_BLOCKED, T_ENDED = 1, 2, 3, 4  # 0: not started
STAYS, BLOCKS, YIELDS, ENDS, GIVES_WAY = 0, 1, 2, 3, 4

# A task's layer: NATIVE tasks are kernel threads, HOSTED ones are run by the runtime.
NATIVE, HOSTED = 0, 1
RUNTIME_SLOTS = 4  # events of the runtime itself; one more is the kernel's, for the bandwidth period
NONE = -1

# Who goes first when two events have the same time: a wakeup, then a CPU that is done, then a tick.
PRIORITY_TIMER, PRIORITY_CPU, PRIORITY_TICK, PRIORITY_RUNTIME = 0, 1, 2, 3

# Simulated time ends here (52 days): weighted virtual times stay below 2^63 then.
TIME_LIMIT_NS = 1 << 52

WORLD = np.dtype([
    ("now", "i8"), ("sequence", "i8"), ("events", "i8"), ("random", "u8"),
    ("heap_size", "i8"), ("current_cpu", "i8"), ("live", "i8"), ("live_converted", "i8"), ("end_ns", "i8"),
    ("threads", "i8"), ("idle_cpus", "i8"), ("min_capacity", "i8"), ("lock_handoff_ns", "i8"),
    ("intervals", "i8"), ("wakeups", "i8"), ("overheads", "i8"), ("memory", "i8"), ("operations", "i8"),
    ("resident", "i8"), ("virtual", "i8"), ("freed_head", "i8"), ("freed_tail", "i8"),
    ("memory_at", "i8"),
    ("voluntary", "i8"), ("involuntary", "i8"), ("migrations", "i8"), ("steals", "i8"), ("handoffs", "i8"),
    ("task_switches", "i8"), ("error", "i8"), ("error_task", "i8"), ("error_value", "i8"),
    ("tick_phase", "i8"), ("tick_skew", "i8"), ("watched", "i8"),
    ("quota", "i8"), ("period", "i8"), ("bandwidth_slice", "i8"), ("pool", "i8"), ("throttled", "i8"),
    ("cache_model", "i8"),
    ("own_space", "i8"), ("variables", "i8"), ("crashed", "i8"), ("cut", "i8"), ("counted", "i8"), ("struck", "i8"),
    ("mm_writer", "i8"), ("mm_readers", "i8"), ("mm_woken", "i8"), ("mm_flushes", "i8"), ("stacks", "i8"),
    ("mm_writers", "i8"), ("mm_last_writer", "i8"), ("mm_waiting_readers", "i8"), ("mm_last_reader", "i8"),
    ("cache_holder", "i8"), ("cache_contended", "i8"), ("cache_waiters", "i8"), ("cache_last_waiter", "i8"),
    ("done_ns", "i8"), ("done_switches", "i8"),
    ("crash_task", "i8"), ("crash_at", "i8"), ("lost_ns", "i8"), ("main_returns", "i8"),
], align=True)  # fmt: skip

TASK = np.dtype([
    ("pc", "i4"), ("end", "i4"), ("thread", "i4"), ("cpu", "i4"), ("next", "i4"), ("joiners", "i4"),
    ("parent", "i4"), ("space", "i4"), ("waits_on", "i4"), ("layer", "i1"), ("state", "i1"), ("reason", "i1"),
    ("paid", "i1"), ("retry", "i1"), ("converted", "i1"), ("exit_reason", "i1"), ("waiting", "i1"),
    ("remaining", "i8"), ("since", "i8"), ("blocked_at", "i8"), ("start", "i8"), ("ended", "i8"),
    ("stack", "i8"), ("resident", "i8"), ("untaxed", "i8"), ("copied", "i8"), ("footprint", "i8"), ("left_at", "i8"),
    ("warm_cpu", "i4"), ("timer_cpu", "i4"), ("late", "i1"),
    ("asleep_at", "i8"), ("due", "i1"), ("held", "i1"), ("joined", "i1"), ("due_waker", "i4"), ("due_cpu", "i4"), ("far", "i1"),
], align=True)  # fmt: skip

THREAD = np.dtype([
    ("task", "i4"), ("cpu", "i4"), ("queue", "i4"), ("space", "i4"), ("state", "i1"), ("leaving", "i1"), ("returning", "i1"),
    ("preempt", "i1"), ("weight", "i4"), ("carry", "i8"), ("queued_at", "i8"),
], align=True)  # fmt: skip

CPU = np.dtype([
    ("thread", "i4"), ("queued", "i4"), ("last_space", "i4"), ("resched", "i1"), ("idle", "i1"), ("active", "i1"),
    ("act_end", "i8"), ("pending", "i8"), ("accounted", "i8"),
    ("slice_start", "i8"), ("runtime", "i8"), ("throttled_at", "i8"), ("touched", "i8"), ("next_asid", "i4"),
    ("idle_since", "i8"), ("resched_at", "i8"), ("entered", "i1"), ("unaccounted", "i1"), ("left", "i1"), ("left_by", "i4"), ("average", "f8"), ("averaged_at", "i8"),
], align=True)  # fmt: skip
BUSY, IDLE, WAKING, THROTTLED = 0, 1, 2, 3  # CPU.idle
ASIDS = 6  # address spaces whose TLB entries a CPU keeps apart (TLB_NR_DYN_ASIDS, arch/x86/include/asm/tlbflush.h)
CACHE_OFF, CACHE_MIGRATION, CACHE_FOOTPRINT = 0, 1, 2  # world.cache_model

SEGMENT = np.dtype([
    ("duration", "i8"), ("bytes", "i8"), ("object", "i4"), ("target", "i4"), ("count", "i4"), ("kind", "i4"),
], align=True)  # fmt: skip

OBJECT = np.dtype([
    ("kind", "i4"), ("capacity", "i4"), ("count", "i4"), ("holder", "i4"), ("head", "i4"), ("tail", "i4"),
    ("send_head", "i4"), ("send_tail", "i4"), ("bytes", "i8"),
    ("writers", "i4"), ("readers", "i4"), ("cpu", "i4"), ("due_messages", "i4"), ("due_rooms", "i4"),
    ("most_pages", "i4"), ("per_page", "i4"), ("pages", "i4"), ("newest", "i4"), ("oldest", "i4"),  # of a pipe: its pages
    ("woken", "i1"), ("starving", "i1"), ("contended", "i1"), ("closed", "i1"),
], align=True)  # fmt: skip

# What one operation of a task costs, for each layer (row NATIVE, row HOSTED), and the machine's own figures.
COST = np.dtype([
    ("switch", "i8"), ("block", "i8"), ("dequeue", "i8"), ("channel_block", "i8"), ("wake", "i8"), ("spawn", "i8"), ("exit", "i8"), ("lock", "i8"),
    ("channel", "i8"), ("yield_", "i8"), ("copy_per_kib", "i8"), ("resident", "i8"), ("virtual", "i8"),
    ("stack", "i8"), ("stack_copy_per_kib", "i8"), ("stack_growth", "i8"), ("page_fault", "i8"),
    ("address_space", "i8"), ("cache_refill", "i8"), ("idle_exit", "i8"), ("idle_wake", "i8"), ("resched", "i8"), ("map", "i8"), ("advise", "i8"), ("unmap", "i8"), ("shootdown", "i8"), ("shootdown_answer", "i8"), ("halt", "i8"), ("far_wake", "i8"), ("timer_exit", "i8"), ("timer_late", "i8"), ("timer_return", "i8"), ("idle_enter", "i8"),
    ("timer_arm", "i8"), ("timer_interrupt", "i8"), ("spin", "i8"), ("new_g", "i8"),
    ("timer_slack", "i8"), ("reclaim", "i8"), ("kept", "i8"), ("syscall", "i8"), ("tick", "i8"), ("tick_period", "i8"),
    ("thread_wake", "i8"), ("thread_spawn", "i8"), ("thread_resident", "i8"), ("thread_virtual", "i8"),
    ("steal", "i8"), ("handoff", "i8"), ("tlb_refill", "i8"), ("cow", "i8"), ("touched", "i8"), ("fork_per_mib", "i8"),
    ("l1_bytes", "i8"), ("l2_bytes", "i8"), ("l1_per_kib", "i8"), ("l2_per_kib", "i8"),
    ("access", "i8"), ("atomic", "i8"), ("line", "i8"),
], align=True)  # fmt: skip

EVENT = np.dtype([("time", "i8"), ("order", "i8"), ("slot", "i8")], align=True)

INTERVAL = np.dtype([
    ("start_ns", "i8"), ("end_ns", "i8"), ("task_id", "i4"), ("cpu", "i4"), ("thread_id", "i4"), ("state", "i1"),
    ("reason", "i1"),
], align=True)  # fmt: skip
WAKEUP_ROW = np.dtype([
    ("at_ns", "i8"), ("waker_id", "i4"), ("wakee_id", "i4"), ("cpu", "i4"), ("target_cpu", "i4"), ("reason", "i4"),
], align=True)  # fmt: skip
OVERHEAD_ROW = np.dtype([
    ("at_ns", "i8"), ("duration_ns", "i8"), ("task_id", "i4"), ("cpu", "i4"), ("kind", "i4"),
], align=True)  # fmt: skip
MEMORY_ROW = np.dtype([("at_ns", "i8"), ("resident_bytes", "i8"), ("virtual_bytes", "i8")], align=True)
OPERATION_ROW = np.dtype([
    ("at_ns", "i8"), ("segment", "i4"), ("task_id", "i4"), ("cpu", "i4"),
], align=True)  # fmt: skip


class Sim(Handle):
    """Everything the engine knows. `world` has one row; the other arrays are indexed by id."""

    world: Records
    tasks: Records
    threads: Records
    cpus: Records
    segments: Records
    objects: Records
    costs: Records
    heap: Records
    slots: Any  # int32 position in the heap by event slot; -1 when not armed
    asids: Any  # int32 address space by CPU and ASID
    intervals: Records
    wakeups: Records
    overheads: Records
    memory: Records
    operations: Records
    values: Any  # int64 of each variable, by address space (engine/variables.py)
    registers: Any  # int64 by task: what it last read
    first_end: Any  # where each task's pipe ends begin (engine/failure.py)
    pipe_ends: Any


def records(rows: int, dtype: np.dtype[Any]) -> Records:
    """A zeroed array of records whose fields are attributes, with and without the JIT."""
    return np.zeros(rows, dtype).view(np.recarray)
