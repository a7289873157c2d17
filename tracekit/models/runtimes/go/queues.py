"""Run queues: runnext, the local ring, the global queue, and lists of what is due (proc.go: runqput and after)."""

from __future__ import annotations

from tracekit.engine.state import NONE, Sim
from tracekit.engine.waiting import mark_ready
from tracekit.jit import njit
from tracekit.models.runtimes.go.state import RING, State


@njit
def queue_global(rt: State, sim: Sim, task: int) -> None:
    """Append to the global queue (globrunqput)."""
    s = rt.sched[0]
    sim.tasks[task].next = NONE
    if s.queue < 0:
        s.queue = task
    else:
        sim.tasks[s.queue_tail].next = task
    s.queue_tail = task
    s.queue_size += 1


@njit
def take_global(rt: State, sim: Sim) -> int:
    """The first of the global queue, or -1."""
    s = rt.sched[0]
    task = s.queue
    if task >= 0:
        s.queue = sim.tasks[task].next
        s.queue_size -= 1
    return task


@njit
def _overflow(rt: State, sim: Sim, p: int, task: int) -> None:
    """The ring is full: its older half and the new one go to the global queue, in order (runqputslow)."""
    pp = rt.ps[p]
    for _ in range(RING // 2):
        queue_global(rt, sim, rt.rings[p * RING + pp.head % RING])
        pp.head += 1
    queue_global(rt, sim, task)


@njit
def queue_local(rt: State, sim: Sim, p: int, task: int, next_up: bool) -> None:
    """Into runnext (who was there goes to the ring's end), or to the ring's end (runqput)."""
    pp = rt.ps[p]
    if next_up:
        displaced = pp.runnext
        pp.runnext = task
        if displaced < 0:
            return
        task = displaced
    if pp.tail - pp.head < RING:
        rt.rings[p * RING + pp.tail % RING] = task
        pp.tail += 1
    else:
        _overflow(rt, sim, p, task)


@njit
def take_ring(rt: State, p: int) -> int:
    """The first of the ring, or -1."""
    pp = rt.ps[p]
    if pp.head == pp.tail:
        return NONE
    task = rt.rings[p * RING + pp.head % RING]
    pp.head += 1
    return task


@njit
def take_batch(rt: State, sim: Sim, p: int) -> int:
    """A batch from the global queue: the first is returned, the others go to the ring (globrunqgetbatch)."""
    size = rt.sched[0].queue_size
    if size == 0:
        return NONE
    count = min(size, size // rt.ps.size + 1, RING // 2)
    first = take_global(rt, sim)
    for _ in range(count - 1):
        queue_local(rt, sim, p, take_global(rt, sim), False)
    return first


@njit
def has_local(rt: State, p: int) -> bool:
    """Whether anything waits in P's own queue."""
    pp = rt.ps[p]
    return pp.head != pp.tail or pp.runnext >= 0


@njit
def add_timer(rt: State, sim: Sim, p: int, task: int) -> None:
    """A sleep of a goroutine of P is over; it waits until some M runs P's timers."""
    pp = rt.ps[p]
    sim.tasks[task].next = NONE
    if pp.timers < 0:
        pp.timers = task
    else:
        sim.tasks[pp.timers_tail].next = task
    pp.timers_tail = task


@njit
def run_timers(rt: State, sim: Sim, p: int, into: int, cpu: int) -> None:
    """Ready what is due on P, into the queue of the P that runs the timers (time.go: timers.check)."""
    pp = rt.ps[p]
    while pp.timers >= 0:
        task = pp.timers
        pp.timers = sim.tasks[task].next
        mark_ready(sim, task, NONE, cpu)
        queue_local(rt, sim, into, task, True)


@njit
def add_network(rt: State, sim: Sim, task: int) -> None:
    """A socket is ready; its goroutine waits until somebody polls."""
    s = rt.sched[0]
    sim.tasks[task].next = NONE
    if s.net < 0:
        s.net = task
    else:
        sim.tasks[s.net_tail].next = task
    s.net_tail = task


@njit
def take_network(rt: State, sim: Sim, cpu: int) -> int:
    """The first that netpoll finds, RUNNABLE now, or -1."""
    s = rt.sched[0]
    task = s.net
    if task >= 0:
        s.net = sim.tasks[task].next
        mark_ready(sim, task, NONE, cpu)
    return task
