"""Closing a channel (runtime/chan.go: closechan): what is in it is still received, then every receive is over at once, and
a send faults (Go panics; a write into a closed pipe or socket ends its writer), as does a second close.

Go readies who waits in reverse order, so that the one that waited longest is next to run; a broadcast of the kernel's
futexes wakes in order (futex_wake).
"""

from __future__ import annotations

from typing import Any

from tracekit.engine import failure
from tracekit.engine.record import charge
from tracekit.engine.state import NATIVE, NONE, O_SYNC, Sim
from tracekit.engine.waiting import unblock
from tracekit.jit import njit


@njit
def close(runtime: Any, kernel: Any, sim: Sim, cpu: int, task: int, item: int) -> None:
    """The task closes a channel."""
    o = sim.objects[item]
    if o.closed:
        failure.crash(sim, cpu, task)
        return
    o.closed = 1
    sim.tasks[task].pc += 1
    charge(sim, cpu, task, O_SYNC, sim.costs[sim.tasks[task].layer].channel)
    receivers, senders = o.head, o.send_head
    o.head = NONE
    o.send_head = NONE
    if sim.world[0].lock_handoff_ns > 0:
        receivers = _reversed(sim, receivers)
    while receivers >= 0:
        following = sim.tasks[receivers].next
        if sim.tasks[receivers].layer == NATIVE:  # its receive is over when it is back on a CPU
            o.due_messages += 1
            sim.tasks[receivers].retry = 1
        unblock(runtime, kernel, sim, receivers, cpu, task)
        receivers = following
    while senders >= 0:  # they try again, and find it closed
        following = sim.tasks[senders].next
        o.due_rooms += 1
        sim.tasks[senders].retry = 1
        unblock(runtime, kernel, sim, senders, cpu, task)
        senders = following


@njit
def _reversed(sim: Sim, first: int) -> int:
    last = NONE
    while first >= 0:
        following = sim.tasks[first].next
        sim.tasks[first].next = last
        last = first
        first = following
    return last
