"""Tasks that are BLOCKED for good while others go on, and deadlock: all asleep, and nobody left to wake anybody.

A run says so for certain: what is BLOCKED when it ends will never be woken. A recording shows a task that is BLOCKED on
another task to the very end; that nobody would have woken it later can't be recorded, and is said in a note.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, RUNNING, History
from tracekit.analysis.places import waited_on
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.tables.bundle import Run
from tracekit.vocabulary import REASONS

# Waits that only another task of the program can end.
FOR_A_TASK = ("lock", "channel_send", "channel_recv", "select", "wait_group", "event", "join")
RUNTIME = "runtime"  # prefix of goroutines that the Go runtime keeps for itself, waiting most of the time
_SCHEMA = {"task_id": pl.Int32, "reason": pl.String, "on": pl.String, "since_ns": pl.Int64, "blocked_ns": pl.Int64,
           "life_share": pl.Float64, "verdict": pl.String}  # fmt: skip


def leaks(seen: History) -> Analysis:
    """`asleep`: every task that is BLOCKED at the end, with what it waits for, and a verdict: leaked, deadlock, may wake."""
    places, since = asleep(seen)
    known = labels(seen.bundle)
    deadlock = seen.bundle.meta.get("outcome") == "deadlock"
    frame = _rows(seen, places, since, known, deadlock)
    places_of = frame.filter(pl.col("verdict").is_in(["leaked", "deadlock"]))
    by_place = places_of.group_by("verdict", "reason", "on").agg(
        tasks=pl.len().cast(pl.Int64), first_since_ns=pl.col("since_ns").min(), task=pl.col("task").first()
    ).sort("tasks", "first_since_ns", "task", descending=[True, False, False])  # fmt: skip
    facts = {
        "asleep_at_the_end": frame.height,
        "leaked": int((frame["verdict"] == "leaked").sum()),
        "deadlock": "yes" if deadlock else "no" if isinstance(seen.bundle, Run) else None,
        "outcome": seen.bundle.meta.get("outcome_detail") or seen.bundle.meta.get("outcome"),
    }
    return Analysis("leaks", facts, {
        "by_place": Table("Who sleeps for good, by what it waits for", by_place),
        "asleep": Table("Tasks BLOCKED at the end, longest first", frame, ("task_id",)),
    }, _missing(frame), _notes(seen, facts["leaked"]))  # fmt: skip


def _missing(frame: pl.DataFrame) -> tuple[str, ...]:
    silent = int(frame["reason"].is_null().sum())
    return (f"The recording does not say what {silent} of these tasks wait for, so they can't be judged.",) if silent else ()  # fmt: skip


def _notes(seen: History, leaked: object) -> tuple[str, ...]:
    if isinstance(seen.bundle, Run) or not leaked:
        return ()
    return ("A recording ends before the program may have: a task called leaked here could have been woken later.",)


def asleep(seen: History) -> tuple[list[int], list[int]]:
    """The last interval of each task that counts, where it is BLOCKED and the task has not ended; and since when."""
    lives = seen.lives
    last = lives.first[1:] - 1
    ended = seen.bundle.tables["tasks"].column("end_ns").is_valid().to_numpy()
    own = (lives.first[1:] > lives.first[:-1]) & seen.chosen & ~ended
    places = last[own & (lives.state[last] == BLOCKED)] if len(lives.task) else np.empty(0, np.int64)
    return places.tolist(), [_since(seen, int(i)) for i in places]


def _since(seen: History, i: int) -> int:
    lives = seen.lives
    while i > lives.first[lives.task[i]] and lives.state[i - 1] == BLOCKED and lives.end[i - 1] == lives.start[i]:
        i -= 1
    return int(lives.start[i])


def _rows(seen: History, places: list[int], since: list[int], known: pl.DataFrame, deadlock: bool) -> pl.DataFrame:
    lives, end = seen.lives, seen.recorded_ns
    things, names = waited_on(seen)
    others = seen.chosen[lives.task] & (lives.state == RUNNING)
    last_run_ns = int(lives.end[others].max()) if others.any() else 0
    rows = []
    for i, began in zip(places, since, strict=True):
        task, code = int(lives.task[i]), int(lives.reason[i])
        reason = REASONS.names[code] if code >= 0 else None
        born = int(lives.start[lives.first[task]])
        on = names[things[i]] if things[i] >= 0 else None
        verdict = _verdict(seen, task, reason, began < last_run_ns, deadlock)
        rows.append((task, reason, on, began, end - began, (end - began) / max(1, end - born), verdict))
    frame = labelled(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), known, "task_id", "task")
    order = pl.col("verdict").replace_strict({"deadlock": 0, "leaked": 1}, default=2, return_dtype=pl.Int8)
    frame = frame.sort(order, "since_ns", "task_id")
    return frame.select("task_id", "task", "verdict", "reason", "on", "since_ns", "blocked_ns", "life_share")


def _verdict(seen: History, task: int, reason: str | None, others_ran: bool, deadlock: bool) -> str:
    name = str(seen.bundle.tables["tasks"].column("name")[task])
    if reason is None:
        return "not known"
    if name.startswith(RUNTIME) or reason not in FOR_A_TASK:
        return "may wake"
    if deadlock:
        return "deadlock"
    return "leaked" if others_ran or isinstance(seen.bundle, Run) else "may wake"
