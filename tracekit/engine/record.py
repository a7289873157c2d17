"""What the engine writes down: state changes, wakeups, overheads, memory, operations.

The loop returns to Python before a buffer could overflow (`MARGIN` rows are always free), so nothing here
checks bounds.
"""

from __future__ import annotations

from tracekit.engine.state import NATIVE, NONE, Sim
from tracekit.jit import njit

MARGIN = 512  # rows one event may write (a network poll: 128 goroutines); fan-outs (a wait group's waiters) come on top

FREED_AT_ONCE = 8  # more than can end between two changes of memory, in the long run


@njit
def set_state(sim: Sim, task: int, state: int, reason: int, cpu: int) -> None:
    """The task changes state now: close the interval it was in, if it took any time, and open the next."""
    world = sim.world[0]
    t = sim.tasks[task]
    if world.now > t.since and t.since >= 0:
        row = sim.intervals[world.intervals]
        world.intervals += 1
        row.start_ns = t.since
        row.end_ns = world.now
        row.task_id = task
        row.cpu = t.cpu
        row.thread_id = t.thread
        row.state = t.state
        row.reason = t.reason
    t.since = world.now
    t.state = state
    t.reason = reason
    t.cpu = cpu


@njit
def write_wakeup(sim: Sim, waker: int, wakee: int, cpu: int, target_cpu: int, reason: int) -> None:
    """The wakee became runnable now; waker -1 is a timer or an interrupt."""
    world = sim.world[0]
    row = sim.wakeups[world.wakeups]
    world.wakeups += 1
    row.at_ns = world.now
    row.waker_id = waker
    row.wakee_id = wakee
    row.cpu = cpu
    row.target_cpu = target_cpu
    row.reason = reason


@njit
def write_overhead(sim: Sim, task: int, cpu: int, kind: int, duration_ns: int) -> None:
    """Time beyond the work itself, from now on."""
    world = sim.world[0]
    row = sim.overheads[world.overheads]
    world.overheads += 1
    row.at_ns = world.now
    row.task_id = task
    row.cpu = cpu
    row.kind = kind
    row.duration_ns = duration_ns


@njit
def charge(sim: Sim, cpu: int, task: int, kind: int, duration_ns: int) -> None:
    """The thread on cpu spends duration_ns on an overhead before it goes on."""
    if duration_ns > 0:
        sim.cpus[cpu].pending += duration_ns
        write_overhead(sim, task, cpu, kind, duration_ns)


@njit
def _write_memory(sim: Sim, at_ns: int, resident: int, virtual: int) -> None:
    world = sim.world[0]
    world.resident += resident
    world.virtual += virtual
    if world.memory == 0 or sim.memory[world.memory - 1].at_ns != at_ns:
        world.memory += 1
    row = sim.memory[world.memory - 1]
    row.at_ns = at_ns
    row.resident_bytes = world.resident
    row.virtual_bytes = world.virtual
    world.memory_at = at_ns


@njit
def add_memory(sim: Sim, resident: int, virtual: int) -> None:
    """Memory changes now, after what was due to be freed before; one row per time."""
    world = sim.world[0]
    for _ in range(FREED_AT_ONCE):
        if world.freed_head < 0:
            break
        t = sim.tasks[world.freed_head]
        due = t.ended + sim.costs[NATIVE].reclaim
        if due > world.now:
            break
        world.freed_head = t.next
        _write_memory(sim, max(due, world.memory_at), -t.resident, 0)
    _write_memory(sim, world.now, resident, virtual)


@njit
def free_later(sim: Sim, task: int) -> None:
    """Pages and the kernel stack are free at the end (exit_mmap, exit_task_stack_account); page tables and the task's
    structures when grace periods of RCU are over (tlb_remove_table_free, put_task_struct_rcu_user)."""
    world = sim.world[0]
    sim.tasks[task].next = NONE
    if world.freed_head < 0:
        world.freed_head = task
    else:
        sim.tasks[world.freed_tail].next = task
    world.freed_tail = task


@njit
def write_operation(sim: Sim, task: int, segment: int, cpu: int) -> None:
    """A step other than compute takes effect, or begins to wait, now."""
    world = sim.world[0]
    row = sim.operations[world.operations]
    world.operations += 1
    row.at_ns = world.now
    row.segment = segment
    row.task_id = task
    row.cpu = cpu
