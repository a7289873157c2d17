"""How many tasks wait for each CPU, and how many run at once: exact to the event, and in bins for showing.

A RUNNABLE interval without a recorded queue (a goroutine) counts in the queue of the whole, `cpu` null. Whether a
goroutine joined a P's local queue or the global one follows from why it waits (runtime/proc.go): one that is preempted,
yields, or comes back from a system call without a P goes to the global queue (goschedImpl, exitsyscall0), one that is
woken or new to the local one (ready, newproc). What overflows a local queue, or netpoll injects, is not told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import RUNNABLE, RUNNING, History, codes
from tracekit.analysis.result import Analysis, Table
from tracekit.jit import cached_njit
from tracekit.vocabulary import REASONS, TASK_KINDS

BINS = 200
_GLOBAL = [REASONS[reason] for reason in ("preempted", "yield", "syscall")]
_SPREAD = 4096  # of a level's time: levels at and above it count as one


def queues(seen: History, bins: int = BINS) -> Analysis:
    """`queues` (depth per CPU), `parallelism`, `levels` (time at each level of it), and `over_time` in `bins` bins."""
    end_ns = seen.end_ns
    width = max(1, -(-end_ns // bins))
    rows, over_time, levels = [], [], []
    for name, cpu, starts, ends in _series(seen):
        means, highest, spread = _binned(starts, ends, width, bins, end_ns)
        total = int(spread.sum())
        area = float(means.sum())
        rows.append((name, cpu, area / total if total else 0.0, int(highest.max(initial=0)), int(total - spread[0])))
        over_time.append(_over_time(name, cpu, means, highest, width, end_ns))
        if cpu is None:
            levels.append(_levels(name, spread))
    frame = pl.DataFrame(rows, orient="row", schema={
        "what": pl.String, "cpu": pl.Int32, "mean": pl.Float64, "most": pl.Int64, "not_empty_ns": pl.Int64})  # fmt: skip
    queued, together = frame.filter(pl.col("what") == "queue"), frame.filter(pl.col("what") != "queue")
    facts = {"end_ns": end_ns, "bin_ns": width, "cpus": seen.bundle.meta.get("cpus")}
    facts |= {f"{row['what']}_mean": round(row["mean"], 3) for row in together.iter_rows(named=True)}
    missing = () if queued["cpu"].is_not_null().any() else ("In which CPU's queue a task waits is not recorded.",)
    return Analysis("queues", facts, {
        "queues": Table("Tasks in each CPU's queue; cpu – is the queue of those whose CPU is not recorded", queued.drop("what")),
        "parallelism": Table("How many at once", together.drop("cpu")),
        "levels": Table("For how long so many at once", pl.concat(levels)),
        "over_time": Table("The same over time, in bins", pl.concat(over_time)),
    }, missing if (seen.lives.state == RUNNABLE).any() else ("No task ever waits in a queue.",))  # fmt: skip


def _series(seen: History) -> Iterator[tuple[str, int | None, Any, Any]]:
    """Each thing counted: what, cpu, and its sorted starts and ends. Queues hold all tasks, the rest those that count."""
    lives, by_start = seen.lives, seen.by_start
    own = seen.chosen[lives.task]
    queued = by_start[lives.state[by_start] == RUNNABLE]
    for cpu in np.unique(lives.cpu[queued]):
        places = queued[lives.cpu[queued] == cpu]
        if cpu >= 0:
            yield "queue", int(cpu), lives.start[places], np.sort(lives.end[places])
        else:
            yield "queue", None, lives.start[places], np.sort(lives.end[places])
    for name, states in (
        ("running", (RUNNING,)),
        ("runnable", (RUNNABLE,)),
        ("running_or_runnable", (RUNNING, RUNNABLE)),
    ):
        places = by_start[(np.isin(lives.state, states) & own)[by_start]]
        yield name, None, lives.start[places], np.sort(lives.end[places])
    yield from _goroutine_queues(seen)


def _goroutine_queues(seen: History) -> Iterator[tuple[str, int | None, Any, Any]]:
    """The local queues of all Ps together, and the global one, where there are goroutines."""
    lives, by_start = seen.lives, seen.by_start
    goroutine = codes(seen.bundle.tables["tasks"].column("kind"), TASK_KINDS) == TASK_KINDS["goroutine"]
    waits = by_start[((lives.state == RUNNABLE) & goroutine[lives.task])[by_start]]
    joined_global = np.isin(lives.reason[waits], _GLOBAL)
    for name, places in (("local_queues", waits[~joined_global]), ("global_queue", waits[joined_global])):
        if len(waits):
            yield name, None, lives.start[places], np.sort(lives.end[places])


@cached_njit
def _binned(starts: Any, ends: Any, width: int, bins: int, end: int) -> Any:
    """Per bin the area under the step function (count times ns) and its highest; and the time at each level to `end`."""
    area, highest, spread = np.zeros(bins, np.float64), np.zeros(bins, np.int64), np.zeros(_SPREAD + 1, np.int64)
    a, b, level, since = 0, 0, 0, 0
    while since < end:
        at = end
        if a < len(starts):
            at = min(at, starts[a])
        if b < len(ends):
            at = min(at, ends[b])
        at = max(at, since)
        spread[min(level, _SPREAD)] += at - since
        while since < at and level > 0:
            place = since // width
            until = min(at, (place + 1) * width)
            area[place] += float(level) * (until - since)
            highest[place] = max(highest[place], level)
            since = until
        since = at
        while a < len(starts) and starts[a] <= since:
            a, level = a + 1, level + 1
        while b < len(ends) and ends[b] <= since:
            b, level = b + 1, level - 1
    return area, highest, spread


def _over_time(name: str, cpu: int | None, area: Any, highest: Any, width: int, end_ns: int) -> pl.DataFrame:
    starts = np.arange(len(area), dtype=np.int64) * width
    lengths = np.minimum(starts + width, end_ns) - starts
    frame = pl.DataFrame(
        {"start_ns": starts, "mean": np.where(lengths > 0, area / np.maximum(lengths, 1), 0), "most": highest}
    )
    columns = [pl.lit(name).alias("what"), pl.lit(cpu, pl.Int32).alias("cpu"), "start_ns", "mean", "most"]
    return frame.filter(pl.Series(lengths > 0)).select(columns)


def _levels(name: str, spread: Any) -> pl.DataFrame:
    level = np.flatnonzero(spread)
    share = spread[level] / max(1, int(spread.sum()))
    return pl.DataFrame({"level": level, "time_ns": spread[level], "time_share": share}).select(
        pl.lit(name).alias("what"), "level", "time_ns", "time_share"
    )
