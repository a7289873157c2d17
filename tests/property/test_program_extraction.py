"""Laws of extraction on recordings of any kind, consistent or not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.program_text import trace_of
from tracekit.machine.profile import FormCosts
from tracekit.program.check import check
from tracekit.program.extract import extract
from tracekit.program.normal_form import normal_form
from tracekit.tables.bundle import Program, Trace

STATES = ("RUNNING", "RUNNING", "RUNNABLE", "BLOCKED", "BLOCKED", "UNKNOWN")
BLOCKED_BY = (None, "sleep", "io", "network", "syscall", "lock", "uninterruptible")


@st.composite
def recordings(draw: st.DrawFn) -> Trace:
    """Tasks in any states at any time, woken by anyone: also by who slept, had not begun, or had ended.

    Times are multiples of a coarse step, so that many things happen in the very same nanosecond.
    """
    count = draw(st.integers(1, 4))
    step = draw(st.sampled_from([1, 10, 7000, 30_000]))
    tasks, intervals, wakeups = [], [], []
    for number in range(count):
        now = start = draw(st.integers(0, 3)) * step
        parent = draw(st.none() | st.integers(0, count - 1))
        kind = draw(st.sampled_from(["process", "thread", "goroutine", "kernel"]))
        states = draw(st.lists(st.tuples(st.sampled_from(STATES), st.integers(1, 2)), max_size=7))
        first = ["NEW"] if parent is not None and draw(st.booleans()) else []
        for state, length in [(state, 1) for state in first] + states:
            end = now + length * step
            reason = draw(st.sampled_from(BLOCKED_BY)) if state == "BLOCKED" else None
            if state == "RUNNABLE":
                reason = draw(st.sampled_from(["wakeup", "preempted", "spawn"]))
            row = {"task_id": number, "cpu": number, "state": state, "start_ns": now, "end_ns": end, "reason": reason}
            intervals.append(row)
            if draw(st.integers(0, 3)):
                at = end if state != "RUNNABLE" else now
                waker = draw(st.none() | st.integers(0, count - 1))
                wakeups.append({"at_ns": at, "waker_id": waker, "wakee_id": number, "reason": reason})
            now = end
        tasks.append({"task_id": number, "name": f"t{number}", "kind": kind, "parent_id": parent, "start_ns": start,
                      "end_ns": now if draw(st.booleans()) else None})  # fmt: skip
    return trace_of(tasks, intervals, draw(st.permutations(wakeups)))


costs = st.builds(FormCosts, *[st.sampled_from([0, 3, 900, 50_000])] * 5)


def compute_by_task(program: Program) -> dict[int, int]:
    segments = program.frame("segments").filter(pl.col("kind") == "compute")
    return dict(segments.group_by("task_id").agg(pl.col("duration_ns").sum()).rows())


def running_by_task(recording: Trace) -> Counter[int]:
    """RUNNING time, and Go system calls below 20 µs that the task came back from without queueing."""
    kinds = dict(recording.frame("tasks").select("task_id", pl.col("kind").cast(pl.String)).rows())
    total: Counter[int] = Counter()
    rows = recording.frame("intervals").sort("task_id", "start_ns").with_columns(
        pl.col("state", "reason").cast(pl.String), following=pl.col("state").cast(pl.String).shift(-1).over("task_id")
    )  # fmt: skip
    for row in rows.rows(named=True):
        lasted = row["end_ns"] - row["start_ns"]
        in_call = row["state"] == "BLOCKED" and row["reason"] == "syscall" and kinds[row["task_id"]] == "goroutine"
        if row["state"] == "RUNNING" or (in_call and lasted < 20_000 and row["following"] == "RUNNING"):
            total[row["task_id"]] += lasted
    return total


@settings(max_examples=300)
@given(recordings(), costs, st.sampled_from(["closed", "open"]))
def test_computing_is_conserved_and_never_negative(recording: Trace, form: FormCosts, arrivals: str) -> None:
    whole = extract(recording, arrivals=arrivals)
    reduced = extract(recording, costs=form, arrivals=arrivals)
    assert compute_by_task(whole) == +running_by_task(recording)
    removed = sum(reduced.meta["removed_ns"].values())
    assert sum(compute_by_task(reduced).values()) + removed == sum(compute_by_task(whole).values())
    assert (reduced.frame("segments").filter(pl.col("kind") == "compute")["duration_ns"] > 0).all()
    # costs change nothing else
    steps = [p.frame("segments").filter(pl.col("kind") != "compute").drop("ordinal") for p in (whole, reduced)]
    assert steps[0].equals(steps[1])


@settings(max_examples=300)
@given(recordings())
def test_every_wait_has_one_signal_and_nothing_deadlocks(recording: Trace) -> None:
    program = extract(recording)
    check(program)
    segments = program.frame("segments").with_columns(pl.col("kind").cast(pl.String))
    for kind in ("wait", "signal"):
        used = segments.filter(pl.col("kind") == kind)["object_id"]
        assert sorted(used) == list(range(program.tables["objects"].num_rows))
    assert unfinished(program) == []


@settings(max_examples=100)
@given(recordings(), costs)
def test_it_is_in_normal_form(recording: Trace, form: FormCosts) -> None:
    program = extract(recording, costs=form)
    assert normal_form(program).tables["segments"].equals(program.tables["segments"])
    assert 0.0 <= program.meta["coverage"] <= 1.0


def unfinished(program: Program) -> list[int]:
    """Run the program without time: every task as far as it gets, until none gets further. Who is left?"""
    steps: dict[int, list[dict[str, Any]]] = {}
    for row in program.frame("segments").with_columns(pl.col("kind").cast(pl.String)).rows(named=True):
        steps.setdefault(row["task_id"], []).append(row)
    tasks = program.frame("tasks")
    started = set(tasks.filter(pl.col("start_ns").is_not_null())["task_id"])
    at, counts, moved = dict.fromkeys(tasks["task_id"], 0), Counter[int](), True
    while moved:
        moved = False
        for task in sorted(started):
            while at[task] < len(steps.get(task, [])) and _possible(steps[task][at[task]], counts, at, steps):
                row = steps[task][at[task]]
                counts[row["object_id"]] += {"signal": 1, "wait": -1}.get(row["kind"], 0)
                if row["kind"] == "spawn":
                    started.add(row["target_id"])
                at[task] += 1
                moved = True
    return [task for task in at if at[task] < len(steps.get(task, [])) or task not in started]


def _possible(row: dict[str, Any], counts: Counter[int], at: dict[int, int], steps: dict[int, Any]) -> bool:
    if row["kind"] == "wait":
        return counts[row["object_id"]] > 0
    if row["kind"] == "join":
        return at[row["target_id"]] == len(steps.get(row["target_id"], []))
    return True
