"""Garbage collection of a Go recording: what it cost, and whom."""

from __future__ import annotations

from tracekit.report.figures.findings import findings

FIGURE = findings(
    "gc",
    "gc",
    "Garbage collection",
    "What Go's collector cost while the program was recorded. Workers collect beside the program; a goroutine that "
    "allocates much has to help (an assist); and now and then all are stopped. The models collect nothing: a program says "
    "nothing of what it allocates.",
    ("tasks", "cycles", "stops"),
    opened=("tasks",),
)
