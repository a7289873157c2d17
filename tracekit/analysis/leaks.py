"""Tasks that are BLOCKED for good while others go on, and deadlock: all asleep, and nobody left to wake anybody.

A run says so for certain: what is BLOCKED when it ends will never be woken. A recording shows a task that is BLOCKED on
another task to the very end; that nobody would have woken it later can't be recorded, and is said in a note.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, RUNNING, History
from tracekit.analysis.places import object_names, waited_on
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.tables.bundle import Run
from tracekit.vocabulary import REASONS, SEGMENT_KINDS

# Waits that only another task of the program can end. Not so those of threads and processes in a recording: the kernel
# does not say whether a futex has a timeout, nor which other program holds it or writes to the pipe.
FOR_A_TASK = ("lock", "channel_send", "channel_recv", "select", "wait_group", "event", "join")
RUNTIME = "runtime"  # prefix of goroutines that the Go runtime keeps for itself, waiting most of the time
_SCHEMA = {"task_id": pl.Int32, "reason": pl.String, "on": pl.String, "since_ns": pl.Int64, "blocked_ns": pl.Int64,
           "life_share": pl.Float64, "verdict": pl.String}  # fmt: skip


def leaks(seen: History) -> Analysis:
    """`asleep`: every task that is BLOCKED at the end, with what it waits for, and a verdict: leaked, deadlock, may wake."""
    known = labels(seen.bundle)
    deadlock = seen.bundle.meta.get("outcome") == "deadlock"
    frame = _rows(seen, known, deadlock)
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


def asleep(seen: History) -> pl.DataFrame:
    """Tasks that count, have not ended and are BLOCKED at the end: task_id, since_ns, reason, on."""
    lives = seen.lives
    last = lives.first[1:] - 1
    open_ended = ~seen.bundle.tables["tasks"].column("end_ns").is_valid().to_numpy() & seen.chosen
    seen_once = lives.first[1:] > lives.first[:-1]
    blocked = lives.state[last] == BLOCKED if len(lives.task) else np.zeros(len(last), np.bool_)
    places = last[open_ended & seen_once & blocked]
    things, names = waited_on(seen)
    rows = [(int(lives.task[i]), _since(seen, int(i)), _reason(lives.reason[i]), names[things[i]] if things[i] >= 0 else None)
            for i in places]  # fmt: skip
    if isinstance(seen.bundle, Run) and seen.bundle.meta.get("outcome") == "deadlock":
        rows += _at_the_last_instant(seen, seen.bundle, open_ended & ~(seen_once & blocked))
    return pl.DataFrame(
        rows, schema={name: _SCHEMA[name] for name in ("task_id", "since_ns", "reason", "on")}, orient="row"
    )


def _reason(code: int) -> str | None:
    return REASONS.names[code] if code >= 0 else None


def _at_the_last_instant(seen: History, run: Run, tasks: Any) -> list[tuple[int, int, str | None, str | None]]:
    """Tasks whose wait begins when the run ends, so that no interval shows it: by the last step of each."""
    steps = run.frame("operations").select("task_id", pl.col("kind").cast(pl.String), "object_id")
    steps = steps.group_by("task_id").last().sort("task_id")
    names = object_names(run, int(steps["object_id"].max() or 0) + 1)  # type: ignore[arg-type]
    rows: list[tuple[int, int, str | None, str | None]] = []
    for task, kind, thing in steps.iter_rows():
        reason = SEGMENT_KINDS[kind].blocks_as
        if tasks[task] and reason is not None:
            rows.append((task, seen.recorded_ns, reason, None if thing is None else names[thing]))
    return rows


def _since(seen: History, i: int) -> int:
    lives = seen.lives
    while i > lives.first[lives.task[i]] and lives.state[i - 1] == BLOCKED and lives.end[i - 1] == lives.start[i]:
        i -= 1
    return int(lives.start[i])


def _rows(seen: History, known: pl.DataFrame, deadlock: bool) -> pl.DataFrame:
    lives, end = seen.lives, seen.recorded_ns
    others = seen.chosen[lives.task] & (lives.state == RUNNING)
    last_run_ns = int(lives.end[others].max()) if others.any() else 0
    rows = []
    for task, since, reason, on in asleep(seen).iter_rows():
        born = int(lives.start[lives.first[task]]) if lives.first[task + 1] > lives.first[task] else since
        verdict = _verdict(seen, task, reason, since < last_run_ns, deadlock)
        rows.append((task, reason, on, since, end - since, (end - since) / max(1, end - born), verdict))
    frame = labelled(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), known, "task_id", "task")
    order = pl.col("verdict").replace_strict({"deadlock": 0, "leaked": 1}, default=2, return_dtype=pl.Int8)
    frame = frame.sort(order, "since_ns", "task_id")
    return frame.select("task_id", "task", "verdict", "reason", "on", "since_ns", "blocked_ns", "life_share")


def _goroutine(seen: History, task: int) -> bool:
    return str(seen.bundle.tables["tasks"].column("kind")[task]) == "goroutine"


def _verdict(seen: History, task: int, reason: str | None, others_ran: bool, deadlock: bool) -> str:
    name = str(seen.bundle.tables["tasks"].column("name")[task])
    if reason is None:
        return "not known"
    if (
        name.startswith(RUNTIME)
        or reason not in FOR_A_TASK
        or not (isinstance(seen.bundle, Run) or _goroutine(seen, task))
    ):
        return "may wake"
    if deadlock:
        return "deadlock"
    return "leaked" if others_ran or isinstance(seen.bundle, Run) else "may wake"
