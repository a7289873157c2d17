"""A trace or a run → one long table: metric, label, value, unit (`catalog.METRICS` says what each means)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import polars as pl

from tracekit.metrics.activity import NS_PER_S, Activity, activity
from tracekit.metrics.catalog import METRICS, TOTAL
from tracekit.metrics.latency import percentiles, preemption_latencies, run_queue_delays, wakeup_latencies
from tracekit.tables.bundle import Run, Trace
from tracekit.vocabulary import OFF_TASK_OVERHEADS

Row = tuple[str, str, float]  # metric, label, value

SCHEMA = {"metric": pl.String, "label": pl.String, "value": pl.Float64, "unit": pl.String}


def measure(bundle: Trace | Run, *, cpus: int | None = None, tasks: Collection[int] | None = None) -> pl.DataFrame:
    """All metrics that the bundle's tables hold, in catalog order: metric, label, value (float64), unit.

    `cpus` overrides the bundle's own number of CPUs; `tasks` restricts the task_ids that count (default: all
    that are not of kind kernel). What the tables do not tell is absent, never zero.
    """
    return measure_activity(activity(bundle, tasks), cpus=cpus)


def measure_activity(seen: Activity, *, cpus: int | None = None) -> pl.DataFrame:
    """As `measure`, for tasks already selected."""
    found = {(metric, label): value for metric, label, value in _rows(seen, cpus)}
    rows = [
        (metric.name, label, found[metric.name, label], metric.unit)
        for metric in METRICS.values()
        for label in metric.labels
        if (metric.name, label) in found
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(seen: Activity, cpus: int | None) -> Iterator[Row]:
    makespan_ns = seen.makespan_ns()
    overheads = _overheads(seen)
    if makespan_ns is not None:
        yield "makespan", "", makespan_ns
        yield from _times(seen, overheads)
        yield from _utilization(seen, makespan_ns, cpus or seen.bundle.meta.get("cpus"))
        yield from _throughput(seen, makespan_ns)
        yield from _switches(seen)
    yield from _counters(seen)
    yield from _latencies(seen)
    yield from _memory(seen)
    yield from _failure(seen)


def _overheads(seen: Activity) -> pl.DataFrame:
    """Overheads of the tasks that count and of the runtime itself: kind, duration_ns, on_task."""
    if not isinstance(seen.bundle, Run):
        return pl.DataFrame(schema={"kind": pl.String, "duration_ns": pl.Int64, "on_task": pl.Boolean})
    rows = seen.bundle.frame("overheads").select("task_id", pl.col("kind").cast(pl.String), "duration_ns")
    counts = pl.col("task_id").is_null() | pl.col("task_id").is_in(seen.tasks["task_id"].to_list())
    on_task = pl.col("task_id").is_not_null() & ~pl.col("kind").is_in(list(OFF_TASK_OVERHEADS))
    return rows.filter(counts).select("kind", "duration_ns", on_task=on_task)


def _times(seen: Activity, overheads: pl.DataFrame) -> Iterator[Row]:
    running_ns = int(seen.running.select((pl.col("end_ns") - pl.col("start_ns")).sum()).item())
    on_task_ns, off_task_ns = (
        int(overheads.filter(pl.col("on_task") == on)["duration_ns"].sum()) for on in (True, False)
    )
    cpu_ns = running_ns + off_task_ns
    yield "running_time", "", running_ns
    yield "cpu_time", "", cpu_ns
    if overheads.is_empty():  # a recording does not tell overhead from work
        return
    yield "compute_time", "", running_ns - on_task_ns
    by_kind = dict(overheads.group_by("kind").agg(pl.col("duration_ns").sum()).iter_rows())
    for label, duration_ns in [*by_kind.items(), (TOTAL, on_task_ns + off_task_ns)]:
        yield "overhead_time", label, duration_ns
        if cpu_ns:
            yield "overhead_share", label, duration_ns / cpu_ns


def _utilization(seen: Activity, makespan_ns: int, cpus: Any) -> Iterator[Row]:
    if not isinstance(cpus, int) or cpus <= 0 or makespan_ns <= 0:
        return
    within = seen.busy.filter(pl.col("start_ns") < makespan_ns)
    busy_ns = int(within.select((pl.col("end_ns").clip(upper_bound=makespan_ns) - pl.col("start_ns")).sum()).item())
    if isinstance(seen.bundle, Run):
        charged = seen.bundle.frame("overheads").filter(
            (pl.col("task_id").is_null() | pl.col("kind").cast(pl.String).is_in(list(OFF_TASK_OVERHEADS)))
            & (pl.col("at_ns") < makespan_ns)
        )
        ends = (pl.col("at_ns") + pl.col("duration_ns")).clip(upper_bound=makespan_ns)
        busy_ns += int(charged.select((ends - pl.col("at_ns")).sum()).item())
    yield "utilization", "", busy_ns / (cpus * makespan_ns)


def _throughput(seen: Activity, makespan_ns: int) -> Iterator[Row]:
    counts = {"tasks_per_s": int(seen.tasks["end_ns"].count())}
    if isinstance(seen.bundle, Run):
        kinds = seen.own("operations")["kind"].cast(pl.String)
        counts |= {"messages_per_s": int((kinds == "recv").sum()), "requests_per_s": int((kinds == "request").sum())}
    for metric, count in counts.items():
        if count and makespan_ns > 0:
            yield metric, "", count * NS_PER_S / makespan_ns


def _switches(seen: Activity) -> Iterator[Row]:
    ended_here = pl.col("next_state").is_null() & (pl.col("end_ns") == pl.col("task_end_ns"))
    runs = seen.running.join(seen.tasks.select("task_id", task_end_ns="end_ns"), on="task_id", how="left")
    if runs.is_empty():
        return
    last_cpu = pl.when(pl.col("task_id") == pl.col("task_id").shift(1)).then(pl.col("cpu").shift(1))
    counted = runs.select(
        voluntary=(pl.col("next_state").is_in(["BLOCKED", "EXITED"]).fill_null(False) | ended_here).sum(),
        involuntary=(pl.col("next_state") == "RUNNABLE").sum(),
        migrations=(pl.col("cpu") != last_cpu).sum(),
        cpu_known=pl.col("cpu").is_not_null().sum(),
    ).row(0, named=True)
    for how in ("voluntary", "involuntary"):
        yield f"task_switches_{how}", "", counted[how]
        if not _kernel_counters(seen) and seen.bundle.meta.get("form") != "goroutine":
            yield f"context_switches_{how}", "", counted[how]
    if counted["cpu_known"]:
        yield "migrations", "", counted["migrations"]


def _kernel_counters(seen: Activity) -> dict[str, Any]:
    """A run's own counters. A run of the model `recorded` is the recording, which has none."""
    if seen.bundle.meta.get("model") == "recorded":
        return {}
    return dict(seen.bundle.meta.get("counters") or {})


def _counters(seen: Activity) -> Iterator[Row]:
    for name, count in _kernel_counters(seen).items():
        if name in METRICS and name != "migrations" and count is not None:
            yield name, "", count


def _latencies(seen: Activity) -> Iterator[Row]:
    delays_ns = run_queue_delays(seen)
    distributions = {
        "wakeup_latency": wakeup_latencies(seen),
        "preemption_latency": preemption_latencies(seen),
        "run_queue_delay": delays_ns,
    }
    for metric, ascending in distributions.items():
        for label, value in percentiles(ascending).items():
            yield metric, label, value
    if len(delays_ns):
        yield "run_queue_delay", TOTAL, int(delays_ns.sum())


def _failure(seen: Activity) -> Iterator[Row]:
    found = seen.bundle.meta.get("failure")
    if isinstance(found, dict):
        names = {"tasks_cut_off": "tasks_ended", "tasks_left_waiting": "tasks_waiting", "work_lost": "work_lost_ns",
                 "requests_lost": "requests_lost"}  # fmt: skip
        yield from ((metric, "", found[name]) for metric, name in names.items())
    changed = seen.bundle.meta.get("variables")
    if changed:
        yield "updates_lost", "", sum(variable["lost"] for variable in changed)


def _memory(seen: Activity) -> Iterator[Row]:
    if not isinstance(seen.bundle, Run):
        return
    memory = seen.bundle.frame("memory")
    for column in ("resident", "virtual"):
        peak = memory[f"{column}_bytes"].max()
        if isinstance(peak, int):
            yield f"peak_{column}", "", peak
