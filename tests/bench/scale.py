"""How the engine scales: what an event costs as tasks and CPUs grow, a million goroutines, starting up, threads."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.bench.engine import loop_rate, shared_work
from tests.bench.registry import Measurement, benchmark

ROOT = Path(__file__).parents[2]
PLOT = ROOT / "reports" / "engine-scale.html"
TASKS = (100, 1_000, 10_000, 100_000, 1_000_000)
CPUS = (1, 2, 4, 16, 64, 256)
SEGMENTS = 800_000  # about as many whatever the number of tasks


def event_costs() -> list[tuple[str, int, int, float]]:
    """(model, tasks, CPUs, ns an event in the loop): tasks vary on 2 CPUs, then CPUs with 10,000 tasks."""
    rows = []
    for model in ("thread", "goroutine"):
        for tasks in TASKS:
            work = shared_work(tasks, max(SEGMENTS // 5 // tasks, 1))
            rows.append((model, tasks, 2, 1e3 / loop_rate(model, work, repeat=2)))
        work = shared_work(10_000, SEGMENTS // 5 // 10_000)
        for cpus in CPUS:
            rows.append((model, 10_000, cpus, 1e3 / loop_rate(model, work, repeat=2, cpus=cpus)))
    return rows


def plot(rows: list[tuple[str, int, int, float]], path: Path) -> None:
    """The same as one HTML page."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    page = make_subplots(rows=1, cols=2, subplot_titles=("tasks, on 2 CPUs", "CPUs, with 10,000 tasks"))
    for model in ("thread", "goroutine"):
        for column, axis, chosen in ((1, 1, rows_of(rows, model, 2, None)), (2, 2, rows_of(rows, model, None, 10_000))):
            page.add_trace(
                go.Scatter(x=[row[axis] for row in chosen], y=[row[3] for row in chosen], name=model, mode="lines+markers"),
                row=1, col=column,
            )  # fmt: skip
    page.update_xaxes(type="log")
    page.update_yaxes(title="ns an event", rangemode="tozero")
    page.write_html(path, include_plotlyjs=True)


def rows_of(
    rows: list[tuple[str, int, int, float]], model: str, cpus: int | None, tasks: int | None
) -> list[tuple[str, int, int, float]]:
    """Those of one model, with so many CPUs or tasks."""
    return sorted(r for r in rows if r[0] == model and cpus in (None, r[2]) and tasks in (None, r[1]))


@benchmark("engine_scale", unit="times", goal=2.0, better="lower", reference="ns an event at 100 tasks")
def engine_scale() -> Measurement:
    """Growth of an event's cost from 100 to 1,000,000 threads, over the growth of the number's logarithm (3 times)."""
    rows = event_costs()
    for model, tasks, cpus, cost_ns in rows:
        print(f"  {model:10} {tasks:>9,} tasks {cpus:>4} CPUs {cost_ns:8.1f} ns an event")
    plot(rows, PLOT)
    print(f"  plotted in {PLOT}")
    threads = rows_of(rows, "thread", 2, None)
    growth = threads[-1][3] / threads[0][3]
    return Measurement(growth, threads[0][3], ratio=growth / 3)


MILLION = """
import json, resource, time
import numpy as np, pyarrow as pa
from tests.bench.scale import million
print(json.dumps(million()))
"""
GOROUTINES, EACH = 1_000_000, 20


def million() -> dict[str, float]:
    """A million goroutines of 20 segments: seconds, peak_bytes, segments; rows are written as they come."""
    import numpy as np

    from tracekit.cli.streamed import RunSink
    from tracekit.engine.replay import replay
    from tracekit.tables.build import empty, table
    from tracekit.tables.bundle import Program
    from tracekit.vocabulary import SEGMENTS as KINDS

    ids = np.arange(GOROUTINES, dtype=np.int32)
    rows = GOROUTINES * EACH
    kinds = np.array([KINDS["compute"], KINDS["sleep"]], np.int8)
    work = Program({
        "tasks": table("program_tasks", {
            "task_id": ids, "name": ["g"] * GOROUTINES, "start_ns": np.zeros(GOROUTINES, np.int64),
            "converted": np.ones(GOROUTINES, bool),
        }, rows=GOROUTINES),
        "segments": table("segments", {
            "task_id": np.repeat(ids, EACH), "ordinal": np.tile(np.arange(EACH, dtype=np.int32), GOROUTINES),
            "kind": np.tile(kinds, rows // 2), "duration_ns": np.tile(np.array([1_000, 1_000_000]), rows // 2),
        }, rows=rows),
        "objects": empty("objects"),
    }, {"origin": "workload", "name": "million"})  # fmt: skip
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, RunSink(Path(folder) / "m.tracekit", work, 1_000_000) as sink:
        run, _ = sink.finish(replay(work, "goroutine", cpus=2, sink=sink))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": time.perf_counter() - began, "peak_bytes": peak, "events": run.meta["events"]}


@benchmark("million_goroutines", unit="GB", goal=3, better="lower")
def million_goroutines() -> Measurement:
    """Peak memory of a million goroutines with 20 million segments, in a process of its own."""
    import json

    done = _python(MILLION)
    known: dict[str, Any] = json.loads(done)
    print(f"  {known['events']:,} events in {known['seconds']:.0f} s")
    return Measurement(known["peak_bytes"] / 1e9)


START = """
import time
from tests.programs import program
from tracekit.engine.replay import compiled_run, replay
from tracekit.models.catalog import find_model
work = program({"a": [("compute", 1)]})
began = time.perf_counter()
replay(work, "MODEL")
print(time.perf_counter() - began)
"""


def _python(script: str, **environment: str) -> str:
    chosen = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, "-c", script], env=chosen, capture_output=True, text=True, check=True)
    return done.stdout


def first_replay_s(model: str, cache: str) -> float:
    """Seconds of the first replay in a new process, imports aside."""
    return float(_python(START.replace("MODEL", model), TRACEKIT_CACHE_DIR=cache))


@benchmark("compile", unit="s", goal=15, better="lower", reference="the thread model")
def compile_from_nothing() -> Measurement:
    """Compiling the goroutine model with an empty cache."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        return Measurement(first_replay_s("goroutine", one), first_replay_s("thread", two), ratio=None)


@benchmark("load_compiled", unit="s", goal=0.5, better="lower", reference="compiling it")
def load_compiled() -> Measurement:
    """Loading the compiled goroutine model in a new process, and a replay of one task."""
    with tempfile.TemporaryDirectory() as cache:
        compiling = first_replay_s("goroutine", cache)
        loading = statistics.median(first_replay_s("goroutine", cache) for _ in range(3))
    return Measurement(loading, compiling, ratio=loading)


@benchmark("parallel_replays", unit="times", goal=1.5, reference="s one after the other")
def parallel_replays() -> Measurement:
    """As many replays as CPUs, at most 8, in threads of one process, beside the same one after the other."""
    from tracekit.engine.replay import replay

    work = shared_work(1000, 200)
    count = min(len(os.sched_getaffinity(0)), 8)
    replay(work, "thread")
    began = time.perf_counter()
    for _ in range(count):
        replay(work, "thread")
    alone = time.perf_counter() - began
    threads = [threading.Thread(target=replay, args=(work, "thread")) for _ in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = time.perf_counter() - began
    return Measurement(alone / together, alone, ratio=alone / together)
