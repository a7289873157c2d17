"""Sharing: races between accesses to variables, and the updates that they lose."""

from __future__ import annotations

from tracekit.report.figures.findings import findings

FIGURE = findings(
    "races",
    "races",
    "Sharing and races",
    "Two accesses to a variable race when one of them writes and nothing (no lock, channel or join) says which comes "
    "first; what is added in between is lost. Threads and goroutines share variables. Each process has a copy of its own "
    "after its start: nothing races, and what one writes no other sees.",
    ("values", "copies", "variables", "races"),
    opened=("values",),
)
