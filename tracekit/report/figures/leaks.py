"""Deadlock and leaks: tasks that sleep for good, and what they wait for."""

from __future__ import annotations

from tracekit.report.figures.base import Figure
from tracekit.report.figures.findings import Found, findings, told
from tracekit.report.view import View

_NOBODY = "<p>No task is known to sleep for good: no deadlock, no leak.</p>"


def _lead(found: Found, view: View) -> str:
    del view
    stuck = any(a.facts["leaked"] or a.facts["deadlock"] == "yes" for _, a in found if a.facts)
    return told(found) if stuck else _NOBODY


FIGURE: Figure[Found] = findings(
    "leaks",
    "leaks",
    "Deadlock and leaks",
    "A deadlock is all tasks waiting, with nobody left to wake one. A leak is a task that waits for good while others "
    "go on, and holds its memory until the end: a goroutine that receives from a channel nobody sends to.",
    ("by_place", "asleep"),
    _lead,
    ("by_place",),
)
