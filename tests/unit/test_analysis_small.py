"""Each analysis on a trace small enough to work out by hand.

One column is 10 ns; R is RUNNING, q is RUNNABLE, b is BLOCKED, N is NEW.

    ns      0    50   100  150  200
            |    |    |    |    |
    A  cpu  00000000      0000        waits for B from 80 to 130, queued to 140; ends at 180
            RRRRRRRRbbbbbqRRRR
    B  cpu     111111111111           made by A at 20, preempted never, wakes A at 130, ends at 150
              qRRRRRRRRRRRR
    C  cpu  11          00            a timer wakes it at 100; K has CPU 0 until 120; preempted by A at 140; ends at 190
            RRbbbbbbbbqqRRqqqqR
    K  cpu          0000              a kernel thread
                    RRRR
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs import free_profile, program
from tracekit.analysis.blame import blame
from tracekit.analysis.catalog import ANALYSES, analyze, find_tasks
from tracekit.analysis.collector import covered, gc
from tracekit.analysis.critical_path import critical_path
from tracekit.analysis.failure import failure
from tracekit.analysis.history import History, history
from tracekit.analysis.leaks import leaks
from tracekit.analysis.memory import memory
from tracekit.analysis.queues import _binned, queues
from tracekit.analysis.races.of_run import races
from tracekit.analysis.tasks import tasks
from tracekit.engine.replay import replay
from tracekit.errors import UsageError
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import ensure

A, B, C, K = range(4)
INTERVALS = [
    # task, cpu, state, start, end, reason
    (A, 0, "RUNNING", 0, 80, None),
    (C, 1, "RUNNING", 0, 20, None),
    (B, 1, "RUNNABLE", 20, 30, "spawn"),
    (C, None, "BLOCKED", 20, 100, "sleep"),
    (B, 1, "RUNNING", 30, 150, None),
    (A, None, "BLOCKED", 80, 130, "channel_recv"),
    (K, 0, "RUNNING", 80, 120, None),
    (C, 0, "RUNNABLE", 100, 120, "wakeup"),
    (C, 0, "RUNNING", 120, 140, None),
    (A, 0, "RUNNABLE", 130, 140, "wakeup"),
    (A, 0, "RUNNING", 140, 180, None),
    (C, 0, "RUNNABLE", 140, 180, "preempted"),
    (C, 0, "RUNNING", 180, 190, None),
]
WAKEUPS = [(20, A, B, "spawn"), (100, None, C, "sleep"), (130, B, A, "channel_recv")]
ENDS = [180, 150, 190, None]


def trace(intervals: list[Any] = INTERVALS, wakeups: list[Any] = WAKEUPS, ends: list[Any] = ENDS, **more: Any) -> Trace:
    columns = list(zip(*intervals, strict=True))
    task, cpu, state, start, end, reason = (list(column) for column in columns)
    woken = [list(column) for column in zip(*wakeups, strict=True)] or [[], [], [], []]
    names = [f"task {letter}" for letter in "ABCDEFGH"[: len(ends)]]
    made = Trace({
        "tasks": table("tasks", {
            "task_id": list(range(len(ends))), "name": names, "process_id": [0] * len(ends), "source_id": [100 + i for i in range(len(ends))],
            "kind": ["thread" if i != K else "kernel" for i in range(len(ends))], "end_ns": ends, "start_ns": [0] * len(ends),
            **more,
        }),
        "intervals": table("intervals", {
            "task_id": task, "cpu": cpu, "state": state, "start_ns": start, "end_ns": end, "reason": reason}),
        "wakeups": table("wakeups", {"at_ns": woken[0], "waker_id": woken[1], "wakee_id": woken[2], "reason": woken[3]}),
        "gaps": empty("gaps"),
    }, {"cpus": 2, "form": "thread", "end_ns": max(end)})  # fmt: skip
    ensure(made)
    return made


@pytest.fixture(scope="module")
def seen() -> History:
    return history(trace())


def rows(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return frame.select(columns).rows()


def test_tasks(seen: History) -> None:
    found = {row["task_id"]: row for row in tasks(seen).tables["tasks"].rows.iter_rows(named=True)}
    assert list(found) == [A, B, C]  # by run time; the kernel's own do not count
    a, c = found[A], found[C]
    assert (a["running_ns"], a["runnable_ns"], a["blocked_ns"]) == (120, 10, 50)
    assert (a["voluntary"], a["involuntary"], a["wakeups"], a["wakeup_max_ns"]) == (2, 0, 1, 10)
    assert (c["voluntary"], c["involuntary"], c["preemptions"], c["preemption_mean_ns"]) == (2, 1, 1, 40)
    assert (c["wakeup_mean_ns"], c["queue_waits"], c["queue_mean_ns"], c["queue_max_ns"]) == (20, 2, 30, 40)


def test_blocked_by_reason(seen: History) -> None:
    assert rows(tasks(seen).tables["blocked"].rows, "task_id", "reason", "blocked_ns", "times") == [
        (C, "sleep", 80, 1), (A, "channel_recv", 50, 1),
    ]  # fmt: skip


def test_blame_for_the_queue_is_whoever_ran(seen: History) -> None:
    queued = blame(seen).tables["queued"].rows
    assert rows(queued, "waiter_id", "runner_id", "runnable_ns", "waits") == [
        (C, A, 40, 1), (C, K, 20, 1), (A, C, 10, 1), (B, None, 10, 1),
    ]  # fmt: skip


def test_blame_for_a_wait_is_whoever_ended_it(seen: History) -> None:
    blocked = blame(seen).tables["blocked"].rows
    assert rows(blocked, "waiter_id", "waker_id", "waker", "reason", "blocked_ns") == [
        (C, None, "a timer or the outside", "sleep", 80), (A, B, "task B", "channel_recv", 50),
    ]  # fmt: skip


def test_a_chain_of_wakers() -> None:
    """A waits for B, B meanwhile for C, and C for a timer."""
    waits = [(A, None, "BLOCKED", 0, 90, "lock"), (B, None, "BLOCKED", 0, 60, "event"), (C, None, "BLOCKED", 0, 30, "sleep"),
             (C, 0, "RUNNING", 30, 70, None), (B, 1, "RUNNING", 60, 100, None), (A, 0, "RUNNING", 90, 100, None)]  # fmt: skip
    woken = [(30, None, C, "sleep"), (60, C, B, "event"), (90, B, A, "lock")]
    chains = blame(history(trace(waits, woken, [100, 100, 100]))).tables["chains"].rows
    assert rows(chains, "waiter_id", "chain", "blocked_ns") == [
        (A, "task A ← task B ← task C ← a timer or the outside", 90)
    ]


def test_critical_path_through_holders_and_wakers(seen: History) -> None:
    """From C's end: A held the CPU, before A C did, before C K; what K waited for is not recorded."""
    found = critical_path(seen)
    assert rows(found.tables["segments"].rows, "task_id", "kind", "start_ns", "duration_ns", "then") == [
        (K, "before", 0, 80, "goes on"), (K, "compute", 80, 40, "gives up the CPU to"),
        (C, "compute", 120, 20, "gives up the CPU to"), (A, "compute", 140, 40, "gives up the CPU to"),
        (C, "compute", 180, 10, ""),
    ]  # fmt: skip
    assert found.facts["end_ns"] == 190


def test_critical_path_stays_with_a_task_that_one_from_outside_cuts_in_on() -> None:
    # A runs from 0, K comes from outside at 50 and has the CPU until 70, A goes on to 100
    cut = [(A, 0, "RUNNING", 0, 50, None), (A, 0, "RUNNABLE", 50, 70, "preempted"), (K, 0, "RUNNING", 50, 70, None),
           (A, 0, "RUNNING", 70, 100, None)]  # fmt: skip
    rows = critical_path(history(trace(cut, [], [100, None, None, None]))).tables["segments"].rows
    assert rows.select("task", "kind", "start_ns", "duration_ns").rows() == [
        ("task A", "compute", 0, 50), ("task A", "queue", 50, 20), ("task A", "compute", 70, 30),
    ]  # fmt: skip


def test_critical_path_of_one_task(seen: History) -> None:
    """B's end: its own work, a moment without anybody on CPU 1, and A's work until it made B."""
    found = critical_path(seen, B).tables["segments"].rows
    assert rows(found, "task_id", "kind", "start_ns", "duration_ns", "then") == [
        (A, "compute", 0, 20, "wakes"), (B, "queue", 20, 10, "goes on"), (B, "compute", 30, 120, ""),
    ]  # fmt: skip


def test_slack_is_what_is_left_until_it_would_matter() -> None:
    """Two workers in parallel and a third that waits for both: the shorter one could take 30 ns longer."""
    parallel = [(A, 0, "RUNNING", 0, 50, None), (B, 1, "RUNNING", 0, 80, None), (C, None, "BLOCKED", 0, 80, "wait_group"),
                (C, 0, "RUNNING", 80, 100, None)]  # fmt: skip
    slack = critical_path(history(trace(parallel, [(80, B, C, "wait_group")], [50, 80, 100]))).tables["slack"].rows
    assert rows(slack, "task_id", "least_slack_ns", "without_slack_ns", "running_ns") == [
        (B, 0, 80, 80), (C, 0, 20, 20), (A, 30, 0, 50),
    ]  # fmt: skip


def test_queues(seen: History) -> None:
    found = queues(seen, bins=19)
    assert rows(found.tables["queues"].rows, "cpu", "most", "not_empty_ns") == [(0, 1, 70), (1, 1, 10)]
    levels = found.tables["levels"].rows.filter(pl.col("what") == "running")
    # A and C to 20; A to 30; A and B to 80; B to 120; B and C to 140; A and B to 150; A to 180; C to 190
    assert rows(levels, "level", "time_ns") == [(1, 90), (2, 100)]
    over = found.tables["over_time"].rows.filter((pl.col("what") == "running") & (pl.col("start_ns") == 20))
    assert rows(over, "mean", "most") == [(1.0, 1)]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=30))
def test_bins_of_one_count_what_is_open(spans: list[tuple[int, int]]) -> None:
    starts = np.sort(np.array([start for start, _ in spans], np.int64))
    ends = np.sort(np.array([start + length for start, length in spans], np.int64))
    area, highest, spread = _binned(starts, ends, 1, 75, 75)
    open_at = [sum(start <= at < start + length for start, length in spans) for at in range(75)]
    assert area.tolist() == highest.tolist() == open_at
    assert spread[: len(spans) + 1].tolist() == [open_at.count(level) for level in range(len(spans) + 1)]


def test_a_task_asleep_for_good_while_others_go_on_has_leaked() -> None:
    asleep = [(A, 0, "RUNNING", 0, 20, None), (B, 1, "RUNNING", 0, 20, None), (A, 0, "RUNNING", 20, 100, None),
              (B, None, "BLOCKED", 20, 100, "channel_recv"), (C, None, "BLOCKED", 20, 100, "sleep")]  # fmt: skip
    found = leaks(history(trace(asleep, [], [None, None, None], kind=["goroutine"] * 3)))
    assert rows(found.tables["asleep"].rows, "task_id", "verdict", "since_ns") == [
        (B, "leaked", 20),
        (C, "may wake", 20),
    ]
    assert found.facts["leaked"] == 1 and found.notes


def test_what_threads_wait_for_at_the_end_may_come_from_outside_or_time_out() -> None:
    asleep = [(A, 0, "RUNNING", 0, 100, None), (B, 1, "RUNNING", 0, 20, None), (B, None, "BLOCKED", 20, 100, "lock")]
    found = leaks(history(trace(asleep, [], [None, None])))
    assert rows(found.tables["asleep"].rows, "task_id", "verdict") == [(B, "may wake")]


def test_deadlock_of_a_run_names_all_who_sleep() -> None:
    stuck = program(
        {"a": [("lock", "m"), ("compute", 10), ("lock", "n")], "b": [("lock", "n"), ("compute", 10), ("lock", "m")]},
        {"m": ("mutex", None), "n": ("mutex", None)},
    )
    run = replay(stuck, "thread", cpus=2, profile=free_profile())
    found = leaks(history(run))
    assert found.facts["deadlock"] == "yes"
    assert rows(found.tables["asleep"].rows, "task", "verdict", "reason") == [
        ("a", "deadlock", "lock"),
        ("b", "deadlock", "lock"),
    ]


def test_time_within_spans_that_overlap_counts_once() -> None:
    spans = pl.DataFrame({"start_ns": [10, 15, 40], "end_ns": [20, 30, 50]})
    starts, ends = np.array([0, 12, 30, 45, 60]), np.array([100, 16, 40, 47, 70])
    assert covered(starts, ends, spans).tolist() == [30, 4, 0, 2, 0]


def test_what_collection_costs() -> None:
    made = trace()
    made.tables["ranges"] = table("ranges", {
        "range_id": [0, 1, 2], "kind": ["stop_the_world", "gc", "mark_assist"], "name": ["GC sweep termination", None, None],
        "task_id": [None, None, A], "start_ns": [10, 20, 40], "end_ns": [15, 60, 50],
    })  # fmt: skip
    found = gc(history(made))
    assert (found.facts["collections"], found.facts["stopped_ns"], found.facts["assists_ns"]) == (1, 5, 10)
    assert rows(found.tables["tasks"].rows, "task_id", "paid_ns", "assist_ns", "stopped_ns") == [
        (A, 15, 10, 5),
        (C, 5, 0, 5),
    ]
    assert rows(found.tables["cycles"].rows, "duration_ns", "assists_ns") == [(40, 10)]


def test_a_crash_and_what_it_took_with_it() -> None:
    crashed = [(A, 0, "RUNNING", 0, 50, None), (B, 1, "RUNNING", 0, 50, None), (C, None, "BLOCKED", 0, 100, "lock")]
    how = {"exit_reason": ["crash", "killed", None]}
    found = failure(history(trace(crashed, [], [50, 50, None], **how)))
    assert rows(
        found.tables["crashes"].rows, "task_id", "at_ns", "ended_with_it", "of_them_with_work_left", "left_waiting"
    ) == [(A, 50, 1, 1, 1)]
    assert rows(found.tables["lost"].rows, "task_id", "what") == [(C, "left waiting"), (B, "killed")]


RACING = program(
    {
        "main": [("spawn", "a"), ("spawn", "b"), ("join", "a"), ("join", "b"), ("read", "x")],
        **{name: [("read", "x"), ("compute", wait), ("write", "x", 1), ("lock", "m"), ("read", "y"), ("write", "y", 1),
                  ("unlock", "m")] for name, wait in (("a", 100), ("b", 120))},
    },
    {"m": ("mutex", None), "x": ("variable", None), "y": ("variable", None)},
)  # fmt: skip


@pytest.mark.parametrize("form", ["thread", "goroutine"])
def test_races_of_a_run_and_none_where_a_lock_or_a_join_orders(form: str) -> None:
    """x is read and written by both without the lock; y under it; main reads x after it has joined both."""
    found = races(history(replay(RACING, form, cpus=2, profile=free_profile())))
    pairs = rows(found.tables["races"].rows, "variable", "first_task", "first_access", "second_task", "second_access")
    assert pairs == [("object 1", "b", "read", "a", "write"), ("object 1", "a", "write", "b", "write")]
    assert rows(found.tables["values"].rows, "variable", "asked", "value", "lost") == [("x", 2, 1, 1), ("y", 2, 2, 0)]


def test_processes_do_not_race_but_do_not_see_one_another_either() -> None:
    found = races(history(replay(RACING, "process", cpus=2, profile=free_profile())))
    assert found.facts["races"] == 0 and found.notes
    assert ("x", "a", 1) in found.tables["copies"].rows.rows() and ("x", "main", 0) in found.tables[
        "copies"
    ].rows.rows()


def test_a_pipe_between_threads_has_room_and_orders_less_than_a_channel_without() -> None:
    """b's write comes after a's send in time; a channel without room makes a wait for b's receive, a pipe does not."""
    steps = {
        "a": [("send", "c", 1), ("compute", 900), ("write", "x", 1)],
        "b": [("compute", 300), ("write", "x", 1), ("recv", "c")],
    }
    work = program(steps, {"c": ("channel", 0), "x": ("variable", None)})
    by_form = {form: replay(work, form, cpus=2, profile=free_profile()) for form in ("thread", "goroutine")}
    assert {form: races(history(run)).facts["races"] for form, run in by_form.items()} == {"thread": 1, "goroutine": 0}


@pytest.mark.parametrize(("closes", "found"), [("send", 0), ("close", 0), ("request", 1)])
def test_a_close_orders_what_is_before_it_with_what_is_after_the_receives_that_it_ends(closes: str, found: int) -> None:
    last = {"send": ("send", "c", 1), "close": ("close", "c"), "request": ("request",)}[closes]
    steps = {
        "a": [("write", "x", 1), last, ("compute", 900)],
        "b": [*[("recv", "c")] * (closes != "request"), ("compute", 300), ("read", "x")],
    }
    run = replay(program(steps, {"c": ("channel", 0), "x": ("variable", None)}), "goroutine", cpus=2,
                 profile=free_profile())  # fmt: skip
    assert races(history(run)).facts["races"] == found


def test_what_a_recording_does_not_hold_is_said_in_one_line(seen: History) -> None:
    for lacking in (gc, memory, races, failure):
        found = lacking(seen)
        assert len(found.missing) == 1 and "\n" not in found.missing[0]


def test_one_task_is_found_by_name_or_id() -> None:
    made = trace()
    assert find_tasks(made, "task B") == find_tasks(made, "101") == [B]
    assert analyze(made, "critical-path", task="task B").facts["end_ns"] == 150
    assert set(analyze(made, "blame", task="101").tables["queued"].rows["waiter_id"]) == {B}
    with pytest.raises(UsageError, match="no task"):
        find_tasks(made, "task X")
    with pytest.raises(UsageError, match="no analysis"):
        analyze(made, "blme")


@pytest.mark.parametrize("what", ANALYSES)
def test_a_trace_without_a_row_can_be_asked_anything(what: str) -> None:
    nothing = Trace({name: empty(name) for name in ("tasks", "intervals", "wakeups", "gaps")}, {})
    assert analyze(nothing, what).what == what


def test_goroutines_wait_in_local_queues_or_in_the_global_one() -> None:
    # one P: b and a are made at 0; a, the last, runs first (runnext), and b waits in the local queue to 1 ms. Then a
    # yields and waits in the global one, and at 2 ms b does, both for 1 ms
    steps = [("compute", 1_000_000), ("yield",), ("compute", 1_000_000)]
    work = program({"m": [("spawn", "b"), ("spawn", "a")], "a": steps, "b": steps})
    run = replay(work, "goroutine", cpus=1, profile=free_profile(), parameters={"goroutine.sysmon_ns": 0})
    together = queues(history(run)).tables["parallelism"].rows.filter(pl.col("what").str.contains("queue"))
    assert rows(together, "what", "most", "not_empty_ns") == [
        ("local_queues", 1, 1_000_000),
        ("global_queue", 1, 2_000_000),
    ]
