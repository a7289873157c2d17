"""What the format leaves to custom: which rows are CPUs, how a slice names its task, which phases say nothing here."""

from __future__ import annotations

import re

# Rows of CPUs, by the name of their row, in a process of such a name; or in any process that has no other rows.
CPU_ROW = re.compile(r"(?:cpu|core|proc|p|processor)[\s_:#]*(\d{1,6})", re.IGNORECASE)
CPU_PROCESSES = frozenset(
    ("cpu", "cpus", "kernel", "cpu scheduling", "cpu scheduler", "scheduler", "scheduling", "sched", "procs")
)

# What runs on a CPU when nothing does.
IDLE = re.compile(r"(?:swapper(?:/\d+)?|<?idle>?|\[?idle\]?)(?:[-\s:/\[(]*0[\])]?)?", re.IGNORECASE)

# How slices on rows of CPUs name their task: name and id, the first that fits.
TASK_NAMES = (
    re.compile(r"(?P<name>G(?P<id>\d{1,18})(?: .*)?)"),  # go tool trace: G12 main.worker
    re.compile(r"(?P<name>.*\S)\s*[\[(](?:tid[ :=]*)?(?P<id>\d{1,18})[\])]"),  # comm [123], comm (123)
    re.compile(r"(?P<name>.*\S)[-:/](?P<id>\d{1,18})"),  # comm-123 as perf and ftrace print it, comm:123
)

# Phases that only other analyses use, with what they are (Trace Event Format, Google, 2016).
IGNORED_PHASES = {
    "b": "async", "e": "async", "n": "async", "S": "async", "T": "async", "F": "async", "p": "async",
    "i": "instant", "I": "instant", "C": "counter", "P": "sample", "N": "object", "O": "object", "D": "object",
    "R": "mark", "V": "memory dump", "v": "memory dump", "c": "clock synchronization", "(": "context", ")": "context",
}  # fmt: skip

OWN = "tracekit"  # the metadata event that our own export begins with
