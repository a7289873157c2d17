"""What the Go runtime knows: processors (P), machines (M, kernel threads) and the scheduler's own lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine.handles import Handle
from tracekit.engine.state import Records

RING = 256  # runtime2.go: p.runq
P_IDLE, P_BUSY = 0, 1
# The runtime's own events.
SYSMON, POLL = 0, 1
# M.polling: in netpoll, or on its way back
BLOCKED_IN_POLL, BACK_FROM_POLL = 1, 2

P = np.dtype([
    ("m", "i4"), ("runnext", "i4"), ("next", "i4"), ("timers", "i4"), ("status", "i1"), ("in_syscall", "i1"),
    ("head", "i8"), ("tail", "i8"), ("schedtick", "i8"), ("syscalltick", "i8"), ("seen_tick", "i8"),
    ("seen_at", "i8"), ("syscall_seen", "i8"), ("syscall_at", "i8"), ("free_gs", "i4"),
], align=True)  # fmt: skip

# victim, stride, left, ran: where the last pass of stealing is, for an M that sleeps in it
M = np.dtype([
    ("p", "i4"), ("old_p", "i4"), ("next", "i4"), ("coveted", "i4"), ("victim", "i4"), ("stride", "i4"), ("left", "i4"),
    ("ran", "i1"), ("spinning", "i1"), ("searched", "i1"), ("polling", "i1"), ("was_spinning", "i1"), ("inherits", "i1"),
], align=True)  # fmt: skip

SCHED = np.dtype([
    ("queue", "i4"), ("queue_tail", "i4"), ("queue_size", "i8"), ("idle_p", "i4"), ("npidle", "i4"),
    ("idle_m", "i4"), ("nmspinning", "i4"), ("needspinning", "i4"), ("first_m", "i4"), ("made_ms", "i4"),
    ("poller", "i4"), ("net", "i4"), ("net_tail", "i4"), ("found", "i4"), ("net_waiters", "i8"), ("poll_until", "i8"),
    ("last_poll", "i8"), ("sysmon_until", "i8"), ("sysmon_delay", "i8"), ("sysmon_rounds", "i8"), ("sysmon_on", "i1"), ("sysmon_paid", "i1"), ("sysmon_woken", "i1"),
    ("sysmon", "i4"), ("sysmon_waker", "i4"), ("free_gs", "i4"),
], align=True)  # fmt: skip


class State(Handle):
    """`ps` by P, `ms` by kernel thread, one row of `sched`, the local rings, and the timers by goroutine."""

    ps: Records
    ms: Records
    sched: Records
    rings: Any  # int32 by P and place in its ring: p * RING + position % RING
    coprimes: Any  # int32: strides that visit all Ps
    timers: Records  # by task: a node of its P's heap
    preempt_ns: int
    sysmon_min_ns: int
    sysmon_max_ns: int
    sysmon_start_ns: int
    sysmon_ns: int
    poll_resolution_ns: int
    steal: int
    nap_ns: int
    spin_ns: int
    new_g_ns: int
