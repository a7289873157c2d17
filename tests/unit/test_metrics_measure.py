"""Metrics on one bundle small enough to work out by hand, and laws on generated ones.

The hand-made schedule: two CPUs, tasks A (0) and B (1) of a process, K (2) a kernel thread. One column is 10 ns;
R is RUNNING, q is RUNNABLE, b is BLOCKED.

    ns      0    50   100  150  200  250
            |    |    |    |    |    |
    A  cpu  000000          1111
            RRRRRRbbbbbbqqqqRRRR            woken at 120 by B, ends at 200
    B  cpu    1111  00  1111
            qqRRRRqqRRbbRRRR                preempted at 60, blocks at 100, woken at 120 by a timer, ends at 160
    K  cpu                        11111
                                  RRRRR     after the makespan

B's RUNNABLE wait from 60 to 80 is two rows (it is moved from one queue to another at 70): one period.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.metrics.activity import activity, runnable_periods
from tracekit.metrics.catalog import METRICS, PERCENTILES
from tracekit.metrics.latency import percentiles, wakeup_latencies
from tracekit.metrics.measure import measure
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Run, Trace

INTERVALS = [
    # task, cpu, state, start, end, reason
    (0, 0, "RUNNING", 0, 60, None),
    (1, 1, "RUNNABLE", 0, 20, "spawn"),
    (1, 1, "RUNNING", 20, 60, None),
    (0, None, "BLOCKED", 60, 120, "lock"),
    (1, 1, "RUNNABLE", 60, 70, "preempted"),
    (1, 0, "RUNNABLE", 70, 80, "preempted"),
    (1, 0, "RUNNING", 80, 100, None),
    (1, None, "BLOCKED", 100, 120, "sleep"),
    (0, 1, "RUNNABLE", 120, 160, "wakeup"),
    (1, 1, "RUNNING", 120, 160, None),
    (0, 1, "RUNNING", 160, 200, None),
    (2, 1, "RUNNING", 220, 270, None),
]
WAKEUPS = [(0, None, 1), (120, None, 1), (120, 1, 0), (130, 1, 0)]  # at, waker, wakee; the last wakes no one
OVERHEADS = [  # at, task, cpu, kind, duration
    (20, 1, 1, "switch", 4),
    (80, 1, 0, "switch", 6),
    (90, 1, 0, "sync", 3),
    (200, None, 1, "runtime", 5),
    (155, 0, 1, "idle_exit", 2),
    (230, 2, 1, "switch", 100),
]
OPERATIONS = [(90, 1, "recv"), (130, 1, "recv"), (190, 0, "request"), (250, 2, "recv")]
COUNTERS = {"context_switches_voluntary": 7, "steals": 3, "handoffs": 0, "threads": None, "migrations": 99}


def trace_tables() -> dict[str, Any]:
    by_column = dict(
        zip(("task_id", "cpu", "state", "start_ns", "end_ns", "reason"), zip(*INTERVALS, strict=True), strict=True)
    )
    at, waker, wakee = zip(*WAKEUPS, strict=True)
    tasks = {
        "task_id": [0, 1, 2],
        "name": ["A", "B", "K"],
        "kind": ["process", "process", "kernel"],
        "end_ns": [200, 160, None],
    }
    return {
        "tasks": table("tasks", tasks),
        "intervals": table("intervals", {name: list(values) for name, values in by_column.items()}),
        "wakeups": table("wakeups", {"at_ns": list(at), "waker_id": list(waker), "wakee_id": list(wakee)}),
        "gaps": empty("gaps"),
    }


def small_trace() -> Trace:
    return Trace(trace_tables(), {"cpus": 2, "form": "process"})


def small_run(**meta: Any) -> Run:
    at, task, cpu, kind, duration = (list(column) for column in zip(*OVERHEADS, strict=True))
    operation_at, operation_task, operation = (list(column) for column in zip(*OPERATIONS, strict=True))
    extra = {
        "overheads": table(
            "overheads", {"at_ns": at, "task_id": task, "cpu": cpu, "kind": kind, "duration_ns": duration}
        ),
        "memory": table(
            "memory", {"at_ns": [0, 50, 150], "resident_bytes": [10, 40, 20], "virtual_bytes": [100, 200, 900]}
        ),
        "operations": table(
            "operations",
            {"at_ns": operation_at, "task_id": operation_task, "kind": operation, "ordinal": [0] * len(operation_at)},
        ),
    }
    return Run(trace_tables() | extra, {"model": "process", "form": "process", "cpus": 2, "counters": COUNTERS} | meta)


def values(frame: pl.DataFrame) -> dict[tuple[str, str], float]:
    return {(metric, label): value for metric, label, value, _ in frame.iter_rows()}


def test_trace_metrics_by_hand() -> None:
    found = values(measure(small_trace()))
    assert found == {
        ("makespan", ""): 200,  # A ends; K's later run does not count
        ("running_time", ""): 200,  # A 60 + 40, B 40 + 20 + 40
        ("cpu_time", ""): 200,  # a recording charges nothing beside it
        ("utilization", ""): 200 / 400,
        ("tasks_per_s", ""): 2 * 1e9 / 200,
        ("context_switches_voluntary", ""): 4,  # A at 60 and its end, B at 100 and its end
        ("context_switches_involuntary", ""): 1,  # B at 60
        ("task_switches_voluntary", ""): 4,
        ("task_switches_involuntary", ""): 1,
        ("migrations", ""): 3,  # A 0→1, B 1→0→1
        # wakeups that wait: B at 0 → 20, B at 120 → 120, A at 120 → 160: 0, 20, 40
        ("wakeup_latency", "p50"): 20,
        **{("wakeup_latency", level): 40 for level in ("p90", "p99", "p99.9", "max")},
        **{("preemption_latency", level): 20 for level in PERCENTILES},  # B 60 → 80
        # periods: B 0–20, B 60–80, A 120–160
        ("run_queue_delay", "p50"): 20,
        **{("run_queue_delay", level): 40 for level in ("p90", "p99", "p99.9", "max")},
        ("run_queue_delay", "total"): 80,
    }


def test_run_adds_overheads_operations_memory_and_counters() -> None:
    found = values(measure(small_run()))
    cpu_ns = 200 + 5 + 2  # RUNNING, the runtime's own work, the idle exit
    assert found["cpu_time", ""] == cpu_ns
    assert found["compute_time", ""] == 200 - 13  # switch 10 and sync 3 are within RUNNING
    overhead = {label: value for (metric, label), value in found.items() if metric == "overhead_time"}
    assert overhead == {"total": 20, "switch": 10, "sync": 3, "runtime": 5, "idle_exit": 2}  # not K's 100
    assert found["overhead_share", "total"] == 20 / cpu_ns
    assert found["utilization", ""] == (200 + 2) / 400  # the runtime's 5 ns come after the makespan
    assert found["messages_per_s", ""] == 2 * 1e9 / 200
    assert found["requests_per_s", ""] == 1 * 1e9 / 200
    assert (found["peak_resident", ""], found["peak_virtual", ""]) == (40, 900)


def test_counters_go_before_intervals_and_unknown_stays_absent() -> None:
    found = values(measure(small_run()))
    assert found["context_switches_voluntary", ""] == 7
    assert found["task_switches_voluntary", ""] == 4
    assert (found["steals", ""], found["handoffs", ""]) == (3, 0)  # a counted zero is shown
    assert ("threads", "") not in found  # not known
    assert found["migrations", ""] == 3  # always from the intervals


def test_goroutine_switches_are_not_the_kernels() -> None:
    found = values(measure(small_run(form="goroutine", counters={})))
    assert found["task_switches_voluntary", ""] == 4
    assert ("context_switches_voluntary", "") not in found


def test_recorded_run_measures_as_its_trace() -> None:
    trace = small_trace()
    extra = {name: empty(name) for name in ("overheads", "memory", "operations")}
    meta = trace.meta | {"model": "recorded", "counters": {"steals": 0, "context_switches_voluntary": 1}}
    assert measure(Run(trace.tables | extra, meta)).equals(measure(trace))


def test_cpus_and_tasks_can_be_chosen() -> None:
    assert values(measure(small_trace(), cpus=4))["utilization", ""] == 0.25
    only_b = values(measure(small_trace(), tasks=[1]))
    assert (only_b["makespan", ""], only_b["running_time", ""], only_b["migrations", ""]) == (160, 100, 2)


def test_unknown_cpus_leave_utilization_out() -> None:
    trace = Trace(trace_tables(), {})
    assert ("utilization", "") not in values(measure(trace))


def test_empty_bundle_has_no_metrics() -> None:
    trace = Trace({name: empty(name) for name in ("tasks", "intervals", "wakeups", "gaps")}, {"cpus": 2})
    assert measure(trace).is_empty()
    assert measure(trace).columns == ["metric", "label", "value", "unit"]


def test_order_of_interval_rows_does_not_matter() -> None:
    tables = trace_tables()
    shuffled = tables | {"intervals": tables["intervals"].take([11, 3, 7, 0, 5, 1, 9, 10, 2, 4, 8, 6])}
    assert measure(Trace(shuffled, {"cpus": 2})).equals(measure(Trace(tables, {"cpus": 2})))


def test_wakeup_of_a_running_task_is_no_wait() -> None:
    tables = trace_tables() | {"wakeups": table("wakeups", {"at_ns": [30, 130], "wakee_id": [0, 1]})}
    assert wakeup_latencies(activity(Trace(tables, {}))).to_list() == []


def test_a_queue_move_does_not_split_a_period() -> None:
    periods = runnable_periods(activity(small_trace()))
    assert periods.select("task_id", "start_ns", "duration_ns").rows() == [(0, 120, 40), (1, 0, 20), (1, 60, 20)]


@pytest.mark.parametrize(
    ("ascending", "expected"),
    [
        ([7], [7, 7, 7, 7, 7]),
        (list(range(1, 11)), [5, 9, 10, 10, 10]),
        (list(range(1, 1001)), [500, 900, 990, 999, 1000]),
        (list(range(1, 2002)), [1001, 1801, 1981, 1999, 2001]),  # ⌈2001·0.999⌉ = 1999
    ],
)
def test_percentiles_are_nearest_rank(ascending: list[int], expected: list[int]) -> None:
    assert list(percentiles(pl.Series(ascending)).values()) == expected


def test_every_row_is_in_the_catalog() -> None:
    for metric, label, _, unit in measure(small_run()).iter_rows():
        assert label in METRICS[metric].labels
        assert unit == METRICS[metric].unit
        assert set(METRICS[metric].key) <= set(METRICS[metric].labels)


@st.composite
def schedules(draw: st.DrawFn) -> Run:
    """A valid schedule: CPUs run tasks in turn; a task waits RUNNABLE or BLOCKED between its runs."""
    cpus, tasks = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    cpu_free, task_free, state = [0] * cpus, [0] * tasks, ["NEW"] * tasks
    rows: list[tuple[Any, ...]] = []
    overheads, wakeups = [], []
    for _ in range(draw(st.integers(1, 25))):
        task, cpu = draw(st.integers(0, tasks - 1)), draw(st.integers(0, cpus - 1))
        start = max(cpu_free[cpu], task_free[task]) + draw(st.integers(0, 3))
        end = start + draw(st.integers(1, 50))
        if start > task_free[task] and state[task] != "NEW":
            rows.append((task, None, state[task], task_free[task], start, "preempted"))
        if state[task] == "BLOCKED":
            wakeups.append((start, task))
        rows.append((task, cpu, "RUNNING", start, end, None))
        overheads.append(
            (start, task, cpu, draw(st.sampled_from(["switch", "sync"])), draw(st.integers(0, end - start)))
        )
        cpu_free[cpu] = task_free[task] = end
        state[task] = draw(st.sampled_from(["RUNNABLE", "BLOCKED"]))
    rows.sort(key=lambda row: (row[3], row[0]))
    names = ("task_id", "cpu", "state", "start_ns", "end_ns", "reason")
    tables = {
        "tasks": table("tasks", {"task_id": list(range(tasks)), "name": ["t"] * tasks}),
        "intervals": table("intervals", dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))),
        "wakeups": table("wakeups", {"at_ns": [w[0] for w in wakeups], "wakee_id": [w[1] for w in wakeups]}),
        "overheads": table(
            "overheads",
            dict(
                zip(
                    ("at_ns", "task_id", "cpu", "kind", "duration_ns"),
                    map(list, zip(*overheads, strict=True)),
                    strict=True,
                )
            ),
        ),
        **{name: empty(name) for name in ("gaps", "memory", "operations")},
    }
    return Run(tables, {"model": "thread", "form": "thread", "cpus": cpus})


@settings(max_examples=60)
@given(schedules())
def test_laws(run: Run) -> None:
    found = values(measure(run))
    intervals = run.frame("intervals").with_columns(duration=pl.col("end_ns") - pl.col("start_ns"))
    by_state = dict(intervals.group_by(pl.col("state").cast(pl.String)).agg(pl.col("duration").sum()).iter_rows())
    assert found["running_time", ""] == by_state["RUNNING"]
    assert found.get(("run_queue_delay", "total"), 0) == by_state.get("RUNNABLE", 0)
    shares = [value for (metric, _), value in found.items() if METRICS[metric].unit == "1"]
    assert all(0 <= share <= 1 for share in shares)
    assert found["compute_time", ""] + found["overhead_time", "total"] == found["cpu_time", ""]
    for metric in ("wakeup_latency", "preemption_latency", "run_queue_delay"):
        levels = [found[metric, level] for level in PERCENTILES if (metric, level) in found]
        assert levels == sorted(levels)
        assert all(level >= 0 for level in levels)
    runs = intervals.filter(pl.col("state") == "RUNNING").height
    assert found["task_switches_voluntary", ""] + found["task_switches_involuntary", ""] <= runs
    assert found["migrations", ""] < runs
