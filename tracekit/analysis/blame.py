"""Who is to blame for a wait: for RUNNABLE time who ran on the CPU meanwhile, for BLOCKED time who ended it.

A RUNNABLE task without a recorded queue (a goroutine) is taken to wait for the CPU that it runs on next. RUNNABLE time
in which nobody ran on that CPU is the CPU's own: leaving idle, switching, moving the task, or a hole in the recording.

A BLOCKED interval is ended by its wakeup. The chain of wakers goes on where the waker had itself been BLOCKED
meanwhile: A waited for B, which waited for C.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, RUNNABLE, History, Lives, Wakes
from tracekit.analysis.places import named, waited_on
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.jit import cached_njit, njit
from tracekit.vocabulary import REASONS

CHAIN = 4  # wakers followed back from one wait
KEPT = 64  # of those who ran during one task's RUNNABLE time, kept one by one; the others are summed up
MOST_OVERLAPS = 1_500_000_000  # of waits with runs; beyond it, every so manieth wait stands for its neighbours
NOBODY, OTHERS = -1, -2
ITSELF, OUTSIDE, LONGER, UNKNOWN, STILL = -1, -2, -3, -4, -5  # how a chain of wakers ends
_ENDS = {
    ITSELF: None,
    OUTSIDE: "a timer or the outside",
    LONGER: "…",
    UNKNOWN: "not recorded",
    STILL: "nobody: it waits to the end",
}
_NOBODY_RAN = "nobody: idle, switching or not recorded"


def blame(seen: History) -> Analysis:
    """Tables `queued` (waiter, runner), `blocked` (waiter, waker, reason), `objects` and `chains`, in ns and counts."""
    known = labels(seen.bundle)
    queued, stride = _queued(seen)
    blocked = _blocked(seen)
    reason = pl.col("reason").replace_strict(dict(enumerate(REASONS.names)), default=None, return_dtype=pl.String)
    total = blocked.select(pl.col("ns").sum()).item()
    unexplained = int(blocked.filter(pl.col("end") == UNKNOWN)["ns"].sum())
    facts = {
        "runnable_ns": int(queued["runnable_ns"].sum()),
        "blocked_ns": total,
        "blocked_until_woken_by_a_task_ns": int(blocked.filter(pl.col("waker_id") >= 0)["ns"].sum()),
        "blocked_until_a_timer_or_the_outside_ns": int(blocked.filter(pl.col("end") == OUTSIDE)["ns"].sum()),
    }
    blocked = blocked.with_columns(reason)
    tables = {
        "queued": Table("RUNNABLE: who waited while who ran", _named_runners(queued, known), ("waiter_id", "runner_id")),
        "blocked": Table("BLOCKED: who waited until who woke it", _pairs(blocked, known), ("waiter_id", "waker_id")),
        "objects": Table("BLOCKED: on what", _things(blocked)),
        "chains": Table("BLOCKED: chains of wakers", _chains(blocked, known), ("waiter_id",)),
    }  # fmt: skip
    notes = () if stride == 1 else (f"RUNNABLE time is estimated from every {stride}th wait: there are too many runs in them.",)  # fmt: skip
    missing = [f"For {unexplained / total:.1%} of the BLOCKED time no wakeup ends it."] if unexplained and total else []
    if not tables["objects"].rows.height and total:
        missing.append("What a task waited on (an object, or a place in the program) is not recorded.")
    return Analysis("blame", facts, tables, tuple(missing), notes)


def _queued(seen: History) -> tuple[pl.DataFrame, int]:
    """waiter_id, runner_id (NOBODY, OTHERS), runnable_ns, waits; and of how many waits each one was looked at."""
    lives = seen.lives
    runs, first = seen.cpu_runs
    cpu = _queue_cpus(lives)
    waits = np.flatnonzero((lives.state == RUNNABLE) & seen.chosen[lives.task])
    low, high, overlaps = _spans(waits, cpu, lives.start, lives.end, runs, first)
    stride = 1 + overlaps // MOST_OVERLAPS
    pairs = _charge(waits, low, high, lives, runs, stride)
    columns = {"waiter_id": np.int32, "runner_id": np.int32, "runnable_ns": np.int64, "waits": np.int64}
    frame = pl.DataFrame({name: pairs[:, i].astype(dtype) for i, (name, dtype) in enumerate(columns.items())})
    return frame, int(stride)


@cached_njit
def _queue_cpus(lives: Lives) -> Any:
    """The CPU of each RUNNABLE interval; where none is recorded, the one that the task runs on next."""
    cpu = lives.cpu.copy()
    for i in range(len(cpu) - 2, -1, -1):
        if cpu[i] < 0 and lives.state[i] == RUNNABLE and lives.task[i + 1] == lives.task[i]:
            cpu[i] = cpu[i + 1]
    return cpu


@cached_njit
def _spans(waits: Any, cpu: Any, start: Any, end: Any, runs: Any, first: Any) -> Any:
    """For each wait the first and one past the last run on its CPU that can overlap it; and how many in all."""
    low, high = np.zeros(len(waits), np.int64), np.zeros(len(waits), np.int64)
    overlaps = 0
    for n in range(len(waits)):
        i = waits[n]
        if cpu[i] >= 0 and cpu[i] + 1 < len(first):
            low[n] = _first_at(end, runs, first[cpu[i]], first[cpu[i] + 1], start[i] + 1)
            high[n] = _first_at(start, runs, low[n], first[cpu[i] + 1], end[i])
            overlaps += high[n] - low[n]
    return low, high, overlaps


@njit
def _first_at(values: Any, runs: Any, low: int, high: int, limit: int) -> int:
    """The first run from `low` to `high` whose value is `limit` or more."""
    while low < high:
        middle = (low + high) // 2
        if values[runs[middle]] < limit:
            low = middle + 1
        else:
            high = middle
    return low


@cached_njit
def _charge(waits: Any, low: Any, high: Any, lives: Lives, runs: Any, stride: int) -> Any:
    """Rows (waiter, runner, ns, waits): the waits of a task stand together, so one row of sums serves all tasks."""
    tasks = len(lives.first) - 1
    spent, often, touched = np.zeros(tasks + 1, np.int64), np.zeros(tasks + 1, np.int64), np.empty(tasks + 1, np.int64)
    pairs, count, active = np.empty((1024, 4), np.int64), 0, 0
    for n in range(len(waits)):
        i = waits[n]
        if n % stride == 0:
            left = lives.end[i] - lives.start[i]
            for place in range(low[n], high[n]):
                j = runs[place]
                shared = min(lives.end[i], lives.end[j]) - max(lives.start[i], lives.start[j])
                active = _spend(spent, often, touched, active, lives.task[j], shared * stride)
                left -= shared
            if left > 0:
                active = _spend(spent, often, touched, active, tasks, left * stride)
        if n + 1 == len(waits) or lives.task[waits[n + 1]] != lives.task[i]:
            while count + KEPT + 2 > len(pairs):
                pairs = np.concatenate((pairs, np.empty_like(pairs)))
            count = _settle(spent, often, touched[:active], lives.task[i], pairs, count)
            active = 0
    return pairs[:count]


@njit
def _spend(spent: Any, often: Any, touched: Any, active: int, who: int, ns: int) -> int:
    if often[who] == 0:
        touched[active] = who
        active += 1
    spent[who] += ns
    often[who] += 1
    return active


@njit
def _settle(spent: Any, often: Any, touched: Any, waiter: int, pairs: Any, count: int) -> int:
    """Write the largest sums of one waiter, and the rest as one; clear them."""
    nobody = len(spent) - 1
    order = np.argsort(-spent[touched])
    rest, rest_often = 0, 0
    for place in range(len(order)):
        who = touched[order[place]]
        if place < KEPT:
            pairs[count, 0], pairs[count, 1] = waiter, NOBODY if who == nobody else who
            pairs[count, 2], pairs[count, 3] = spent[who], often[who]
            count += 1
        else:
            rest += spent[who]
            rest_often += often[who]
        spent[who], often[who] = 0, 0
    if rest_often:
        pairs[count, 0], pairs[count, 1], pairs[count, 2], pairs[count, 3] = waiter, OTHERS, rest, rest_often
        count += 1
    return count


def _named_runners(queued: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    rows = labelled(labelled(queued, known, "waiter_id", "waiter"), known, "runner_id", "runner")
    other = pl.when(pl.col("runner_id") == NOBODY).then(pl.lit(_NOBODY_RAN)).otherwise(pl.lit("all others"))
    runner = pl.when(pl.col("runner_id") < 0).then(other).otherwise(pl.col("runner"))
    rows = rows.with_columns(runner=runner, runner_id=pl.when(pl.col("runner_id") >= 0).then("runner_id"))
    rows = rows.sort("runnable_ns", "waiter_id", "runner_id", descending=[True, False, False])
    return rows.select("waiter_id", "waiter", "runner_id", "runner", "runnable_ns", "waits")


def _blocked(seen: History) -> pl.DataFrame:
    """One row per BLOCKED interval of the tasks that count: waiter_id, waker_id, reason, thing, ns, end, chain_0 …"""
    lives, wakes = seen.lives, seen.wakes
    waits = np.flatnonzero((lives.state == BLOCKED) & seen.chosen[lives.task])
    chain, end = _follow(waits, lives, wakes)
    things, names = waited_on(seen)
    frame = pl.DataFrame({
        "waiter_id": lives.task[waits],
        "waker_id": chain[:, 0],
        "reason": lives.reason[waits],
        "thing": things[waits].astype(np.int32),
        "ns": lives.end[waits] - lives.start[waits],
        "end": end,
        **{f"chain_{depth}": chain[:, depth] for depth in range(CHAIN)},
    })  # fmt: skip
    totals = frame.group_by("waiter_id", "reason", "thing", "end", *(f"chain_{depth}" for depth in range(CHAIN))).agg(
        pl.col("waker_id").first(), pl.col("ns").sum(), waits=pl.len().cast(pl.Int64), longest_ns=pl.col("ns").max()
    )
    return totals.with_columns(thing=named(pl.col("thing"), names))


@cached_njit
def _follow(waits: Any, lives: Lives, wakes: Wakes) -> Any:
    """For each wait who ended it, who ended that one's own wait within it, and so on; and how the chain ends."""
    chain = np.full((len(waits), CHAIN), -1, np.int32)
    end = np.empty(len(waits), np.int8)
    since = _last_blocked(lives)
    for n in range(len(waits)):
        i, began, depth = waits[n], lives.start[waits[n]], 0
        end[n] = LONGER
        while depth < CHAIN:
            w = lives.ended_by[i]
            if w < 0 or wakes.waker[w] < 0:
                last = i + 1 == lives.first[lives.task[i] + 1]
                end[n] = OUTSIDE if w >= 0 else STILL if last else UNKNOWN
                break
            chain[n, depth] = wakes.waker[w]
            depth += 1
            source = wakes.source[w]
            i = -1 if source < 0 else source if lives.state[source] == BLOCKED else since[source]
            if i < 0 or lives.end[i] <= began:
                end[n] = ITSELF
                break
    return chain, end


@njit
def _last_blocked(lives: Lives) -> Any:
    """By interval: the task's last BLOCKED interval before it, NULL without any."""
    since = np.full(len(lives.task), -1, np.int64)
    for i in range(1, len(lives.task)):
        if lives.task[i - 1] == lives.task[i]:
            since[i] = i - 1 if lives.state[i - 1] == BLOCKED else since[i - 1]
    return since


def _pairs(blocked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """waiter, waker (null: none), what ended the wait otherwise, reason, blocked_ns, waits, longest_ns."""
    outside = pl.when(pl.col("waker_id") < 0).then("end")
    rows = blocked.group_by("waiter_id", "waker_id", "reason", outside.alias("outside")).agg(
        blocked_ns=pl.col("ns").sum(), waits=pl.col("waits").sum(), longest_ns=pl.col("longest_ns").max()
    )
    rows = labelled(labelled(rows, known, "waiter_id", "waiter"), known, "waker_id", "waker")
    ends = pl.col("outside").replace_strict(_ENDS, default=None, return_dtype=pl.String)
    rows = rows.with_columns(
        waker=pl.coalesce("waker", ends), waker_id=pl.when(pl.col("waker_id") >= 0).then("waker_id")
    )
    rows = rows.sort("blocked_ns", "waiter_id", "waker_id", "reason", descending=[True, False, False, False])
    return rows.select("waiter_id", "waiter", "waker_id", "waker", "reason", "blocked_ns", "waits", "longest_ns")


def _things(blocked: pl.DataFrame) -> pl.DataFrame:
    rows = blocked.filter(pl.col("thing").is_not_null()).group_by("thing", "reason").agg(
        blocked_ns=pl.col("ns").sum(), waits=pl.col("waits").sum(), longest_ns=pl.col("longest_ns").max(),
        waiters=pl.col("waiter_id").n_unique().cast(pl.Int64),
    )  # fmt: skip
    return rows.sort("blocked_ns", "thing", "reason", descending=[True, False, False]).rename({"thing": "on"})


def _chains(blocked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Chains of two wakers and more, as text from the waiter on, with their time."""
    columns = [f"chain_{depth}" for depth in range(CHAIN)]
    rows = blocked.filter(pl.col("chain_1") >= 0).group_by("waiter_id", *columns, "end").agg(
        blocked_ns=pl.col("ns").sum(), waits=pl.col("waits").sum(), longest_ns=pl.col("longest_ns").max()
    )  # fmt: skip
    rows = rows.sort("blocked_ns", "waiter_id", *columns, descending=[True] + [False] * (CHAIN + 1))
    rows = labelled(rows, known, "waiter_id", "waiter")
    for column in columns:
        rows = labelled(rows, known, column, f"{column}_label")
    end = pl.col("end").replace_strict(_ENDS, default=None, return_dtype=pl.String)
    steps = ["waiter", *(f"{column}_label" for column in columns), "ending"]
    rows = rows.with_columns(ending=end)
    chain = pl.concat_str([pl.col(step) for step in steps], separator=" ← ", ignore_nulls=True)
    return rows.select("waiter_id", "blocked_ns", "waits", "longest_ns", chain=chain)
