"""Two traces or runs of the same work on one time axis: where the time of each task went, in one and in the other.

Tasks are paired by name, those of one name in order of their start. Time is by kind: RUNNING, RUNNABLE and BLOCKED with
its reason; of a run, the overheads within RUNNING by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tracekit.tables.bundle import Run, Trace
from tracekit.vocabulary import OFF_TASK_OVERHEADS

IDLE = "idle CPU"
_SUMS = {"a_ns": pl.Int64, "b_ns": pl.Int64, "difference_ns": pl.Int64}


@dataclass(frozen=True)
class Difference:
    """`totals`: kind, a_ns, b_ns, difference_ns. `tasks`: the same by task and kind, the largest differences first.

    `unpaired`: names of tasks that only one of the two has, with their number. Makespans in ns.
    """

    totals: pl.DataFrame
    tasks: pl.DataFrame
    unpaired: dict[str, int]
    makespans_ns: tuple[int, int]


def diff(a: Trace | Run, b: Trace | Run) -> Difference:
    """What b spends its time on beyond a. Tasks of kind `kernel` count as one, called so."""
    one, other = _by_kind(a), _by_kind(b)
    joined = one.join(other, on=("task", "kind"), how="full", coalesce=True, suffix="_b").select(
        "task",
        "kind",
        a_ns=pl.col("ns").fill_null(0),
        b_ns=pl.col("ns_b").fill_null(0),
    )
    tasks = joined.with_columns(difference_ns=pl.col("b_ns") - pl.col("a_ns")).sort(
        pl.col("difference_ns").abs(), "task", "kind", descending=[True, False, False]
    )
    totals = tasks.group_by("kind").agg(pl.col(*_SUMS).sum())
    idle = _idle(a), _idle(b)
    if None not in idle:
        row = {"kind": IDLE, "a_ns": idle[0], "b_ns": idle[1], "difference_ns": (idle[1] or 0) - (idle[0] or 0)}
        totals = pl.concat([totals, pl.DataFrame([row], schema={"kind": pl.String, **_SUMS})])
    totals = totals.sort(pl.col("difference_ns").abs(), "kind", descending=[True, False])
    names_a, names_b = (set(frame["task"].to_list()) for frame in (one, other))
    unpaired: dict[str, int] = {}
    for task in sorted(names_a ^ names_b):
        unpaired[task.rsplit(" #", 1)[0]] = unpaired.get(task.rsplit(" #", 1)[0], 0) + 1
    return Difference(totals, tasks, unpaired, (_makespan(a), _makespan(b)))


def _paired(bundle: Trace | Run) -> pl.DataFrame:
    """task_id, and a name that the same task has in another bundle."""
    tasks = bundle.frame("tasks").select(
        "task_id",
        "name",
        kernel=(pl.col("kind").cast(pl.String) == "kernel").fill_null(False),
        at=pl.col("start_ns").fill_null(0),
    )
    tasks = tasks.sort("at", "task_id").with_columns(number=pl.int_range(pl.len()).over("name"))
    several = pl.len().over("name") > 1
    named = pl.when(several).then(pl.format("{} #{}", "name", "number")).otherwise("name")
    return tasks.select("task_id", task=pl.when("kernel").then(pl.lit("kernel threads")).otherwise(named))


def _by_kind(bundle: Trace | Run) -> pl.DataFrame:
    """task, kind, ns."""
    blocked = pl.format("BLOCKED: {}", pl.col("reason").cast(pl.String).fill_null("unknown"))
    state = pl.col("state").cast(pl.String)
    intervals = bundle.frame("intervals").select(
        "task_id",
        kind=pl.when(state == "BLOCKED").then(blocked).otherwise(state),
        ns=pl.col("end_ns") - pl.col("start_ns"),
    )
    rows = [intervals]
    if isinstance(bundle, Run):
        within = bundle.frame("overheads").filter(
            pl.col("task_id").is_not_null() & ~pl.col("kind").cast(pl.String).is_in(list(OFF_TASK_OVERHEADS))
        )
        rows.append(
            within.select("task_id", kind=pl.format("overhead: {}", pl.col("kind").cast(pl.String)), ns="duration_ns")
        )
        rows.append(within.select("task_id", kind=pl.lit("RUNNING"), ns=-pl.col("duration_ns")))
    named = pl.concat(rows).join(_paired(bundle), on="task_id")
    return named.group_by("task", "kind").agg(pl.col("ns").sum())


def _makespan(bundle: Trace | Run) -> int:
    known = bundle.meta.get("end_ns")
    return int(known if known is not None else bundle.frame("intervals").select(pl.col("end_ns").max()).item() or 0)


def _idle(bundle: Trace | Run) -> int | None:
    cpus = bundle.meta.get("cpus")
    if not isinstance(cpus, int):
        return None
    running = bundle.frame("intervals").filter(pl.col("state").cast(pl.String) == "RUNNING")
    return cpus * _makespan(bundle) - int((running["end_ns"] - running["start_ns"]).sum())
