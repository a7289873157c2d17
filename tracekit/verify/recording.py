"""An execution recorded while it runs, cut to the time that it was measured over."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import polars as pl

from tracekit.analysis.join import join
from tracekit.errors import ExecutionError
from tracekit.native.execute import Execution, Prepared
from tracekit.recording.perf import under_perf
from tracekit.recording.privilege import lacking
from tracekit.sources.registry import ingest
from tracekit.tables.bundle import Trace
from tracekit.tables.window import window

PROCESS = "runner"  # what the C runner calls itself and its tasks
GOROUTINE = "main.run"  # the function that is each task of the Go runner


def record(prepared: Prepared, form: str, *, cpus: int, limit_s: float, joint: bool = False) -> tuple[Execution, Trace]:
    """Execute once under perf, or a goroutine program under Go's tracer. Raises ExecutionError when that can't be.

    `joint`: with all that tells of its waits, at more cost: a kernel's tasks with callchains, a goroutine program under
    both recorders, which tell when its threads had no CPU (analysis/join.py); where perf may not, under Go's alone.
    """
    with tempfile.TemporaryDirectory(prefix="tracekit-record-") as folder:
        kernel, go = Path(folder) / "kernel", Path(folder) / "go"
        goroutine = form == "goroutine"
        both = joint and goroutine and lacking() is None
        execution = prepared.execute(
            form, cpus=cpus, limit_s=limit_s,
            go_trace=go if goroutine else None,
            recorder=under_perf(kernel, callchains=joint) if both or not goroutine else None,
        )  # fmt: skip
        target = go if goroutine else kernel
        if not target.exists():
            raise ExecutionError("nothing was recorded", remedy="perf needs root, or kernel.perf_event_paranoid -1")
        trace = join(ingest(go), ingest(kernel)).trace if both else ingest(target)
    if both or not goroutine:
        trace = without_bystanders(trace, cpus)
    begin = execution.result.zero_ns - int(trace.meta["clock"]["origin_ns"])
    if goroutine:
        part = window(trace, begin, begin + execution.makespan_ns)
        assert isinstance(part, Trace)
        return execution, part
    return execution, cut(trace, begin, execution.makespan_ns)


def without_bystanders(trace: Trace, cpus: int) -> Trace:
    """Without tasks that only ever had other CPUs than the first `cpus`, where the program was: they did not compete."""
    allowed = sorted(os.sched_getaffinity(0))[:cpus]
    runs = trace.frame("intervals").filter((pl.col("state") == "RUNNING") & pl.col("cpu").is_not_null())
    beside = runs.group_by("task_id").agg(~pl.col("cpu").is_in(allowed).any()).filter("cpu")["task_id"]
    others = ~trace.frame("intervals")["task_id"].is_in(beside.implode())
    return Trace({**trace.tables, "intervals": trace.tables["intervals"].filter(others.to_arrow())}, trace.meta)


def cut(trace: Trace, begin_ns: int, makespan_ns: int) -> Trace:
    """The part of a recording in which the program's tasks lived: to the end of the last one's way out, which comes
    after the makespan, but without what the runner does then."""
    tasks = trace.frame("tasks").filter(pl.col("name") == PROCESS)
    runner = tasks.filter(~pl.col("parent_id").is_in(tasks["task_id"].to_list()) | pl.col("parent_id").is_null())
    others = tasks.join(runner, on="task_id", how="anti")
    until = max([begin_ns + makespan_ns, *others["end_ns"].drop_nulls().to_list()])
    part = window(trace, begin_ns, until)
    assert isinstance(part, Trace)
    after = (pl.col("start_ns") >= makespan_ns) & pl.col("task_id").is_in(runner["task_id"].to_list())
    kept = part.frame("intervals").with_row_index("row").filter(~after)["row"].to_arrow()
    return Trace({**part.tables, "intervals": part.tables["intervals"].take(kept)}, part.meta)
