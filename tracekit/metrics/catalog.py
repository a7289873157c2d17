"""Every metric, declared once: unit, meaning, which direction is better, and the group it is shown in.

Units: ns, bytes, count, 1/s (per second of makespan), 1 (a share from 0 to 1). A metric that the tables can't
answer is absent from the result; a zero is always a measured zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracekit.vocabulary import OVERHEADS

Better = Literal["lower", "higher", "neither"]

# Nearest rank: the value at rank ⌈p·n⌉ of n ascending values, an exact integer that did occur (no
# interpolation). Levels are in thousandths so that the rank is integer arithmetic.
PERCENTILES: dict[str, int] = {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999, "max": 1000}
TOTAL = "total"

GROUPS: dict[str, str] = {
    "time": "Time",
    "throughput": "Throughput",
    "overhead": "Overhead",
    "switching": "Switching",
    "latency": "Latency",
    "memory": "Memory",
    "failure": "Failure",
}


@dataclass(frozen=True)
class Metric:
    """One metric. `labels` are its rows in the long table, in order; `key` those that a short table shows."""

    name: str
    title: str
    unit: str
    better: Better
    group: str
    meaning: str
    labels: tuple[str, ...] = ("",)
    key: tuple[str, ...] = ()


_LEVELS = tuple(PERCENTILES)
_KINDS = (TOTAL, *OVERHEADS.names)
_SHOWN = ("",)

_METRICS = (
    Metric("makespan", "makespan", "ns", "lower", "time", "from time 0 until the last task ended or last ran", key=_SHOWN),
    Metric("running_time", "time on CPU", "ns", "lower", "time", "all RUNNING time of the tasks"),
    Metric("compute_time", "compute", "ns", "neither", "time",
           "the work itself: RUNNING time less the overheads within it"),
    Metric("cpu_time", "CPU time", "ns", "lower", "time",
           "RUNNING time, and the overheads that pass while no task runs", key=_SHOWN),
    Metric("utilization", "utilization", "1", "neither", "time",
           "busy CPU time, other tasks' included, over CPUs × makespan", key=_SHOWN),
    Metric("tasks_per_s", "tasks done", "1/s", "higher", "throughput", "tasks ended, per second of makespan", key=_SHOWN),
    Metric("messages_per_s", "messages received", "1/s", "higher", "throughput",
           "messages received, per second of makespan", key=_SHOWN),
    Metric("requests_per_s", "requests done", "1/s", "higher", "throughput",
           "requests done, per second of makespan", key=_SHOWN),
    Metric("overhead_time", "overhead", "ns", "lower", "overhead",
           "time charged beyond the work itself, by kind", _KINDS, (TOTAL,)),
    Metric("overhead_share", "overhead share", "1", "lower", "overhead",
           "overhead over CPU time, by kind", _KINDS, (TOTAL,)),
    Metric("context_switches_voluntary", "context switches, voluntary", "count", "lower", "switching",
           "a kernel thread left its CPU to block or because it ended", key=_SHOWN),
    Metric("context_switches_involuntary", "context switches, involuntary", "count", "lower", "switching",
           "a kernel thread left its CPU although it could run on", key=_SHOWN),
    Metric("task_switches_voluntary", "task switches, voluntary", "count", "lower", "switching",
           "a task left its CPU to block or because it ended; for goroutines, mostly without the kernel"),
    Metric("task_switches_involuntary", "task switches, involuntary", "count", "lower", "switching",
           "a task left its CPU although it could run on: preempted, or it yielded"),
    Metric("migrations", "migrations", "count", "neither", "switching",
           "a task runs on another CPU than the last time it ran", key=_SHOWN),
    Metric("steals", "steals", "count", "neither", "switching", "a CPU or P took work from another's queue", key=_SHOWN),
    Metric("handoffs", "handoffs", "count", "neither", "switching",
           "a P was given to another kernel thread because its own blocked", key=_SHOWN),
    Metric("threads", "kernel threads", "count", "neither", "switching",
           "kernel threads that carried the tasks", key=_SHOWN),
    Metric("wakeup_latency", "wakeup latency", "ns", "lower", "latency",
           "from a wakeup until the woken task first runs", _LEVELS, ("p50", "p99", "max")),
    Metric("preemption_latency", "preemption latency", "ns", "lower", "latency",
           "from a preemption until the task runs again", _LEVELS, ("p99",)),
    Metric("run_queue_delay", "run-queue delay", "ns", "lower", "latency",
           "time RUNNABLE: each period's, and the total of all", (*_LEVELS, TOTAL), (TOTAL,)),
    Metric("peak_resident", "peak resident memory", "bytes", "lower", "memory",
           "most physical memory held at a time", key=_SHOWN),
    Metric("peak_virtual", "peak virtual memory", "bytes", "lower", "memory",
           "most address space reserved at a time", key=_SHOWN),
    Metric("tasks_cut_off", "tasks cut off", "count", "lower", "failure",
           "tasks that ended before they were done: crashed, or ended with their process or their pipe", key=_SHOWN),
    Metric("tasks_left_waiting", "tasks left waiting", "count", "lower", "failure",
           "tasks alive that wait for what the dead would have given", key=_SHOWN),
    Metric("work_lost", "work lost", "ns", "lower", "failure", "compute asked for and never done", key=_SHOWN),
    Metric("requests_lost", "requests lost", "count", "lower", "failure", "requests that were never done", key=_SHOWN),
    Metric("updates_lost", "updates lost", "count", "lower", "failure",
           "additions to variables that the first task does not see at the end", key=_SHOWN),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
