"""The Go runtime's scheduler: goroutines (G) on kernel threads (M) that hold processors (P).

Rules, with their place in Go 1.27's src/runtime:
* Each P has runnext and a ring of 256; an overflow moves half of the ring to the global queue (runqput,
  runqputslow in proc.go). Readied and newly created goroutines go to runnext of the P that readied them.
* A goroutine that inherits the time slice through runnext does not advance schedtick (execute).
* findRunnable's order: expired timers, the global queue at every 61st schedtick, the local queue, a batch from
  the global queue, the network poller, stealing (half of another ring, oldest first; 4 passes, runnext only
  in the last, and of a running P only if it is still there after a sleep: runqgrab), then the P goes idle and
  the M parks, as the poller if nobody else is.
* At most one wake of a spinning M at a time (wakep); an M that found work while spinning wakes the next
  (resetspinning).
* In a system call the P stays with its M; sysmon takes it when there is other work, or after 10 ms
  (retake, handoffp). On return the M takes its P back, or an idle one, or queues its goroutine globally (exitsyscall).
* sysmon looks every 20 us, and after 50 idle rounds ever less often, up to 10 ms; it preempts what ran 10 ms,
  and polls the network when nobody did for 10 ms.
* The poller's timeout is in whole milliseconds (netpoll_epoll.go), so a sleep ends late in an idle program.

Assumptions: no GC; M's start without delay beyond their kernel thread's; sysmon takes no CPU. A timer belongs to
the P on which its goroutine slept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracekit.engine.state import NONE, records
from tracekit.models.model import Parameter, Runtime, Sizes
from tracekit.models.runtimes.go import events, find
from tracekit.models.runtimes.go.state import P_IDLE, RING, SCHED, M, P, State

__all__ = ["RUNTIME", "State", "events", "find"]


def _processors(cpus: int, parameters: Mapping[str, int]) -> int:
    return parameters["gomaxprocs"] or cpus


def _threads(tasks: int, cpus: int, parameters: Mapping[str, int]) -> int:
    return min(tasks + _processors(cpus, parameters) + 1, parameters["max_threads"])


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    processors = _processors(sizes.cpus, parameters)
    ps = records(processors, P)
    ps.status[:] = P_IDLE
    for field in ("m", "runnext", "timers", "timers_tail"):
        ps[field][:] = NONE
    ps.next[:] = np.arange(1, processors + 1)
    ps.next[-1] = NONE
    ms = records(sizes.threads, M)
    ms.p[:] = NONE
    ms.next[:] = NONE
    ms.coveted[:] = NONE
    sched = records(1, SCHED)
    for field in ("queue", "queue_tail", "idle_m", "poller", "net", "net_tail"):
        sched[field][:] = NONE
    sched.npidle[:] = processors
    sched.first_m[:] = sizes.threads - sizes.own_threads
    chosen = (
        parameters[n] for n in ("preempt_ns", "sysmon_min_ns", "sysmon_max_ns", "poll_resolution_ns", "steal", "nap_ns")
    )
    rings = np.full(processors * RING, NONE, np.int32)
    return State(ps, ms, sched, rings, np.full(sizes.tasks, NONE, np.int32), *chosen)


RUNTIME = Runtime(
    name="go",
    title="Go runtime: goroutines on Ps and Ms",
    module=__name__,
    state=_state,
    threads=_threads,
    hosted=True,
    parameters=(
        Parameter("gomaxprocs", 0, "count", "number of Ps; 0: one per CPU", 0, 1024),
        Parameter("preempt_ns", 10_000_000, "ns", "sysmon preempts what ran this long (forcePreemptNS)", 1000),
        Parameter("sysmon_min_ns", 70_000, "ns", "sysmon's shortest period: 20 us and 50 us of timer slack", 1000),
        Parameter("sysmon_max_ns", 10_000_000, "ns", "sysmon's longest period", 1000),
        Parameter("poll_resolution_ns", 1_000_000, "ns", "resolution of the poller's timeout", 1),
        Parameter("max_threads", 10_000, "count", "sched.maxmcount", 2, 1_000_000),
        Parameter("nap_ns", 53_000, "ns", "a thief's sleep before it takes runnext: 3 us and 50 us of timer slack"),
        Parameter("steal", 1, "count", "1: idle Ps steal from others; 0: they do not", 0, 1),
    ),
)
