"""The event queue: an indexed heap, each entry above four. Every event has a slot, and a slot is armed at most once, so no
stale event is ever popped. Order is (time, priority, sequence).

Slots: one per CPU (its activity is over), one tick per CPU, RUNTIME_SLOTS for the runtime, one for the bandwidth
period, one timer per task, one per kernel thread, one for a crash from outside.
"""

from __future__ import annotations

from tracekit.engine.state import (
    PRIORITY_CPU,
    PRIORITY_RUNTIME,
    PRIORITY_TICK,
    PRIORITY_TIMER,
    RUNTIME_SLOTS,
    Records,
    Sim,
)  # fmt: skip
from tracekit.jit import njit

_PRIORITY_SHIFT = 56  # 2^56 events fit below it
_LOG_ARITY = 2  # four below each entry, in two cache lines: half the levels, and half the misses, of two


@njit
def cpu_slot(sim: Sim, cpu: int) -> int:
    """The slot of cpu's activity."""
    return cpu


@njit
def tick_slot(sim: Sim, cpu: int) -> int:
    """The slot of cpu's next tick."""
    return sim.cpus.size + cpu


@njit
def runtime_slot(sim: Sim, slot: int) -> int:
    """The slot of the runtime's own event number `slot`."""
    return 2 * sim.cpus.size + slot


@njit
def kernel_slot(sim: Sim) -> int:
    """The slot of the period of the CPU bandwidth."""
    return 2 * sim.cpus.size + RUNTIME_SLOTS


@njit
def task_slot(sim: Sim, task: int) -> int:
    """The slot of a task's timer."""
    return 2 * sim.cpus.size + RUNTIME_SLOTS + 1 + task


@njit
def thread_slot(sim: Sim, thread: int) -> int:
    """The slot of a kernel thread's own timer, for a runtime that lets its threads sleep."""
    return 2 * sim.cpus.size + RUNTIME_SLOTS + 1 + sim.tasks.size + thread


@njit
def crash_slot(sim: Sim) -> int:
    """The slot of a crash from outside."""
    return 2 * sim.cpus.size + RUNTIME_SLOTS + 1 + sim.tasks.size + sim.threads.size


@njit
def _priority(sim: Sim, slot: int) -> int:
    cpus = sim.cpus.size
    if slot < cpus:
        return PRIORITY_CPU
    if slot < 2 * cpus:
        return PRIORITY_TICK
    if slot <= 2 * cpus + RUNTIME_SLOTS:
        return PRIORITY_RUNTIME
    return PRIORITY_TIMER


@njit
def _before(heap: Records, i: int, time: int, order: int) -> bool:
    there = heap[i].time
    return there < time or (there == time and heap[i].order < order)


@njit
def _place(sim: Sim, i: int, time: int, order: int, slot: int) -> None:
    entry = sim.heap[i]
    entry.time = time
    entry.order = order
    entry.slot = slot
    sim.slots[slot] = i


@njit
def _copy(sim: Sim, source: int, to: int) -> None:
    entry = sim.heap[source]
    _place(sim, to, entry.time, entry.order, entry.slot)


@njit
def _sift_up(sim: Sim, i: int, time: int, order: int, slot: int) -> None:
    heap = sim.heap
    while i > 0:
        parent = (i - 1) >> _LOG_ARITY
        if _before(heap, parent, time, order):
            break
        _copy(sim, parent, i)
        i = parent
    _place(sim, i, time, order, slot)


@njit
def _sift_down(sim: Sim, i: int, time: int, order: int, slot: int) -> None:
    heap = sim.heap
    size = sim.world[0].heap_size
    while True:
        child = (i << _LOG_ARITY) + 1
        if child >= size:
            break
        for other in range(child + 1, min(child + (1 << _LOG_ARITY), size)):
            if _before(heap, other, heap[child].time, heap[child].order):
                child = other
        if not _before(heap, child, time, order):
            break
        _copy(sim, child, i)
        i = child
    _place(sim, i, time, order, slot)


@njit
def arm(sim: Sim, slot: int, at_ns: int) -> None:
    """Let the event of `slot` happen at at_ns; an armed slot is moved."""
    world = sim.world[0]
    world.sequence += 1
    order = (_priority(sim, slot) << _PRIORITY_SHIFT) | world.sequence
    i = sim.slots[slot]
    if i < 0:
        i = world.heap_size
        world.heap_size += 1
        _sift_up(sim, i, at_ns, order, slot)
    elif at_ns < sim.heap[i].time:
        _sift_up(sim, i, at_ns, order, slot)
    else:
        _sift_down(sim, i, at_ns, order, slot)


@njit
def disarm(sim: Sim, slot: int) -> None:
    """The event of `slot` will not happen."""
    i = sim.slots[slot]
    if i < 0:
        return
    sim.slots[slot] = -1
    world = sim.world[0]
    world.heap_size -= 1
    last = world.heap_size
    if i == last:
        return
    moved = sim.heap[last]
    time, order, moved_slot = moved.time, moved.order, moved.slot
    if i > 0 and not _before(sim.heap, (i - 1) >> _LOG_ARITY, time, order):
        _sift_up(sim, i, time, order, moved_slot)
    else:
        _sift_down(sim, i, time, order, moved_slot)


@njit
def pop(sim: Sim) -> int:
    """Take the first event out, set the clock to it, and return its slot; -1 when there is none."""
    world = sim.world[0]
    if world.heap_size == 0:
        return -1
    first = sim.heap[0]
    slot = first.slot
    world.now = first.time
    disarm(sim, slot)
    return slot
