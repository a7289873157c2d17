"""The table that everybody draws of the three forms, each cell a fact and what this run shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.figures.failure import address_spaces, reach
from tracekit.report.markup import swatch, text
from tracekit.report.view import Subject, View
from tracekit.units import format_bytes, format_duration
from tracekit.vocabulary import FORMS

Measure = Callable[[Subject, int], str]  # the run and how many tasks it has → the figure in words


@dataclass(frozen=True)
class Row:
    """A line of the table: the fact of each form, how it is measured, and the part of the page that shows it."""

    title: str
    process: str
    thread: str
    goroutine: str
    measure: Measure
    anchor: str


def _overhead(run: Subject, *kinds: str) -> float:
    return sum(run.value("overhead_time", kind) or 0.0 for kind in kinds)


def _each(total: float, count: float, written: Callable[[float], str], what: str) -> str:
    """A sum as its own figure shows it, and what that is for each."""
    return f"{written(total)} in all, {written(total / count)} {what}" if count else "none"


def _memory(run: Subject, tasks: int) -> str:
    return _each(run.value("peak_resident") or 0.0, tasks, format_bytes, "for each task")


def _isolation(run: Subject, tasks: int) -> str:
    spaces, lost = address_spaces(run), run.value("updates_lost")
    said = f"{spaces:,} address space{'s' if spaces != 1 else ''} for {tasks:,} tasks"
    return said if lost is None else f"{said}; {lost:,.0f} updates of variables lost"


def _weight(run: Subject, tasks: int) -> str:
    return _each(_overhead(run, "spawn"), tasks, format_duration, "to create and end one")


def _switching(run: Subject, tasks: int) -> str:
    del tasks
    kernel = sum(run.value(f"context_switches_{how}") or 0.0 for how in ("voluntary", "involuntary"))
    inside = float((run.bundle.meta.get("counters") or {}).get("task_switches") or 0)
    spent = _overhead(run, "switch", "address_space", "cache_refill")
    said = _each(spent, kernel + inside, format_duration, f"each; {kernel:,.0f} by the kernel")
    return f"{said}, {inside:,.0f} by the runtime" if inside else said


def _management(run: Subject, tasks: int) -> str:
    threads = run.value("threads")
    own = _overhead(run, "runtime", "steal", "handoff")
    said = (
        f"{tasks:,} tasks" if threads is None else f"{threads - _others(run):,.0f} kernel threads for {tasks:,} tasks"
    )
    return f"{said}; the runtime's own work {format_duration(own)}" if own else said


def _others(run: Subject) -> int:
    """Tasks beside the program that had a kernel thread each: recorded ones that compete for the CPUs."""
    started = run.bundle.frame("tasks").filter(pl.col("start_ns").is_not_null()).select("task_id")
    return started.join(run.seen.tasks.select("task_id"), on="task_id", how="anti").height


def _scheduling(run: Subject, tasks: int) -> str:
    del tasks
    latency = run.value("wakeup_latency", "p99")
    return "no wakeups" if latency is None else f"99 of 100 wakeups run within {format_duration(latency)}"


def _blocking(run: Subject, tasks: int) -> str:
    del tasks
    handoffs = run.value("handoffs") or 0.0
    said = f"{format_duration(_overhead(run, 'syscall', 'idle_exit'))} in system calls and leaving idle"
    return f"{said}; {handoffs:,.0f} handoffs" if run.bundle.meta["form"] == "goroutine" else said


def _failure(run: Subject, tasks: int) -> str:
    cut = run.value("tasks_cut_off")
    if cut is None:
        return f"a crash of one ends {reach(run):,} of {tasks:,} tasks"
    return f"{cut:,.0f} of {tasks:,} tasks cut off, {run.value('requests_lost') or 0:,.0f} requests lost"


def _synchronization(run: Subject, tasks: int) -> str:
    del tasks
    copies = _overhead(run, "ipc_copy")
    said = f"{format_duration(_overhead(run, 'sync'))} in locks, channels, waits and wakeups"
    return f"{said}; {format_duration(copies)} copying messages" if copies else said


ROWS: tuple[Row, ...] = (
    Row("memory", "its own, shared with its parent until written to", "one for all; a stack of megabytes is reserved for each",
        "one for all; stacks begin at 2 KiB and grow", _memory, "memory"),
    Row("isolation", "kept apart by the kernel", "none: any can write anywhere", "none: any can write anywhere", _isolation,
        "failure"),
    Row("weight", "heavy: an address space, page tables, a kernel task", "lighter: a kernel task and a stack",
        "light: a few hundred bytes and a small stack", _weight, "overhead"),
    Row("context switching", "by the kernel, and the memory mapping changes", "by the kernel, in the same mapping",
        "mostly by the runtime, without the kernel", _switching, "overhead"),
    Row("management", "fork, exec and wait; the kernel", "create and join; the kernel and a library",
        "the go statement; the Go runtime", _management, "comparison"),
    Row("scheduling", "preempted by the kernel, in turn", "preempted by the kernel, in turn",
        "by the runtime on a few threads, preempted after 10 ms", _scheduling, "wakeup-latency"),
    Row("blocking", "a wait blocks this process alone", "a wait blocks this thread alone",
        "a wait parks it; a system call holds a thread, and its P is handed on", _blocking, "overhead"),
    Row("failure impact", "a crash ends one process", "a crash ends the whole process", "a panic ends the whole program",
        _failure, "failure"),
    Row("synchronization", "pipes and other IPC: data is copied through the kernel", "locks and shared data: cheap, and races",
        "channels and locks in the runtime: cheap, and races", _synchronization, "overhead"),
)  # fmt: skip

Cells = list[dict[str, Any]]


def compute(view: View) -> Cells:
    """A dict per row: title, anchor, and `cells` by form of (fact, figure); the first run of each form counts."""
    by_form: dict[str, Subject] = {}
    for run in view.competing:
        if run.label.split(" ")[0] in FORMS:
            by_form.setdefault(str(run.bundle.meta.get("form")), run)
    return [
        {
            "title": row.title,
            "anchor": row.anchor,
            "cells": {
                form: (getattr(row, form), row.measure(by_form[form], by_form[form].seen.tasks.height))
                for form in FORMS
                if form in by_form
            },
        }
        for row in ROWS
        if by_form
    ]


def draw(rows: Cells, view: View) -> Drawing:
    """A column for each form; the figure of a cell links to the part of the page that shows it."""
    if not rows:
        return Drawing("<p>None of the three forms was replayed.</p>")
    colours = {s.label.split(" ")[0]: s.colour for s in view.subjects}
    forms = list(rows[0]["cells"])
    head = "".join(f'<th scope="col">{swatch(colours[form], form)}</th>' for form in forms)
    body = "".join(
        f'<tr><th scope="row">{text(row["title"])}</th>'
        + "".join(
            f'<td class="prose">{text(fact)}<br><a href="#{row["anchor"]}"><b>{text(figure)}</b></a></td>'
            for fact, figure in row["cells"].values()
        )
        + "</tr>"
        for row in rows
    )
    return Drawing(
        f'<div class="scroll"><table class="forms"><thead><tr><th scope="col"></th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


FIGURE = Figure(
    "forms_table",
    "The three forms",
    "What is said of each form, and below it in bold what this program shows of it. A figure links to the part of the "
    "page that it is from.",
    compute,
    draw,
)
