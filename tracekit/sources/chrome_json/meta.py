"""What a trace's meta says of a file: choices made while reading, and what its writer told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tracekit import __version__
from tracekit.sources.chrome_json.layout import INEXACT, NONE, READ, UNPLACED
from tracekit.sources.chrome_json.reading import Read
from tracekit.sources.chrome_json.slices import EMPTY, OPEN_ENDED, OVERLAPS, UNFINISHED, UNMATCHED
from tracekit.sources.chrome_json.spec import IGNORED_PHASES
from tracekit.sources.chrome_json.tasks import CPUS, STATE_ROWS, THREADS
from tracekit.vocabulary import TASK_KINDS

FORMAT = "Chrome trace-event JSON"


def _policies(read: Read) -> list[dict[str, Any]]:
    counts, state = read.swept.counts, read.scanned.store.state
    choice = {
        THREADS: "a thread is RUNNING while its outermost slice is open; else BLOCKED and RUNNABLE where a flow says "
                 "so, and UNKNOWN where nothing does",
        CPUS: "rows of CPUs say who is RUNNING; rows of threads give names alone",
        STATE_ROWS: "rows of threads whose slices are called by states; rows of CPUs repeat them",
    }[read.kind]  # fmt: skip
    rows = [
        ("where scheduling is", choice, len(read.pieces.rows)),
        ("flow events", "a wakeup when the flow begins, if its end was not running; the first of several",
         len(read.flows.wakeups)),
        ("flows to a task already RUNNING or RUNNABLE", "no wakeup", read.flows.already),
        ("flows to no task's row", "left out", read.flows.unplaced),
        ("slices without an end", "open until the trace ends; inferred", int(counts[UNFINISHED])),
        ("ends without a beginning", "left out", int(counts[UNMATCHED])),
        ("X without dur", "left out", int(counts[OPEN_ENDED])),
        ("slices that take no time", "left out", int(counts[EMPTY])),
        ("slices of a row that overlap", "on rows of CPUs and states the later begins later", int(counts[OVERLAPS])),
        ("a task in two places at once", "the later slice begins later", len(read.contradictions)),
        ("the idle task", "no task", read.pieces.idle),
        ("events without a time", "left out", int(state[UNPLACED])),
        ("times finer than 1 ns", "rounded to the nearest", int(state[INEXACT])),
    ]  # fmt: skip
    ignored: Counter[str] = Counter()
    for phase, count in enumerate(read.scanned.store.ignored):
        ignored[IGNORED_PHASES.get(chr(phase), "unknown phase")] += int(count)
    rows += [(f"{what} events", "left out", count) for what, count in sorted(ignored.items())]
    return [{"policy": p, "choice": c, "count": n} for p, c, n in rows if n]


def meta_of(read: Read, path: Path) -> dict[str, Any]:
    """The meta of the file's trace; its own, where it is an export of a trace."""
    own = read.rows.own or {}
    cpus = [int(c) for c in np.unique(read.pieces.rows["cpu"]) if c != NONE]
    told = own.get("cpus")
    form = own.get("form", None if read.kind == CPUS else "thread")
    clock = own.get("clock")
    return {
        "source": {"path": str(path), "format": FORMAT, "version": None, "sha256": read.scanned.sha256,
                   "size_bytes": read.scanned.size_bytes},
        "clock": clock if isinstance(clock, dict)
                 else {"name": None, "origin_ns": read.origin_ns, "wall_origin_ns": None},
        "host": _text(own.get("host")), "kernel": _text(own.get("kernel")),
        "cpus": told if isinstance(told, int) and 0 < told < 1 << 20 else (max(cpus) + 1 if cpus else None),
        "end_ns": read.end_ns - read.origin_ns,
        "events": int(read.scanned.store.state[READ]),
        "form": form if form in TASK_KINDS else None,
        "policies": _policies(read),
        "tool_version": __version__,
    }  # fmt: skip


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
