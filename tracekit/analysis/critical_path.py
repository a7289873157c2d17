"""The chain of work and waits that set when the last task ended, and how much longer everything else could take.

The path is followed backwards from the end. RUNNING leads to its own start. RUNNABLE before that leads to who held the
CPU meanwhile, if anybody did; a task that came from outside and cut in on one that ran is passed over. BLOCKED leads
to whoever woke the task, at the time of the wakeup; a wait that a timer or the outside ended is on the path itself. The pieces fill the time from 0 to the end without a hole.

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
    "queue": "RUNNABLE while nobody of the program had the CPU: leaving idle, switching, a task from outside, or not recorded",
    "wait": "BLOCKED until a timer or the outside ended it, or it is not recorded what did",
    "before": "before the first task on the path began",
}
LINKS = ("", "goes on", "wakes", "gives up the CPU to")  # how a piece leads to the next one in time
END, OWN, WOKE, HELD = range(len(LINKS))
_MORE = 1024
# Wakeups at one instant that are followed; and intervals between a stay on a CPU and those that it hangs on.
_MOST_HOPS, _MOST_STEPS = 64, 1024


def critical_path(seen: History, end_of: int | None = None) -> Analysis:
    """`segments` in order of time, `by_task` and `by_kind`, and `slack` per task. `end_of` is a task_id: what set its end."""
    last = seen.last if end_of is None else seen.last_of(np.arange(len(seen.chosen)) == end_of)
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
    """Pieces (interval, kind, start, end, link to the piece after it), backwards from the end of interval `last`."""
    pieces, count = np.empty((_MORE, 5), np.int64), 0
    i, t, link, hops = last, lives.end[last], END, 0
    while i >= 0:  # t is within interval i, or its end
        if lives.state[i] == RUNNING:
            pieces, count = _piece(pieces, count, i, COMPUTE, lives.start[i], t, link)
            t, hops, holder = lives.start[i], 0, holder_of(lives, wakes, i)
            if holder >= 0:
                pieces, count = _piece(pieces, count, i, QUEUE, lives.end[holder], t, OWN)
                i, t, link = holder, min(t, lives.end[holder]), HELD
                continue
            link = OWN
        source, at = _source_of(lives, wakes, i, t)
        if source >= 0 and hops < _MOST_HOPS:
            hops += 1
            pieces, count = _piece(pieces, count, i, WAIT, at, t, link)
            i, t, link = source, at, WOKE
            continue
        queued = lives.state[i] in (RUNNING, RUNNABLE)
        begin = lives.start[lives.lead[i]] if queued else lives.start[i]
        pieces, count = _piece(pieces, count, i, QUEUE if queued else WAIT, begin, t, link)
        first, t, link = lives.lead[i] if queued else i, min(t, begin), OWN
        if first > lives.first[lives.task[i]]:
            pieces, count = _piece(pieces, count, first, WAIT, lives.end[first - 1], t, link)
            i, t = first - 1, min(t, lives.end[first - 1])
            continue
        source, at = _source_of_task(lives, wakes, lives.task[i])
        pieces, count = _piece(pieces, count, first, WAIT if source >= 0 else BEFORE, at, t, link)
        i, t, link = source, at, WOKE
    return pieces[:count]


@njit
def holder_of(lives: Lives, wakes: Wakes, i: int) -> int:
    """The RUNNING interval that kept i from its CPU: that CPU's last one, if it ended after i had become RUNNABLE."""
    before = lives.before_on_cpu[i]
    lead = lives.lead[i]
    held = lead < i and before >= 0 and lives.end[before] > lives.start[lead]
    return before if held and not _cut_in(lives, wakes, before, lead) else -1


@njit
def _cut_in(lives: Lives, wakes: Wakes, held: int, lead: int) -> bool:
    """Whether a task from outside took the CPU from a task that ran: nothing of the program sets when it came, and what
    it interrupted goes on after it, so the path stays with that."""
    first, before = lives.first[lives.task[held]], lead - 1
    source, _ = _source_of_task(lives, wakes, lives.task[held])
    outside = lives.lead[held] == first and lives.start[first] > 0 and source < 0
    return bool(outside and before >= lives.first[lives.task[lead]] and lives.state[before] == RUNNING)


@njit
def _source_of(lives: Lives, wakes: Wakes, i: int, t: int) -> Any:
    """The interval of the task that ended interval i at t, and when; NULL where no other task did."""
    w = lives.ended_by[i]
    if w >= 0 and t == lives.end[i] and wakes.source[w] >= 0 and lives.task[wakes.source[w]] != lives.task[i]:
        return wakes.source[w], wakes.at[w]
    return -1, 0


@njit
def _source_of_task(lives: Lives, wakes: Wakes, task: int) -> Any:
    """The interval of the task that made this one, and when; NULL where that is not known."""
    w = lives.born_by[task]
    if w >= 0 and wakes.source[w] >= 0 and lives.task[wakes.source[w]] != task:
        return wakes.source[w], wakes.at[w]
    return -1, 0


def slacks(seen: History, end_ns: int) -> Any:
    """By interval: how much longer it could take, in ns, without moving `end_ns`; only RUNNING ones have a meaning."""
    ended = seen.bundle.tables["tasks"].column("end_ns").is_valid().to_numpy()
    return _slacks(seen.lives, seen.wakes, seen.by_start, ended, end_ns)


@cached_njit
def _slacks(lives: Lives, wakes: Wakes, by_start: Any, ended: Any, end_ns: int) -> Any:
    """Latest first: each RUNNING interval is done when all that begin after it are, and tells those that it depends on."""
    slack = np.maximum(end_ns - lives.end, 0)
    stack = np.empty((_MOST_HOPS, 2), np.int64)
    for k in range(len(ended)):
        final = lives.first[k + 1] - 1
        if ended[k] and final >= lives.first[k] and lives.state[final] != RUNNING:
            _tell(lives, wakes, slack, stack, final, slack[final])
    for place in range(len(by_start) - 1, -1, -1):
        i = by_start[place]
        if lives.state[i] != RUNNING:
            continue
        lead, holder, on_cpu = lives.lead[i], holder_of(lives, wakes, i), lives.before_on_cpu[i]
        ready = lives.start[lead]
        absorbed = 0 if holder < 0 else lives.end[holder] - ready  # it could have become ready so much later
        _tell_before(lives, wakes, slack, stack, lead, slack[i] + absorbed)
        if on_cpu >= 0:
            slack[on_cpu] = min(slack[on_cpu], slack[i] + max(0, ready - lives.end[on_cpu]))
    return slack


@njit
def _tell_before(lives: Lives, wakes: Wakes, slack: Any, stack: Any, first: int, value: int) -> None:
    """What comes before a stay that begins with interval `first` may end so much later."""
    if first > lives.first[lives.task[first]]:
        _tell(lives, wakes, slack, stack, first - 1, value)
        return
    source, _ = _source_of_task(lives, wakes, lives.task[first])
    if source >= 0:
        _tell(lives, wakes, slack, stack, source, value)


@njit
def _tell(lives: Lives, wakes: Wakes, slack: Any, stack: Any, interval: int, slack_ns: int) -> None:
    """An interval may end so much later: through waits and queues to the RUNNING intervals that they hang on."""
    stack[0, 0], stack[0, 1] = interval, slack_ns
    depth, steps = 1, 0
    while depth > 0 and steps < _MOST_STEPS:
        depth, steps = depth - 1, steps + 1
        i, value = stack[depth, 0], stack[depth, 1]
        if lives.state[i] == RUNNING:
            slack[i] = min(slack[i], value)
            continue
        before = lives.lead[i] if lives.state[i] == RUNNABLE else i
        source, _ = _source_of(lives, wakes, i, lives.end[i])
        if source >= 0:
            stack[depth, 0], stack[depth, 1] = source, value
            depth += 1
            value += lives.end[i] - lives.start[i]
        if before > lives.first[lives.task[i]]:
            stack[depth, 0], stack[depth, 1] = before - 1, value
            depth += 1
        else:
            source, _ = _source_of_task(lives, wakes, lives.task[i])
            if source >= 0:
                stack[depth, 0], stack[depth, 1] = source, value
                depth += 1
        depth = min(depth, len(stack) - 2)


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
