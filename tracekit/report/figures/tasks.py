"""Task by task: where the time of each went."""

from __future__ import annotations

from tracekit.report.figures.findings import findings

FIGURE = findings(
    "tasks",
    "tasks",
    "Task by task",
    "Where the time of the tasks went: on a CPU (running), waiting for a CPU (run-queue delay), and waiting for "
    "something else (blocked), added up over all tasks. The tables have the busiest tasks one by one, with how often each "
    "left its CPU, to wait (voluntary) or because another was let run (involuntary), and how long it took to get one back.",
    ("tasks", "blocked"),
)
