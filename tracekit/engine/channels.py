"""Channels: what sending and receiving mean, as each form has them. Costs and who pays come with the layer.

Go (runtime/chan.go): a message goes straight to a waiting receiver, and a waiting sender's straight into the buffer;
whoever waited goes on behind its operation.

Kernel threads have a queue with a lock and two condition variables, or between address spaces a pipe. Both sides only
wake: a receiver takes its message when it is back on a CPU, and until then it fills the queue; a sender that waited
writes when it is back, and until then nothing is there to receive. What one was woken for, nobody else takes.

A pipe's room is its pages (fs/pipe.c: pipe_write, pipe_read). A message joins the newest page while it fits there, and
a page is room again when all of it was read. So a writer that found the pipe full is woken not by the next read, but by
the one that empties a page; a reader is woken by the write that finds the pipe empty.
"""

from __future__ import annotations

from typing import Any

from tracekit.engine import failure
from tracekit.engine.record import charge
from tracekit.engine.state import (
    E_EXIT,
    E_KILLED,
    HOSTED,
    NONE,
    O_COPY,
    O_SYNC,
    R_RECV,
    R_SEND,
    Sim,
)  # fmt: skip
from tracekit.engine.sync import operate, pop, queue_up
from tracekit.engine.waiting import block, unblock
from tracekit.jit import njit


@njit
def _queue_sender(sim: Sim, cpu: int, task: int, item: int) -> None:
    o = sim.objects[item]
    t = sim.tasks[task]
    t.next = NONE
    if o.send_head < 0:
        o.send_head = task
    else:
        sim.tasks[o.send_tail].next = task
    o.send_tail = task
    t.waits_on = item
    block(sim, cpu, task, R_SEND, O_SYNC, sim.costs[t.layer].channel_block)


@njit
def _pop_sender(sim: Sim, item: int) -> int:
    o = sim.objects[item]
    task = o.send_head
    if task >= 0:
        o.send_head = sim.tasks[task].next
    return task


@njit
def _copy_cost(sim: Sim, task: int, size: int) -> int:
    return (size * sim.costs[sim.tasks[task].layer].copy_per_kib + 1023) // 1024


@njit
def _enter_kernel(sim: Sim, cpu: int, item: int) -> None:
    """A pipe's operations are system calls, those of a queue between threads are not until somebody has to wait."""
    if sim.objects[item].most_pages > 0:
        sim.cpus[cpu].entered = 1


@njit
def send(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int, size: int) -> None:
    """Put a message of `size` bytes into a channel."""
    o = sim.objects[item]
    t = sim.tasks[task]
    if t.retry:
        o.due_rooms -= 1
    if o.readers == 0 and sim.world[0].crashed > 0:
        failure.sever(sim, cpu, task, E_KILLED)
        return
    if o.closed:
        failure.crash(sim, cpu, task)
        return
    _enter_kernel(sim, cpu, item)
    if not t.retry:
        operate(sim, cpu, task, item, sim.costs[t.layer].channel)
        charge(sim, cpu, task, O_COPY, _copy_cost(sim, task, size))
    if t.layer == HOSTED:
        _send_hosted(runtime, kernel, sim, cpu, task, item, size)
    elif (o.due_rooms > 0 and not t.retry) or not _has_room(sim, item):
        _queue_sender(sim, cpu, task, item)
    else:
        _put(sim, item, size)
        t.pc += 1
        t.retry = 0
        if o.most_pages == 0 or o.count == 1:
            _wake_receiver(runtime, kernel, sim, cpu, task, item)
        if o.most_pages > 0 and _has_room(sim, item):
            _wake_sender(runtime, kernel, sim, cpu, task, item)


@njit
def _send_hosted(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int, size: int) -> None:
    o = sim.objects[item]
    sim.tasks[task].retry = 0
    receiver = pop(sim, item)
    if receiver >= 0:
        sim.tasks[receiver].copied = _copy_cost(sim, receiver, size)
        sim.tasks[task].pc += 1
        unblock(runtime, kernel, sim, receiver, cpu, task)
    elif o.count < max(o.capacity, sim.world[0].min_capacity):
        o.count += 1
        o.bytes += size
        sim.tasks[task].pc += 1
    else:
        _queue_sender(sim, cpu, task, item)


@njit
def recv(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """Take the oldest message of a channel. Queued messages count as equally long: their bytes are conserved."""
    o = sim.objects[item]
    t = sim.tasks[task]
    _enter_kernel(sim, cpu, item)
    if t.retry:
        o.due_messages -= 1
    else:
        operate(sim, cpu, task, item, sim.costs[t.layer].channel)
    _accept(runtime, kernel, sim, cpu, task, item)
    available = o.count - (0 if t.retry else o.due_messages)
    if available <= 0 and o.closed:
        t.retry = 0
        t.pc += 1
    elif available <= 0 and o.writers == 0 and sim.world[0].crashed > 0:
        failure.sever(sim, cpu, task, E_EXIT)
    elif available <= 0:
        queue_up(sim, cpu, task, item, R_RECV)
    else:
        _take(runtime, kernel, sim, cpu, task, item)


@njit
def _accept(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """Go: the message of the sender that waits longest goes into the buffer, and the sender goes on."""
    o = sim.objects[item]
    sender = o.send_head
    if sender >= 0 and sim.tasks[sender].layer == HOSTED:
        _pop_sender(sim, item)
        o.count += 1
        o.bytes += sim.segments[sim.tasks[sender].pc].bytes
        unblock(runtime, kernel, sim, sender, cpu, task)


@njit
def _take(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    o = sim.objects[item]
    t = sim.tasks[task]
    size = o.bytes // o.count
    o.bytes -= size
    o.count -= 1
    t.pc += 1
    t.retry = 0
    charge(sim, cpu, task, O_COPY, _copy_cost(sim, task, size))
    if t.layer == HOSTED:
        return
    if o.most_pages == 0 or _read_page(sim, item):
        _wake_sender(runtime, kernel, sim, cpu, task, item)
    if o.most_pages > 0 and o.count > o.due_messages:
        _wake_receiver(runtime, kernel, sim, cpu, task, item)


@njit
def _has_room(sim: Sim, item: int) -> bool:
    o = sim.objects[item]
    if o.most_pages > 0:
        return o.pages < o.most_pages or o.newest < o.per_page
    return o.count < max(o.capacity, sim.world[0].min_capacity, 1)


@njit
def _put(sim: Sim, item: int, size: int) -> None:
    o = sim.objects[item]
    o.count += 1
    o.bytes += size
    if o.most_pages == 0:
        return
    if o.pages == 0 or o.newest == o.per_page:
        o.pages += 1
        o.newest = 0
        if o.pages == 1:
            o.oldest = 0
    o.newest += 1
    if o.pages == 1:
        o.oldest += 1


@njit
def _read_page(sim: Sim, item: int) -> bool:
    """One message of the oldest page was read; whether a full pipe has room again by it."""
    o = sim.objects[item]
    o.oldest -= 1
    if o.oldest > 0:
        return False
    was_full = o.pages == o.most_pages
    o.pages -= 1
    o.oldest = o.newest if o.pages == 1 else o.per_page
    return was_full


@njit
def _wake_receiver(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    receiver = pop(sim, item)
    if receiver >= 0:
        sim.objects[item].due_messages += 1
        sim.tasks[receiver].retry = 1
        unblock(runtime, kernel, sim, receiver, cpu, task)


@njit
def _wake_sender(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    sender = _pop_sender(sim, item)
    if sender >= 0:
        sim.objects[item].due_rooms += 1
        sim.tasks[sender].retry = 1
        unblock(runtime, kernel, sim, sender, cpu, task)
