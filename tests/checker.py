"""An independent check of run tables: written from the rules, not from the engine, and over the tables only.

`check(run)` raises AssertionError naming the law, the time, the CPU and the task at fault:

* one task per CPU, one CPU per task, every task's intervals follow each other
* a task that goes from BLOCKED to RUNNABLE or RUNNING has a wakeup at that time; from NEW, one by its parent or a timer
* work is conserved: what a task runs is its computing and what was charged to it
* no CPU idles longer than it takes to bring it back while a thread waits, except for the time until the next tick,
  which is when balancing sees it, and in throttled periods
* fifo: on one CPU, threads run in the order in which they became runnable
* a thread that others wait for does not run beyond its slice and the tick at which that is seen
* eevdf, on one CPU without costs: who is picked is never behind the weighted mean of virtual time of all (eligible)
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from itertools import accumulate
from typing import Any

import polars as pl

from tracekit.machine.profile import REFERENCE
from tracekit.tables.bundle import Program, Run
from tracekit.vocabulary import OFF_TASK_OVERHEADS

Row = dict[str, Any]


def check(run: Run, program: Program | None = None) -> Run:
    """Assert every law that the run's tables allow to check; with the program also that work is conserved."""
    rows = _rows(run)
    one_task_per_cpu(rows)
    one_state_per_task(rows)
    wakeups_come_first(run, rows)
    if program is not None and run.meta["outcome"] == "completed":
        work_is_conserved(run, program, rows)
    if run.meta["runtime"] == "one_to_one":
        no_cpu_idles(run, rows)
        if run.meta["kernel_policy"] == "fifo" and run.meta["cpus"] == 1:
            fifo_order(rows)
        if program is not None and program.frame("tasks")["nice"].null_count() == len(program.frame("tasks")):
            slices_are_respected(run, rows)
    return run


def _rows(run: Run) -> list[Row]:
    frame = run.frame("intervals").with_columns(pl.col(pl.Categorical).cast(pl.String))
    return list(frame.iter_rows(named=True))


def _running(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["state"] == "RUNNING"]


def one_task_per_cpu(rows: list[Row]) -> None:
    """RUNNING intervals of a CPU do not overlap."""
    until: dict[int, int] = {}
    for row in sorted(_running(rows), key=lambda r: (r["cpu"], r["start_ns"])):
        assert row["start_ns"] >= until.get(row["cpu"], 0), f"two tasks on CPU {row['cpu']} at {row['start_ns']}: {row}"
        until[row["cpu"]] = row["end_ns"]


def one_state_per_task(rows: list[Row]) -> None:
    """A task's intervals touch: it is in one state at each time of its life, hence on one CPU."""
    until: dict[int, int] = {}
    for row in sorted(rows, key=lambda r: (r["task_id"], r["start_ns"])):
        before = until.get(row["task_id"], row["start_ns"])
        assert row["start_ns"] == before, f"task {row['task_id']} is in no state, or two, at {before}: {row}"
        until[row["task_id"]] = row["end_ns"]


def wakeups_come_first(run: Run, rows: list[Row]) -> None:
    """Whoever was BLOCKED goes on when it was woken, at that time."""
    woken = {(w["wakee_id"], w["at_ns"]) for w in run.frame("wakeups").iter_rows(named=True)}
    state: dict[int, str] = {}
    for row in sorted(rows, key=lambda r: (r["task_id"], r["start_ns"])):
        if state.get(row["task_id"]) == "BLOCKED" and row["state"] in ("RUNNABLE", "RUNNING"):
            assert (row["task_id"], row["start_ns"]) in woken, f"task {row['task_id']} goes on unwoken: {row}"
        state[row["task_id"]] = row["state"]


def work_is_conserved(run: Run, program: Program, rows: list[Row]) -> None:
    """On-CPU time of each task is its computing and its overheads."""
    asked: dict[int, int] = defaultdict(int)
    for segment in program.frame("segments").with_columns(pl.col(pl.Categorical).cast(pl.String)).iter_rows(named=True):
        if segment["kind"] == "compute":
            asked[segment["task_id"]] += segment["duration_ns"]
    for overhead in run.frame("overheads").with_columns(pl.col(pl.Categorical).cast(pl.String)).iter_rows(named=True):
        if overhead["task_id"] is not None and overhead["kind"] not in OFF_TASK_OVERHEADS:
            asked[overhead["task_id"]] += overhead["duration_ns"]
    ran: dict[int, int] = defaultdict(int)
    for row in _running(rows):
        ran[row["task_id"]] += row["end_ns"] - row["start_ns"]
    tasks = run.frame("tasks").with_columns(pl.col("exit_reason").cast(pl.String))
    for task, reason in tasks.select("task_id", "exit_reason").iter_rows():
        if reason == "exit":  # others were cut short
            assert ran[task] == asked[task], f"task {task} ran {ran[task]} ns, asked for and charged {asked[task]} ns"


def _tick_ns(run: Run) -> int:
    hz = run.meta["parameters"].get(f"{run.meta['kernel_policy']}.hz", 0)
    return 1_000_000_000 // hz if hz else 4_000_000


def _edges(rows: list[Row], runs_on: int | None) -> list[tuple[int, int, int]]:
    """(time, +1 or -1, 0) of threads that run on one CPU; (time, 0, +1 or -1) of threads that wait."""
    out = []
    for row in rows:
        if row["state"] == "RUNNING" and row["cpu"] == runs_on:
            out += [(row["start_ns"], 1, 0), (row["end_ns"], -1, 0)]
        elif row["state"] == "RUNNABLE":
            out += [(row["start_ns"], 0, 1), (row["end_ns"], 0, -1)]
    return sorted(out)


def no_cpu_idles(run: Run, rows: list[Row]) -> None:
    """While some thread waits, a CPU may idle for two ticks (balancing looks there; hot threads stay twice), and for
    the time of an idle exit. Under the shipped profile no CPU pulls when it goes idle (newidle_pulls), and ticks serve
    one after the other. Policies without rebalancing, and quotas, may do otherwise."""
    policy = run.meta["kernel_policy"]
    if policy not in ("eevdf", "cfs") or run.meta["parameters"].get(f"{policy}.quota_ns"):
        return
    exits = run.frame("overheads").with_columns(pl.col("kind").cast(pl.String)).filter(pl.col("kind") == "idle_exit")
    ticks = 2 * max(run.meta["cpus"], 2) if run.meta["profile"]["name"] == REFERENCE else 4
    allowed = ticks * _tick_ns(run) + int(exits["duration_ns"].max() or 0)
    for cpu in range(run.meta["cpus"]):
        busy = waiting = 0
        since: int | None = None
        for at, runs, waits in _edges(rows, cpu):
            idle = busy == 0 and waiting > 0
            since = (at if since is None else since) if idle else None
            busy, waiting = busy + runs, waiting + waits
            if busy == 0 and waiting > 0:
                since = at if since is None else since
                continue
            assert since is None or at - since <= allowed, f"CPU {cpu} idles from {since} to {at} while a thread waits"
            since = None


def fifo_order(rows: list[Row]) -> None:
    """Stretches of RUNNING begin in the order in which the waits before them began."""
    queued: dict[int, int] = {}
    last = (-1, -1)
    for row in sorted(rows, key=lambda r: (r["start_ns"], r["state"] == "RUNNING")):
        if row["state"] == "RUNNABLE":
            queued[row["task_id"]] = row["start_ns"]
        elif row["state"] == "RUNNING" and row["task_id"] in queued:
            came = queued.pop(row["task_id"])
            assert came >= last[0], (
                f"task {row['task_id']}, runnable since {came}, runs after {last} at {row['start_ns']}"
            )
            last = (came, row["task_id"])


def _slice_ns(run: Run) -> int | None:
    policy, values = run.meta["kernel_policy"], run.meta["parameters"]
    scale = 1 + (min(run.meta["cpus"], 8)).bit_length() - 1
    if policy == "eevdf":
        return int(values["eevdf.base_slice_ns"]) * scale
    if policy == "round_robin":
        return int(values["round_robin.slice_ns"])
    return None


def slices_are_respected(run: Run, rows: list[Row]) -> None:
    """On one CPU with threads of one weight: nobody runs on, while another thread waits all the time, for longer than
    its slice, two ticks (the one that sees the end, and what that is rounded to) and its overheads."""
    slice_ns = _slice_ns(run)
    if slice_ns is None or run.meta["cpus"] != 1:
        return
    overheads = run.frame("overheads")["duration_ns"].max() or 0
    allowed = slice_ns + 2 * _tick_ns(run) + 8 * overheads
    waits = sorted((r["start_ns"], r["end_ns"]) for r in rows if r["state"] == "RUNNABLE")
    starts = [start for start, _ in waits]
    until = list(accumulate((end for _, end in waits), max))
    for row in _running(rows):
        # the longest wait of one that waited when it began, or came later
        for i in range(max(bisect(starts, row["start_ns"]) - 1, 0), bisect(starts, row["end_ns"] - allowed)):
            together = min(until[i] if starts[i] <= row["start_ns"] else waits[i][1], row["end_ns"]) - max(
                starts[i], row["start_ns"]
            )
            assert together <= allowed, f"task {row['task_id']} runs from {row['start_ns']} on although others wait"


def eligible_when_picked(run: Run) -> None:
    """eevdf on one CPU, nothing costing anything, all tasks computing from the start: whoever begins to run has not run
    more than the mean of those still there."""
    rows = _rows(run)
    ran: dict[int, int] = dict.fromkeys(run.frame("tasks")["task_id"].to_list(), 0)
    ends = dict(zip(*(run.frame("tasks")[name].to_list() for name in ("task_id", "end_ns")), strict=True))
    for row in sorted(_running(rows), key=lambda r: r["start_ns"]):
        there = [task for task in ran if ends[task] > row["start_ns"]]
        mean = sum(ran[task] for task in there) / len(there)
        assert ran[row["task_id"]] <= mean, f"task {row['task_id']} runs at {row['start_ns']} although it is ahead"
        ran[row["task_id"]] += row["end_ns"] - row["start_ns"]
