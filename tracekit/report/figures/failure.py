"""Failure and isolation: what a crash, or main's return, took with it, for every form side by side."""

from __future__ import annotations

from tracekit.report.figures.base import Figure
from tracekit.report.figures.findings import Found, findings
from tracekit.report.markup import swatch, table, text
from tracekit.report.view import Subject, View
from tracekit.units import format_duration

HEAD = (
    "",
    "address spaces",
    "a crash of one ends",
    "cut off in this run",
    "left waiting",
    "work lost",
    "requests lost",
)


def address_spaces(run: Subject) -> int:
    """How many address spaces the run's tasks live in: one each for processes, one for all otherwise."""
    return run.seen.tasks.height if run.bundle.meta.get("form") == "process" else 1


def reach(run: Subject) -> int:
    """How many tasks end with one that crashes: those of its address space, where nobody waits for the dead."""
    return -(-run.seen.tasks.height // max(1, address_spaces(run)))


def _lead(found: Found, view: View) -> str:
    """A row per run: what one crash would end by the form, and what this run lost."""
    del found
    rows = [
        [
            swatch(run.colour, run.label),
            f"{address_spaces(run):,}",
            f"{reach(run):,} of {run.seen.tasks.height:,} tasks",
            *(_lost(run, name) for name in ("tasks_cut_off", "tasks_left_waiting", "work_lost", "requests_lost")),
        ]
        for run in view.competing
    ]
    return table(HEAD, rows) if rows else ""


def _lost(run: Subject, metric: str) -> str:
    value = run.value(metric)
    if value is None:
        return "–"
    return text(format_duration(value) if metric == "work_lost" else f"{value:,.0f}")


FIGURE: Figure[Found] = findings(
    "failure",
    "failure",
    "What a failure takes with it",
    "Processes have an address space each, so one that crashes ends alone, and others may wait for what it would have "
    "given them. All threads of a process, and all goroutines, share one: a crash of one ends all. To see it on this "
    "program, replay it with --crash TASK@TIME, such as --crash main@1ms; where nothing failed the last columns have a dash.",
    ("ends", "crashes", "lost"),
    _lead,
)
