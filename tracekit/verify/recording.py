"""An execution recorded while it runs, cut to the time that it was measured over."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tracekit.errors import ExecutionError
from tracekit.native.execute import Execution, Prepared
from tracekit.recording.perf import under_perf
from tracekit.sources.registry import ingest
from tracekit.tables.bundle import Trace
from tracekit.tables.window import window

PROCESS = "runner"  # what the C runner calls itself and its tasks


def record(prepared: Prepared, form: str, *, cpus: int, limit_s: float) -> tuple[Execution, Trace]:
    """Execute once under perf, or a goroutine program under Go's tracer. Raises ExecutionError when that can't be."""
    with tempfile.TemporaryDirectory(prefix="tracekit-record-") as folder:
        target = Path(folder) / "recording"
        if form == "goroutine":
            execution = prepared.execute(form, cpus=cpus, limit_s=limit_s, go_trace=target)
        else:
            execution = prepared.execute(form, cpus=cpus, limit_s=limit_s, recorder=under_perf(target))
        if not target.exists():
            raise ExecutionError("nothing was recorded", remedy="perf needs root, or kernel.perf_event_paranoid -1")
        trace = ingest(target)
    begin = execution.result.zero_ns - int(trace.meta["clock"]["origin_ns"])
    part = window(trace, begin, begin + execution.makespan_ns)
    assert isinstance(part, Trace)
    return execution, part
