"""What a crash took with it: tasks that ended with the one that crashed, and tasks left waiting for the dead."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracekit.analysis.history import RUNNABLE, RUNNING, History, codes, ints
from tracekit.analysis.leaks import asleep
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.vocabulary import EXIT_REASONS

_WITH_IT = ("killed", "main_returned")
_NONE = "No task crashed or was ended with another; nothing to say of a blast radius."
_SILENT = "How tasks ended is not recorded for {} of those that ended."


def failure(seen: History) -> Analysis:
    """`ends`: how tasks ended, by reason; `crashes`: each crash and its blast radius; `lost`: tasks cut off or left waiting."""
    known = labels(seen.bundle)
    table = seen.bundle.tables["tasks"]
    ended = ints(table.column("end_ns"), np.int64)
    reason = codes(table.column("exit_reason"), EXIT_REASONS)
    frame = pl.DataFrame({
        "task_id": np.arange(len(ended), dtype=np.int32),
        "process_id": ints(table.column("process_id"), np.int32),
        "ended_ns": ended,
        "how": reason,
        "counts": seen.chosen,
        "cut_off": _was_able(seen),
    }).with_columns(pl.col("how").replace_strict(dict(enumerate(EXIT_REASONS.names)), default=None, return_dtype=pl.String))  # fmt: skip
    own = frame.filter("counts")
    crashes = own.filter(pl.col("how") == "crash")
    killed = own.filter(pl.col("how").is_in(_WITH_IT))
    waiting = _left_waiting(seen, own)
    how = pl.when(pl.col("ended_ns") < 0).then(pl.lit("outlived it")).otherwise(pl.col("how").fill_null("not recorded"))
    facts: dict[str, int] = {
        "crashes": crashes.height,
        "ended_with_another": killed.height,
        "left_waiting": waiting.height,
    }
    lost = seen.bundle.meta.get("failure") or {}
    facts |= {name: int(lost[name]) for name in ("work_lost_ns", "requests_lost", "orphans") if name in lost}
    silent = own.filter((pl.col("ended_ns") >= 0) & pl.col("how").is_null()).height
    nothing = not crashes.height and not killed.height
    missing = (_SILENT.format(silent),) if silent else (_NONE,) if nothing else ()
    return Analysis("failure", facts, {
        "ends": Table("How tasks ended", own.group_by(how=how).agg(tasks=pl.len().cast(pl.Int64)).sort(
            "tasks", "how", descending=[True, False])),
        "crashes": Table("Each crash and what ended with it", labelled(_radius(crashes, killed, waiting), known, "task_id", "task"),
                         ("task_id",)),
        "lost": Table("Tasks cut off, and tasks left waiting for good", labelled(_lost(killed, waiting), known, "task_id", "task"),
                      ("task_id",)),
    }, missing)  # fmt: skip


def _was_able(seen: History) -> object:
    """By task: was it RUNNING or RUNNABLE when it was last seen? Then it had work left."""
    lives = seen.lives
    seen_once = lives.first[1:] > lives.first[:-1]
    last = np.maximum(lives.first[1:] - 1, 0)
    able = np.isin(lives.state[last], (RUNNING, RUNNABLE)) if len(lives.task) else np.zeros(len(last), np.bool_)
    return able & seen_once


def _left_waiting(seen: History, own: pl.DataFrame) -> pl.DataFrame:
    """task_id, since_ns of tasks BLOCKED to the end since or after some task's crash; empty without one."""
    crashed = own.filter(pl.col("how") == "crash")["ended_ns"]
    if crashed.is_empty():
        return pl.DataFrame(schema={"task_id": pl.Int32, "since_ns": pl.Int64})
    return asleep(seen).select("task_id", "since_ns")


def _radius(crashes: pl.DataFrame, killed: pl.DataFrame, waiting: pl.DataFrame) -> pl.DataFrame:
    """task_id, at_ns, ended_with_it, of_them_with_work_left, left_waiting (counted at the last crash)."""
    rows = []
    last = crashes["ended_ns"].max()
    for task, process, at in crashes.select("task_id", "process_id", "ended_ns").iter_rows():
        with_it = killed.filter((pl.col("process_id") == process) & (pl.col("ended_ns") == at))
        rows.append((task, at, with_it.height, int(with_it["cut_off"].sum()), waiting.height if at == last else 0))
    schema = {"task_id": pl.Int32, "at_ns": pl.Int64, "ended_with_it": pl.Int64, "of_them_with_work_left": pl.Int64,
              "left_waiting": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").sort("at_ns", "task_id")


def _lost(killed: pl.DataFrame, waiting: pl.DataFrame) -> pl.DataFrame:
    cut = killed.select("task_id", what="how", since_ns="ended_ns")
    left = waiting.select("task_id", pl.lit("left waiting").alias("what"), "since_ns")
    return pl.concat([cut, left]).sort("since_ns", "task_id")
