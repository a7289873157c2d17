"""Run queues: runnext, the local ring, the global queue, and what the poller found (proc.go: runqput and after)."""

from __future__ import annotations

from tracekit.engine.state import NONE, Sim
from tracekit.engine.waiting import mark_ready
from tracekit.jit import njit
from tracekit.models.runtimes.go.state import RING, State
from tracekit.models.runtimes.go.timers import next_timer, take_timer

TIMERS_AT_ONCE = 64  # an event may write only so many rows: the rest is run at the same time, in the next event
POLL_EVENTS = 128  # netpoll_epoll.go


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
def queue_batch(rt: State, sim: Sim, p: int, task: int) -> None:
    """One of a batch: to the ring's end while there is room, else to the global queue (runqputbatch)."""
    pp = rt.ps[p]
    if pp.tail - pp.head < RING:
        rt.rings[p * RING + pp.tail % RING] = task
        pp.tail += 1
    else:
        queue_global(rt, sim, task)


@njit
def take_local(rt: State, thread: int, p: int) -> int:
    """Runnext, which inherits the time slice, or the first of the ring, or -1 (runqget)."""
    pp = rt.ps[p]
    task = pp.runnext
    if task >= 0:
        pp.runnext = NONE
        rt.ms[thread].inherits = 1
        return task
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
        queue_batch(rt, sim, p, take_global(rt, sim))
    return first


@njit
def has_local(rt: State, p: int) -> bool:
    """Whether anything waits in P's own queue (runqempty)."""
    pp = rt.ps[p]
    return pp.head != pp.tail or pp.runnext >= 0


@njit
def run_timers(rt: State, sim: Sim, p: int, into: int, cpu: int) -> int:
    """Ready what is due on P, each to runnext of the P that runs the timers (timers.check); how many there were."""
    count = 0
    now = sim.world[0].now
    while count < TIMERS_AT_ONCE and 0 < next_timer(rt, p) <= now:
        task = take_timer(rt, p)
        sim.tasks[task].pc += 1
        mark_ready(sim, task, NONE, cpu)
        queue_local(rt, sim, into, task, True)
        count += 1
    return count


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
def poll(rt: State, sim: Sim, cpu: int) -> None:
    """One epoll_wait: what is ready becomes RUNNABLE and joins `found`, the last one first (netpoll, gList.push)."""
    s = rt.sched[0]
    count = 0
    while s.net >= 0 and count < POLL_EVENTS:
        task = s.net
        s.net = sim.tasks[task].next
        s.net_waiters -= 1
        mark_ready(sim, task, NONE, cpu)
        sim.tasks[task].next = s.found
        s.found = task
        count += 1


@njit
def take_found(rt: State, sim: Sim) -> int:
    """The first that the poller found, or -1."""
    s = rt.sched[0]
    task = s.found
    if task >= 0:
        s.found = sim.tasks[task].next
    return task
