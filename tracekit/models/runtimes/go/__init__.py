"""The Go runtime's scheduler: goroutines (G) on kernel threads (M) that hold processors (P).

Rules, with their place in Go 1.27's src/runtime:
* Each P has runnext and a ring of 256; an overflow moves half of the ring and the new one to the global queue
  (runqput, runqputslow in proc.go). Readied and newly created goroutines go to runnext of the P that readied them.
* A goroutine that inherits the time slice through runnext does not advance schedtick (execute).
* findRunnable's order: expired timers, the global queue at every 61st schedtick, the local queue, a batch from
  the global queue, the network poller, stealing (half of another ring, oldest first; 4 passes in random coprime
  order; in the last also its timers, and its runnext, of a running P only if it is still there after a sleep:
  stealWork, runqgrab), the global queue again; then the P goes idle, an M that spun looks once more, and the M
  parks, as the poller if somebody has to wait for sockets and timers and nobody does.
* At most half as many Ms spin as Ps are busy. At most one is woken to spin (wakep); an M that found work while
  spinning wakes the next (resetspinning); who finds no idle P leaves word for an M about to stop (needspinning).
* Ms are kernel threads: waking one is paid by the waker, and the kernel policy decides when and where it runs.
* In a system call the P stays with its M. sysmon takes it when there is other work and at its second look, or
  after 10 ms (retake, handoffp); there is no state of its own for such a P, and others may steal from it. On return
  the M goes on if it has its P, or takes it back from one in a system call, or an idle one; else its goroutine goes
  to the global queue and it parks (exitsyscall, exitsyscallTryGetP).
* sysmon looks every 20 us, and after 50 idle rounds ever less often, up to 10 ms; it preempts what ran 10 ms since
  it first saw that schedtick, and polls the network when nobody did for 10 ms. When all Ps are idle it sleeps until a
  system call or a timer; then it has a round and a short sleep, idle Ps or not, before the next deep one. With sysmon_ns
  it is a kernel thread whose rounds take that long. Then its sleep is over with any timer of its CPU that fires when only
  slack is left of it (kernel/time/hrtimer.c: __hrtimer_run_queues); and when it preempts the M that woke it from a deep
  sleep, which holds sched.lock on the spot (entersyscallWakeSysmon), it yields (lock2: osyield).
* Each P has its timers (time.go). One that is due first makes the poller sleep anew, or an M look (wakeNetPoller).
  The poller's timeout is in whole milliseconds (netpoll_epoll.go), so a sleep ends late in an idle program; the last
  socket that became ready is the first to run.
* sync.Mutex with barging, spinning, and starvation mode at 1 ms, and RWMutex: engine/locks.py; WaitGroup:
  engine/sync.py; channels: engine/channels.py; their closing: engine/closing.py.
* main's return ends the program where the workload says so: engine/failure.py.
* A dead goroutine is used again (gfget): making one takes new_g_ns more, if there is none. Stacks double (newstack).

Left out:
* The collector, with the stack's shrinking and adaptive start (mgc.go, mgcpacer.go): a program says nothing of
  allocation. A recorded one replays as its workers' CPU time; its collections are ranges of a trace.
* select and sync.Cond: which case won, or whether the condition holds, decides what a goroutine does next, and programs
  have no branches. A recorded wait of either replays as one for whoever ended it.
* LockOSThread and cgo: a trace does not record who is locked (internal/trace/tracev2/events.go has no such event), and
  threads and processes always are. A system call is the nearest to a C call.
* The runtime's own locks (lock_spinbit.go): its critical sections take no time here, so nobody waits but sysmon, above.
* Another timer between the one that fires and the end of sysmon's slack: the kernel then looks no further.
* GOMAXPROCS changing while the program runs, and taken from a cgroup's quota (1.25 on): gomaxprocs is what is set.
* Trace reader, finalizers, scavenger, forced collections: goroutines of the runtime itself.
* A thief looks at all Ps before it takes anything: the whole search is paid, even when its first look finds.
* A preemption request that meets a goroutine in a system call is lost.

Versions: up to 1.25 a P has a state for system calls (_Psyscall). In 1.25.3 findRunnable, wakep, runqgrab, handoffp,
retake and exitsyscall decide by it as 1.27 does without, so there is no parameter for it.

Assumptions: preemption is immediate once requested; a signal costs nothing; a timer belongs to the P on which its
goroutine slept; a new M starts without delay beyond its kernel thread's.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd

import numpy as np

from tracekit.engine.state import NONE, records
from tracekit.models.model import Parameter, Runtime, Sizes
from tracekit.models.runtimes.go import events, find
from tracekit.models.runtimes.go.state import P_IDLE, RING, SCHED, M, P, State
from tracekit.models.runtimes.go.timers import TIMER

__all__ = ["RUNTIME", "State", "events", "find"]


def _processors(cpus: int, parameters: Mapping[str, int]) -> int:
    return parameters["gomaxprocs"] or cpus


def _threads(tasks: int, cpus: int, parameters: Mapping[str, int]) -> int:
    return min(tasks + _processors(cpus, parameters) + 1, parameters["max_threads"]) + 1  # and sysmon


PARAMETERS = (
    Parameter("preempt_ns", 10_000_000, "ns", "sysmon preempts what ran this long (forcePreemptNS)", 1000),
    Parameter("sysmon_min_ns", 70_000, "ns", "sysmon's shortest period: 20 us and 50 us of timer slack", 1000),
    Parameter("sysmon_max_ns", 10_000_000, "ns", "sysmon's longest period", 1000),
    Parameter("sysmon_start_ns", 0, "ns", "its period when the program begins; 0: the shortest, as of a new process"),
    Parameter("sysmon_ns", 1000, "ns", "CPU time of a round of sysmon on its kernel thread; 0: it needs no thread"),
    Parameter("poll_resolution_ns", 1_000_000, "ns", "resolution of the poller's timeout", 1),
    Parameter("steal", 1, "count", "1: idle Ps steal from others; 0: they do not", 0, 1),
    Parameter("nap_ns", 53_000, "ns", "a thief's sleep before it takes runnext: 3 us and 50 us of timer slack"),
    Parameter("spin_ns", 0, "ns", "one of 4 looks at a taken mutex before waiting; 0: goroutine_spin_ns"),
    Parameter("new_g_ns", 0, "ns", "creating a goroutine takes more without a dead one; 0: goroutine_new_ns"),
)


def _ps(processors: int) -> np.recarray:
    ps = records(processors, P)
    ps.status[:] = P_IDLE
    for field in ("m", "runnext", "timers"):
        ps[field][:] = NONE
    ps.next[:] = np.arange(1, processors + 1)
    ps.next[-1] = NONE
    return ps


def _state(sizes: Sizes, parameters: Mapping[str, int]) -> State:
    processors = _processors(sizes.cpus, parameters)
    ms = records(sizes.threads, M)
    for field in ("p", "old_p", "next", "coveted"):
        ms[field][:] = NONE
    sched = records(1, SCHED)
    for field in ("queue", "queue_tail", "idle_m", "poller", "net", "net_tail", "found"):
        sched[field][:] = NONE
    sched.npidle[:] = processors
    sched.first_m[:] = sizes.threads - sizes.own_threads
    sched.sysmon[:] = sizes.threads - 1
    rings = np.full(processors * RING, NONE, np.int32)
    coprimes = np.array([i for i in range(1, processors + 1) if gcd(i, processors) == 1], np.int32)
    chosen = (parameters[parameter.name] for parameter in PARAMETERS)
    return State(_ps(processors), ms, sched, rings, coprimes, records(sizes.tasks, TIMER), *chosen)


RUNTIME = Runtime(
    name="go",
    title="Go runtime: goroutines on Ps and Ms",
    module=__name__,
    state=_state,
    threads=_threads,
    hosted=True,
    parameters=(
        Parameter("gomaxprocs", 0, "count", "number of Ps; 0: one per CPU", 0, 1024),
        Parameter("max_threads", 10_000, "count", "sched.maxmcount", 2, 1_000_000),
        *PARAMETERS,
    ),
)
