"""The model `recorded`: a trace as it was, in the tables of a run, so that it stands beside the others.

Its metrics are those of the trace, exactly. Overheads, memory and operations are empty: a recording has none.
"""

from __future__ import annotations

from tracekit import __version__
from tracekit.tables.build import empty
from tracekit.tables.bundle import Run, Trace


def recorded_run(trace: Trace) -> Run:
    """The trace's own tables as a run of the model `recorded`."""
    meta = trace.meta
    extra = {name: empty(name) for name in ("overheads", "memory", "operations")}
    return Run(
        {**trace.tables, **extra},
        {
            "model": "recorded",
            "kernel_policy": "recorded",
            "runtime": "recorded",
            "form": meta.get("form"),
            "cpus": meta.get("cpus"),
            "seed": None,
            "profile": None,
            "parameters": {},
            "program": {
                "origin": "trace",
                "name": (meta.get("source") or {}).get("path"),
                "source": meta.get("source"),
            },
            "end_ns": meta.get("end_ns"),
            "events": meta.get("events"),
            "outcome": "completed",
            "outcome_detail": "",
            "counters": {},
            "tool_version": __version__,
        },
    )
