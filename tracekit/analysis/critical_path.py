"""The chain of work and waits that set when the last task ended, and how much longer everything else could take.

The path is followed backwards from the end. RUNNING leads to its own start. RUNNABLE before that leads to who held the
CPU meanwhile, if anybody did. BLOCKED leads to whoever woke the task, at the time of the wakeup; a wait that a timer or
the outside ended is on the path itself. The pieces fill the time from 0 to the end without a hole.

Slack is how much longer a stay on a CPU could have taken without moving the end, were all else to stay in its order:
the least of what is left before the task's next stay, before the CPU's next, and before the stays of those it woke,
each with their own slack. On the path it is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracekit.analysis.history import BLOCKED, RUNNABLE, RUNNING, History, Lives, Wakes
from tracekit.analysis.places import named, waited_on
from tracekit.analysis.result import Analysis, Table, labelled, labels
from tracekit.jit import cached_njit, njit
from tracekit.vocabulary import REASONS

KINDS = ("compute", "queue", "wait", "before")
COMPUTE, QUEUE, WAIT, BEFORE = range(len(KINDS))
MEANINGS = {
    "compute": "on a CPU",
    "queue": "RUNNABLE while nobody had the CPU: leaving idle, switching, or not recorded",
    "wait": "BLOCKED until a timer or the outside ended it, or it is not recorded what did",
    "before": "before the first task on the path began",
}
LINKS = ("", "goes on", "wakes", "gives up the CPU to")  # how a piece leads to the next one in time
END, OWN, WOKE, HELD = range(len(LINKS))
_MORE = 1024


def critical_path(seen: History, end_of: int | None = None) -> Analysis:
    """`segments` in order of time, `by_task` and `by_kind`, and `slack` per task. `end_of` is a task_id: what set its end."""
    last = _last(seen, end_of)
    known = labels(seen.bundle)
    segments = path_segments(seen, last)
    end_ns = int(segments["end_ns"].max() or 0) if segments.height else 0  # type: ignore[arg-type]
    slack = slacks(seen, end_ns)
    rows = labelled(segments, known, "task_id", "task").with_columns(duration_ns=pl.col("end_ns") - pl.col("start_ns"))
    by_task = rows.group_by("task_id", "task").agg(
        path_ns=pl.col("duration_ns").sum(),
        **{f"{kind}_ns": pl.col("duration_ns").filter(pl.col("kind") == kind).sum() for kind in KINDS[:3]},
        pieces=pl.len().cast(pl.Int64),
    ).sort("path_ns", "task_id", descending=[True, False])  # fmt: skip
    by_kind = rows.group_by("kind", "reason").agg(
        duration_ns=pl.col("duration_ns").sum(), pieces=pl.len().cast(pl.Int64)
    )
    facts = {
        "end_ns": end_ns,
        "ends_with": None if last < 0 else known["label"][int(seen.lives.task[last])],
        "pieces": rows.height,
        **{f"{kind}_ns": int(rows.filter(pl.col("kind") == kind)["duration_ns"].sum()) for kind in KINDS},
    }
    missing = () if last >= 0 else ("No task was ever RUNNING.",)
    return Analysis("critical-path", facts, {
        "by_task": Table("The path by task", by_task, ("task_id",)),
        "by_kind": Table("The path by what its time is", by_kind.sort("duration_ns", "kind", "reason",
                                                                      descending=[True, False, False])),
        "slack": Table("How much longer each task's stays on a CPU could take", _by_task(seen, slack, known), ("task_id",)),
        "segments": Table("The path in order of time", rows.select(
            "start_ns", "duration_ns", "task_id", "task", "cpu", "kind", "reason", "on", "then"), ("task_id",)),
    }, missing, _notes(seen, rows))  # fmt: skip


def _notes(seen: History, rows: pl.DataFrame) -> tuple[str, ...]:
    inferred = seen.bundle.tables["gaps"].num_rows
    return (f"The recording has {inferred} gaps; a path through one of them is as sure as what was inferred there.",) if inferred else ()  # fmt: skip


def _last(seen: History, end_of: int | None) -> int:
    """The RUNNING interval that ends last, of the tasks that count or of one task; NULL without any."""
    lives = seen.lives
    own = (lives.state == RUNNING) & (seen.chosen[lives.task] if end_of is None else lives.task == end_of)
    places = np.flatnonzero(own)
    return int(places[np.argmax(lives.end[places])]) if len(places) else -1


def path_segments(seen: History, last: int) -> pl.DataFrame:
    """task_id, cpu, kind, reason, on, start_ns, end_ns, then: the path to the end of interval `last`, from 0 on."""
    lives = seen.lives
    pieces = _walk(lives, seen.wakes, last)[::-1] if last >= 0 else np.empty((0, 5), np.int64)
    place, kind = pieces[:, 0], pieces[:, 1]
    things, names = waited_on(seen)
    inside = np.maximum(place, 0)
    off = (kind == WAIT) & (place >= 0)
    reason = np.where(off & (lives.state[inside] == BLOCKED), lives.reason[inside], -1) if len(lives.task) else kind
    words = [pl.col(name).replace_strict(dict(enumerate(known)), default=None, return_dtype=pl.String)
             for name, known in (("kind", KINDS), ("reason", REASONS.names), ("then", LINKS))]  # fmt: skip
    frame = pl.DataFrame({
        "task_id": lives.task[inside].astype(np.int32) if len(lives.task) else kind.astype(np.int32),
        "cpu": np.where(kind <= QUEUE, lives.cpu[inside], -1).astype(np.int32) if len(lives.task) else kind.astype(np.int32),
        "kind": kind.astype(np.int32),
        "reason": reason.astype(np.int32),
        "on": np.where(off, things[inside], -1).astype(np.int32) if len(lives.task) else kind.astype(np.int32),
        "start_ns": pieces[:, 2],
        "end_ns": pieces[:, 3],
        "then": pieces[:, 4].astype(np.int32),
    })  # fmt: skip
    cpu = pl.when(pl.col("cpu") >= 0).then("cpu").alias("cpu")
    return frame.with_columns(*words, cpu, named(pl.col("on"), names).alias("on"))


@njit
def _piece(pieces: Any, count: int, place: int, kind: int, start: int, end: int, link: int) -> Any:
    """One more piece, if it takes any time; and how many there are."""
    if end <= start:
        return pieces, count
    if count == len(pieces):
        pieces = np.concatenate((pieces, np.empty_like(pieces)))
    pieces[count, 0], pieces[count, 1], pieces[count, 2] = place, kind, start
    pieces[count, 3], pieces[count, 4] = end, link
    return pieces, count + 1


@cached_njit
def _walk(lives: Lives, wakes: Wakes, last: int) -> Any:
    """Pieces (interval, kind, start, end, link to the piece after it), backwards from the end of RUNNING interval `last`."""
    pieces, count = np.empty((_MORE, 5), np.int64), 0
    i, t, link = last, lives.end[last], END
    while i >= 0:  # i is RUNNING and t within it, or its end
        pieces, count = _piece(pieces, count, i, COMPUTE, lives.start[i], t, link)
        t, lead = lives.start[i], lives.lead[i]
        holder = holder_of(lives, i)
        if holder >= 0:
            pieces, count = _piece(pieces, count, i, QUEUE, lives.end[holder], t, OWN)
            i, t, link = holder, min(t, lives.end[holder]), HELD
            continue
        pieces, count = _piece(pieces, count, i, QUEUE, lives.start[lead], t, OWN)
        t = lives.start[lead]
        source, at = source_of(lives, wakes, lead)
        if source >= 0:
            pieces, count = _piece(pieces, count, lead, WAIT, at, t, OWN)
            i, t, link = source, at, WOKE
            continue
        before = ran_before(lives, lead)
        if before >= 0:
            pieces, count = _waits(pieces, count, lives, lead, lives.end[before], t, WAIT)
            i, t, link = before, lives.end[before], OWN
            continue
        pieces, count = _waits(pieces, count, lives, lead, 0, t, BEFORE)
        i = -1
    return pieces[:count]


@njit
def holder_of(lives: Lives, i: int) -> int:
    """The RUNNING interval that kept i from its CPU: that CPU's last one, if it ended after i had become RUNNABLE."""
    before = lives.before_on_cpu[i]
    lead = lives.lead[i]
    return before if lead < i and before >= 0 and lives.end[before] > lives.start[lead] else -1


@njit
def source_of(lives: Lives, wakes: Wakes, lead: int) -> Any:
    """The RUNNING interval of the task that made this stay begin, and when; NULL where nothing else did."""
    w = lives.made_by[lead]
    if w >= 0 and wakes.source[w] >= 0 and lives.task[wakes.source[w]] != lives.task[lead]:
        return wakes.source[w], wakes.at[w]
    return -1, 0


@njit
def ran_before(lives: Lives, lead: int) -> int:
    """The same task's RUNNING interval before this stay, whatever lies between; NULL without any."""
    i = lead - 1
    while i >= lives.first[lives.task[lead]] and lives.state[i] != RUNNING:
        i -= 1
    return i if i >= lives.first[lives.task[lead]] else -1


@njit
def _waits(pieces: Any, count: int, lives: Lives, lead: int, since: int, until: int, otherwise: int) -> Any:
    """The time from `since` to `until` of one task, off the CPU: a piece for each interval, and for holes among them."""
    t, i = until, lead - 1
    while t > since:
        own = i >= lives.first[lives.task[lead]] and lives.end[i] > since
        if not own:
            return _piece(pieces, count, lead, otherwise, since, t, OWN)
        pieces, count = _piece(pieces, count, i, WAIT, lives.end[i], t, OWN)
        t = min(t, lives.end[i])
        kind = QUEUE if lives.state[i] == RUNNABLE else WAIT if lives.state[i] == BLOCKED else otherwise
        pieces, count = _piece(pieces, count, i, kind, max(since, lives.start[i]), t, OWN)
        t = min(t, lives.start[i])
        i -= 1
    return pieces, count


def slacks(seen: History, end_ns: int) -> Any:
    """By interval: how much longer it could take, in ns, without moving `end_ns`; only RUNNING ones have a meaning."""
    return _slacks(seen.lives, seen.wakes, seen.by_start, end_ns)


@cached_njit
def _slacks(lives: Lives, wakes: Wakes, by_start: Any, end_ns: int) -> Any:
    """Latest first: each RUNNING interval is done when all that begin after it are, and tells those that it depends on."""
    slack = np.maximum(end_ns - lives.end, 0)
    for place in range(len(by_start) - 1, -1, -1):
        i = by_start[place]
        if lives.state[i] != RUNNING:
            continue
        lead = lives.lead[i]
        ready = lives.start[lead]
        holder, own = holder_of(lives, i), ran_before(lives, lead)
        free = ready if holder < 0 else lives.end[holder]  # it could have become ready so late
        source, _ = source_of(lives, wakes, lead)
        if source >= 0:
            slack[source] = min(slack[source], slack[i] + free - ready)
        if own >= 0:
            since = lives.end[own] if source >= 0 else ready
            slack[own] = min(slack[own], slack[i] + free - since)
        on_cpu = lives.before_on_cpu[i]
        if on_cpu >= 0:
            slack[on_cpu] = min(slack[on_cpu], slack[i] + max(0, ready - lives.end[on_cpu]))
    return slack


def _by_task(seen: History, slack: Any, known: pl.DataFrame) -> pl.DataFrame:
    """Per task: its RUNNING time, the part of it without any slack, and the least slack of its stays; least first."""
    lives = seen.lives
    own = np.flatnonzero((lives.state == RUNNING) & seen.chosen[lives.task])
    frame = pl.DataFrame({
        "task_id": lives.task[own], "ns": lives.end[own] - lives.start[own], "slack_ns": slack[own],
    })  # fmt: skip
    rows = frame.group_by("task_id").agg(
        running_ns=pl.col("ns").sum(),
        without_slack_ns=pl.col("ns").filter(pl.col("slack_ns") == 0).sum(),
        least_slack_ns=pl.col("slack_ns").min(),
    )
    rows = labelled(rows, known, "task_id", "task").sort("least_slack_ns", "without_slack_ns", "task_id",
                                                       descending=[False, True, False])  # fmt: skip
    return rows.select("task_id", "task", "least_slack_ns", "without_slack_ns", "running_ns")
