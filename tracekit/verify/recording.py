"""An execution recorded while it runs, cut to the time that it was measured over."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tracekit.errors import ExecutionError
from tracekit.native.execute import Execution, Prepared
from tracekit.sources.registry import ingest
from tracekit.tables.bundle import Trace
from tracekit.tables.window import window

PROCESS = "runner"  # what the C runner calls itself and its tasks
_EVENTS = ("sched_switch", "sched_waking", "sched_wakeup_new", "sched_process_fork", "sched_migrate_task",
           "sched_stat_runtime")  # fmt: skip


def record(prepared: Prepared, form: str, *, cpus: int, limit_s: float) -> tuple[Execution, Trace]:
    """Execute once under perf, or a goroutine program under Go's tracer. Raises ExecutionError when that can't be."""
    with tempfile.TemporaryDirectory(prefix="tracekit-record-") as folder:
        target = Path(folder) / "recording"
        if form == "goroutine":
            execution = prepared.execute(form, cpus=cpus, limit_s=limit_s, go_trace=target)
        else:
            execution = prepared.execute(form, cpus=cpus, limit_s=limit_s, recorder=_perf(target))
        if not target.exists():
            raise ExecutionError("nothing was recorded", remedy="perf needs root, or kernel.perf_event_paranoid -1")
        trace = ingest(target)
    begin = execution.result.zero_ns - int(trace.meta["clock"]["origin_ns"])
    part = window(trace, begin, begin + execution.makespan_ns)
    assert isinstance(part, Trace)
    return execution, part


def _perf(target: Path) -> list[str]:
    if not shutil.which("perf"):
        raise ExecutionError("perf is not here, so no execution can be recorded", remedy="install perf")
    events = [word for event in _EVENTS for word in ("-e", f"sched:{event}")]
    return ["perf", "record", "-q", "-a", "-k", "CLOCK_MONOTONIC", "-m", "8192", "-c", "1", *events, "-o", str(target),
            "--"]  # fmt: skip
