"""What is known about a recording, and the Trace that is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import tracekit
from tracekit.sources.go_trace.clock import describe
from tracekit.sources.go_trace.holes import Hole
from tracekit.sources.go_trace.reading import Reading
from tracekit.sources.go_trace.spec import VERSIONS
from tracekit.tables.build import empty, table


def gap_table(holes: list[Hole], first: int) -> pa.Table:
    """The table `gaps`; `first` is the trace clock's ns at time 0."""
    if not holes:
        return empty("gaps")
    spans = [
        (max(hole.from_ns - first, 0), max(hole.until_ns - first, hole.from_ns - first, 0), hole) for hole in holes
    ]
    spans.sort(key=lambda span: span[:2])
    return table("gaps", {
        "cpu": [None] * len(spans),
        "stream": [f"byte {hole.offset}: {hole.what}" for _, _, hole in spans],
        "start_ns": [start for start, _, _ in spans],
        "end_ns": [end for _, end, _ in spans],
        "lost_events": [None] * len(spans),
        "cause": [hole.cause for _, _, hole in spans],
    })  # fmt: skip


def _policies(reading: Reading) -> list[dict[str, Any]]:
    totals, output = reading.state.totals[0], reading.output
    found = [
        {"policy": "order", "choice": "by sequence numbers; a time not after the one before becomes 1 ns after it",
         "count": int(totals.mended)},
        {"policy": "system calls", "choice": "BLOCKED from begin to end, whether or not the P was taken",
         "count": output.in_syscall},
        {"policy": "state before a goroutine is first seen", "choice": "as it is first seen, since the start",
         "count": output.inferred},
        {"policy": "wakeups outside goroutines", "choice": "no waker (scheduler, network poller, monitor)",
         "count": output.unwoken},
    ]  # fmt: skip
    if totals.unbegun:
        choice = "left out: it began before the recording, or its goroutine's regions do not nest"
        found += [{"policy": "end of a range without its beginning", "choice": choice, "count": int(totals.unbegun)}]
    return found


def trace_meta(reading: Reading, path: Path, digest: str) -> dict[str, Any]:
    """The meta of a reading; `digest` is the file's."""
    totals = reading.state.totals[0]
    first = int(totals.first)
    assert reading.clock is not None  # without a clock no event was read
    return {
        "source": {
            "path": str(path),
            "format": "Go execution trace",
            "version": f"1.{reading.version} ({VERSIONS[reading.version]})",
            "sha256": digest,
            "size_bytes": path.stat().st_size,
        },
        "clock": describe(reading.clock, first),
        "host": None,
        "kernel": f"go1.{reading.version}",
        "cpus": int(np.sum(reading.state.ps.seq_generation > 0)),
        "end_ns": int(totals.last) + 1 - first,
        "events": int(totals.events),
        "form": "goroutine",
        "policies": _policies(reading),
        "tool_version": tracekit.__version__,
    }
