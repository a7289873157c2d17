"""One step of a task's program, taken while it is on a CPU and everything before is paid for."""

from __future__ import annotations

from typing import Any

from tracekit.engine import channels, closing, failure, lifetime, locks, sync, variables
from tracekit.engine.hooks import keeps_timer
from tracekit.engine.queue import arm, task_slot
from tracekit.engine.record import add_memory, charge, write_operation
from tracekit.engine.state import (
    HOSTED,
    NATIVE,
    O_COPY,
    O_STACK,
    O_SYNC,
    O_SYSCALL,
    O_TICK,
    R_IO,
    R_NETWORK,
    R_SLEEP,
    R_SYSCALL,
    S_ARRIVAL,
    S_ATOMIC,
    S_CLOSE,
    S_COMPUTE,
    S_CRASH,
    S_EXIT,
    S_IO,
    S_JOIN,
    S_LOCK,
    S_NETWORK,
    S_READ,
    S_READ_LOCK,
    S_READ_UNLOCK,
    S_RECV,
    S_REQUEST,
    S_SEND,
    S_SIGNAL,
    S_SLEEP,
    S_SPAWN,
    S_STACK,
    S_UNLOCK,
    S_WAIT,
    S_WG_ADD,
    S_WG_DONE,
    S_WG_WAIT,
    S_YIELD,
    YIELDS,
    Sim,
)  # fmt: skip
from tracekit.engine.waiting import block
from tracekit.jit import njit
from tracekit.vocabulary import OBJECT_KINDS

_RWMUTEX = OBJECT_KINDS["rwmutex"]
_PAGE = 4096


@njit
def _compute(sim: Sim, cpu: int, task: int, duration_ns: int) -> None:
    t = sim.tasks[task]
    costs = sim.costs[NATIVE]
    t.remaining = duration_ns
    t.pc += 1
    # Timer interrupts take their share of all computing, so they need no events of their own
    t.untaxed += duration_ns
    ticks = t.untaxed // costs.tick_period
    if ticks > 0:
        t.untaxed -= ticks * costs.tick_period
        charge(sim, cpu, task, O_TICK, ticks * costs.tick)


@njit
def _timed_wait(runtime: Any, sim: Sim, cpu: int, task: int, kind: int, duration_ns: int) -> None:
    t = sim.tasks[task]
    costs = sim.costs[t.layer]
    until = sim.world[0].now + duration_ns
    t.timer_cpu = cpu
    if kind == S_SLEEP and t.layer == HOSTED and keeps_timer(runtime, sim, task, until):
        block(sim, cpu, task, R_SLEEP, O_SYNC, costs.block)
        return
    charge(sim, cpu, task, O_SYSCALL, costs.timer_arm)
    if kind == S_SLEEP:
        arm(sim, task_slot(sim, task), until + costs.timer_slack)
        block(sim, cpu, task, R_SLEEP, O_SYNC, costs.block)
    elif kind == S_NETWORK:
        arm(sim, task_slot(sim, task), until)
        block(sim, cpu, task, R_NETWORK, O_SYNC, costs.block + costs.syscall)
    elif kind == S_ARRIVAL:
        arm(sim, task_slot(sim, task), max(duration_ns, sim.world[0].now))
        block(sim, cpu, task, R_NETWORK, O_SYNC, costs.block + costs.syscall)
    else:
        arm(sim, task_slot(sim, task), until)
        block(sim, cpu, task, R_IO if kind == S_IO else R_SYSCALL, O_SYSCALL, sim.costs[NATIVE].block + costs.syscall)


@njit
def _grow_stack(sim: Sim, cpu: int, task: int, depth: int) -> None:
    t = sim.tasks[task]
    costs = sim.costs[t.layer]
    t.pc += 1
    if depth <= t.stack:
        return
    before = t.stack
    spent = 0
    if t.layer == HOSTED:  # double, and copy what is there (runtime/stack.go: newstack, copystack)
        while t.stack < depth:
            spent += costs.stack_growth + t.stack * costs.stack_copy_per_kib // 1024
            t.stack *= 2
    else:  # a kernel thread's stack is there already; its pages come one by one as they are touched
        pages = (depth + _PAGE - 1) // _PAGE
        spent = (pages - before // _PAGE) * costs.page_fault
        t.stack = pages * _PAGE
    charge(sim, cpu, task, O_STACK, spent)
    t.resident += t.stack - before
    add_memory(sim, t.stack - before, t.stack - before if t.layer == HOSTED else 0)


@njit
def _use_object(
    runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, kind: int, item: int, size: int, count: int
) -> None:
    if kind == S_LOCK:
        locks.lock(runtime, sim, cpu, task, item)
    elif kind == S_UNLOCK:
        locks.unlock(runtime, kernel, sim, cpu, task, item, sim.objects[item].kind == _RWMUTEX)
    elif kind == S_SEND:
        channels.send(runtime, kernel, sim, cpu, task, item, size)
    elif kind == S_RECV:
        channels.recv(runtime, kernel, sim, cpu, task, item)
    elif kind == S_WAIT:
        sync.wait(sim, cpu, task, item)
    elif kind == S_SIGNAL:
        sync.signal(runtime, kernel, sim, cpu, task, item)
    elif kind == S_WG_ADD:
        sync.wait_group_add(runtime, kernel, sim, cpu, task, item, count)
    elif kind == S_WG_DONE:
        sync.wait_group_add(runtime, kernel, sim, cpu, task, item, -1)
    elif kind == S_WG_WAIT:
        sync.wait_group_wait(sim, cpu, task, item)
    elif kind == S_READ_LOCK:
        locks.read_lock(sim, cpu, task, item)
    elif kind == S_READ_UNLOCK:
        locks.read_unlock(runtime, kernel, sim, cpu, task, item)
    elif S_READ <= kind <= S_ATOMIC:  # neighbours in the vocabulary
        variables.use(sim, cpu, task, kind, item, count)
    elif kind == S_CLOSE:
        closing.close(runtime, kernel, sim, cpu, task, item)


@njit
def step(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int) -> None:
    """Take the task's next step; its effect is now, and what it costs is charged to cpu."""
    t = sim.tasks[task]
    if t.copied > 0:  # a message was handed over while it slept; taking it in costs now
        charge(sim, cpu, task, O_COPY, t.copied)
        t.copied = 0
        return
    if t.pc == t.end:
        lifetime.end(runtime, kernel, sim, cpu, task)
        return
    segment = sim.segments[t.pc]
    kind = segment.kind
    if kind == S_COMPUTE:
        _compute(sim, cpu, task, segment.duration)
        return
    if t.paid == 0 and t.retry == 0:
        write_operation(sim, task, t.pc, cpu)
    if segment.object >= 0:
        _use_object(runtime, kernel, sim, cpu, task, kind, segment.object, segment.bytes, segment.count)
    elif S_SLEEP <= kind <= S_ARRIVAL:  # the timed waits stand together in the vocabulary
        _timed_wait(runtime, sim, cpu, task, kind, segment.duration)
    elif kind == S_SPAWN:
        lifetime.spawn(runtime, kernel, sim, cpu, task, segment.target)
    elif kind == S_JOIN:
        lifetime.join(runtime, kernel, sim, cpu, task, segment.target)
    elif kind == S_YIELD:
        t.pc += 1
        sim.threads[t.thread].leaving = YIELDS
        charge(sim, cpu, task, O_SYNC, sim.costs[t.layer].yield_)
    elif kind == S_STACK:
        _grow_stack(sim, cpu, task, segment.bytes)
    elif kind == S_REQUEST:
        t.pc += 1
    elif kind == S_CRASH:
        failure.crash(sim, cpu, task)
    elif kind == S_EXIT:
        t.end = t.pc
        lifetime.end(runtime, kernel, sim, cpu, task)
