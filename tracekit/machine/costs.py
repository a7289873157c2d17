"""Which costs a profile holds: name, unit and meaning, declared once. Calibration, profiles and models read this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CostKind:
    """What one figure of a profile means."""

    unit: str
    meaning: str


_FORM_COSTS = {
    "switch_ns": ("ns", "one switch to another task on the same CPU, without the address space"),
    "block_ns": ("ns", "the way into a wait: the call, the queueing, up to the switch"),
    "dequeue_ns": ("ns", "of the way into a wait the last part: a wakeup that comes by then finds the task asleep"),
    "channel_block_ns": ("ns", "the way into a wait at a channel, and what finding the message takes more after it"),
    "wake_ns": ("ns", "making one waiting task runnable, paid by the waker"),
    "spawn_ns": ("ns", "creating one task, paid by the creator"),
    "exit_ns": ("ns", "ending one task, paid by the task"),
    "lock_ns": ("ns", "one lock or unlock that nobody contends"),
    "channel_ns": ("ns", "one send or receive that does not block, without copying and waking"),
    "yield_ns": ("ns", "one yield, without the switch"),
    "resident_bytes": ("bytes", "physical memory of one task, kernel structures and first stack pages included"),
    "virtual_bytes": ("bytes", "address space reserved for one task"),
}

_MACHINE_COSTS = {
    "address_space_ns": ("ns", "changing the memory mapping at a switch between processes"),
    "tlb_refill_ns": ("ns", "TLB misses after a switch to an address space of which the CPU keeps no entries"),
    "cow_fault_ns": ("ns", "copying one page that parent and child share, at the first write to it"),
    "cow_pages": ("pages", "pages that a forked child writes to of those it shares with its parent"),
    "fork_ns_per_mib": ("ns per MiB", "copying the page tables for one MiB that the parent touched, at a fork"),
    "cache_refill_ns": ("ns", "cold caches after a migration to another CPU (cache_model 1)"),
    "l1_bytes": ("bytes", "first-level data cache of one CPU"),
    "l2_bytes": ("bytes", "second-level cache of one CPU"),
    "l1_refill_ns_per_kib": ("ns per KiB", "reading one KiB from L2 that is no more in L1 (cache_model 2)"),
    "l2_refill_ns_per_kib": ("ns per KiB", "reading one KiB from L3 that is no more in L2 (cache_model 2)"),
    "footprint_bytes": ("bytes", "memory that a task uses again and again, unless the program says more"),
    "wakes_spread": ("flag", "1: a waking thread looks for an idle CPU; 0: it joins its previous one"),
    "newidle_pulls": ("flag", "1: a CPU with nothing left to run takes a waiting thread from another; 0: it idles"),
    "idle_exit_ns": ("ns", "from a wakeup to the first instruction on a CPU that idled"),
    "idle_wake_ns": (
        "ns",
        "what a waker pays beyond a wake for sending an interrupt to another CPU, idle or to be preempted",
    ),
    "resched_ns": ("ns", "from a wakeup on another CPU that computes until it leaves whom it runs, if it is to"),
    "halt_ns": ("ns", "from leaving its last thread until a CPU has halted; a wakeup by then takes resched_ns"),
    "far_wake_ns": ("ns", "what a thread's way into a wait takes more when another CPU woke it before"),
    "idle_enter_ns": ("ns", "looking for other work before a CPU idles, billed to the thread that left it"),
    "timer_exit_ns": ("ns", "from a wakeup by a timer to the first instruction on the CPU that idled for it"),
    "timer_return_ns": ("ns", "from the wakeup that a timer makes on a busy CPU until the interrupt is over"),
    "timer_late_ns": ("ns", "from a timer's expiry to the wakeup it makes, on a CPU that idles"),
    "timer_arm_ns": ("ns", "setting a timer, or asking a device, before a wait for it"),
    "timer_interrupt_ns": ("ns", "what the interrupt at the end of such a wait takes from whoever runs on its CPU"),
    "timer_slack_ns": ("ns", "how late a sleeping kernel thread's timer may fire"),
    "syscall_ns": ("ns", "entering and leaving the kernel once"),
    "copy_ns_per_kib": ("ns per KiB", "copying one KiB between user memory and a kernel buffer"),
    "tick_ns": ("ns", "one timer interrupt"),
    "tick_period_ns": ("ns", "time between two timer interrupts of a busy CPU (1 s / HZ)"),
    "stack_copy_ns_per_kib": ("ns per KiB", "copying one KiB of a goroutine stack that grows"),
    "stack_growth_ns": ("ns", "growing a goroutine stack once, without the copying"),
    "page_fault_ns": ("ns", "first touch of one page"),
    "access_ns": ("ns", "one load or store of shared memory that this CPU's cache holds"),
    "atomic_ns": ("ns", "one atomic read-modify-write that this CPU's cache holds"),
    "line_ns": ("ns", "fetching a cache line that another CPU wrote last"),
    "goroutine_spin_ns": ("ns", "one of the 4 looks at a taken sync.Mutex before waiting: 30 PAUSE instructions"),
    "goroutine_new_ns": ("ns", "creating a goroutine takes more when no dead one can be used again: its stack is new"),
    "steal_ns": ("ns", "looking into one other P's queue"),
    "thread_handoff_ns": (
        "ns",
        "an M that returns from a system call without its P: looking for another, or queueing its task",
    ),
    "thread_map_ns": ("ns", "of creating a thread the part that holds its address space's lock: mapping a stack"),
    "thread_advise_ns": ("ns", "of a thread's end the part that shares its address space's lock: giving pages back"),
    "thread_unmap_ns": ("ns", "of a thread's end the part that holds its address space's lock: unmapping a stack"),
    "shootdown_ns": ("ns", "telling CPUs that run threads of one's process which pages are gone, until they answer"),
    "shootdown_answer_ns": ("ns", "what that takes from whoever runs there"),
    "thread_first_ns": (
        "ns",
        "what a new thread pays before its first instruction: its stack's pages, the C library's set-up",
    ),
    "process_reclaim_ns": ("ns", "from the end of a process until the last of its memory is free"),
    "process_reclaim_bytes": ("bytes", "what is not free before: the kernel's, page tables above all"),
    "thread_reclaim_ns": ("ns", "from the end of a thread until the last of its memory is free"),
    "thread_reclaim_bytes": ("bytes", "what is neither free nor another thread's before: the kernel's"),
    "go_runtime_resident_bytes": ("bytes", "physical memory of the Go runtime itself"),
    "go_runtime_virtual_bytes": ("bytes", "address space of the Go runtime itself"),
    "perf_event_ns": ("ns", "recording one event with perf that is not a switch"),
    "perf_switch_ns": ("ns", "recording one switch with perf"),
    "perf_callchain_ns": ("ns", "recording with perf where in the kernel a task leaves its CPU, beside the switch"),
    "go_trace_event_ns": ("ns", "recording one event with Go's execution tracer"),
}

COSTS: dict[str, CostKind] = {
    **{
        f"{form}_{name}": CostKind(unit, f"{form}: {meaning}")
        for form in ("process", "thread", "goroutine")
        for name, (unit, meaning) in _FORM_COSTS.items()
    },
    **{name: CostKind(unit, meaning) for name, (unit, meaning) in _MACHINE_COSTS.items()},
}
