"""Flow events and instants as wakeups: who made whom runnable, as far as the slices agree.

A flow of events s, t, f with one category, name and id (version 1), or of slices with one bind_id (version 2, flow_out
and flow_in), says that one slice led to another: its beginning is the wakeup, its end the slice that the wakee ran
for. It counts where the wakee was not running then; and of several before one slice the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracekit.sources import copying
from tracekit.sources.chrome_json.layout import EVENTS, EXTRAS, FLOW_IN, FLOW_OUT, NONE, Ints, Records, Store
from tracekit.sources.chrome_json.naming import Rows
from tracekit.sources.chrome_json.slices import ordered
from tracekit.sources.chrome_json.tasks import Pieces
from tracekit.vocabulary import STATES

WAKEUP = np.dtype([
    ("at", np.int64), ("arrival", np.int64), ("waker", np.int32), ("wakee", np.int32), ("cpu", np.int32),
    ("target", np.int32), ("reason", np.int32), ("piece", np.int64),
], align=True)  # fmt: skip

_S, _T, _F, _I, _OLD_I = map(ord, "stfiI")


@dataclass
class Flows:
    """Wakeups that count, by time; and how many flows did not, and why."""

    wakeups: Records
    unplaced: int = 0  # an end that is in no task's row
    already: int = 0  # the wakee was RUNNING, or already RUNNABLE


def _edges(store: Store) -> tuple[Records, Records]:
    """Pairs of events (from, to) that flows connect, each as a row of events."""
    events = store.events[: store.state[EVENTS]]
    extras = store.extras[: store.state[EXTRAS]]
    has_extra = events["extra"] >= 0
    first_version = has_extra & np.isin(events["ph"], (_S, _T, _F))
    bound = has_extra & ((events["flags"] & (FLOW_IN | FLOW_OUT)) != 0) & ~first_version
    chosen = np.flatnonzero(first_version | bound)
    of = copying.taken(extras, events["extra"][chosen])
    one = first_version[chosen]
    keys = [np.where(one, of["cat"], NONE), np.where(one, events["name"][chosen], NONE),
            np.where(one, of["id"], of["bind"]), one]  # fmt: skip
    order = np.lexsort((events["ts"][chosen], *keys))
    keys, chosen, one = [key[order] for key in keys], chosen[order], one[order]
    flow = copying.taken(events, chosen)
    begins = np.where(one, flow["ph"] != _F, (flow["flags"] & FLOW_OUT) != 0)
    ends = np.where(one, flow["ph"] != _S, (flow["flags"] & FLOW_IN) != 0)
    joined = begins[:-1] & ends[1:] & np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    at = np.flatnonzero(joined)
    return copying.taken(flow, at), copying.taken(flow, at + 1)


def _instants(store: Store) -> Records:
    events = store.events[: store.state[EVENTS]]
    return copying.where(np.isin(events["ph"], (_I, _OLD_I)), events)


class _Finder:
    """Which task was on a row at a time: a thread's row is one task's, a CPU's that of the slice there."""

    def __init__(self, pieces: Pieces, rows: Rows) -> None:
        self.of_row = np.full(len(rows.pid) + 1, NONE, np.int64)
        for row, task in pieces.tasks.of_row.items():
            self.of_row[row] = task
        self.on_cpu = rows.cpu != NONE
        by_row = copying.taken(pieces.rows, ordered(pieces.rows["row"], pieces.rows["start"]))
        self.by_row = by_row
        self.bounds = np.searchsorted(by_row["row"], np.arange(len(rows.pid) + 1))

    def tasks(self, rows: Ints, times: Ints, *, coming: bool) -> Ints:
        """The task of each (row, time), or NONE; on a CPU's row, if `coming`, else the one that begins next there."""
        result = self.of_row[rows]
        for row in np.unique(rows[self.on_cpu[rows]]):
            here = self.by_row[self.bounds[row] : self.bounds[row + 1]]
            asked = np.flatnonzero(rows == row)
            result[asked] = NONE
            if not len(here):
                continue
            # The slice that is open then; the one that begins at that very time comes last and wins.
            at = np.searchsorted(here["start"], times[asked], side="right") - 1
            open_ = (at >= 0) & (times[asked] < here["end"][at])
            at = np.where(open_, at, at + 1) if coming else at
            known = (open_ | coming) & (at < len(here))
            result[asked[known]] = here["task"][at[known]]
        return result


def flows_of(store: Store, pieces: Pieces, rows: Rows) -> Flows:
    """Every flow and instant that names two tasks, or one, as a wakeup not yet held against the slices."""
    start, end = _edges(store)
    finder = _Finder(pieces, rows)
    instants = _instants(store)
    found = np.zeros(len(start) + len(instants), WAKEUP)
    flows, single = found[: len(start)], found[len(start) :]
    flows["at"], flows["arrival"] = start["ts"], end["ts"]
    flows["waker"] = finder.tasks(start["row"], start["ts"], coming=False)
    flows["wakee"] = finder.tasks(end["row"], end["ts"], coming=True)
    single["at"] = single["arrival"] = instants["ts"]
    single["waker"] = NONE
    single["wakee"] = finder.tasks(instants["row"], instants["ts"], coming=True)
    extras = store.extras[: store.state[EXTRAS]]
    for part, events in ((flows, start), (single, instants)):
        for column in ("cpu", "target", "reason"):
            part[column] = NONE
            told = np.flatnonzero(events["extra"] >= 0)
            part[column][told] = extras[column][events["extra"][told]]
    placed = found["wakee"] != NONE
    found = copying.where(placed & (found["arrival"] >= found["at"]), found)
    order = np.argsort(found["at"], kind="stable")
    return Flows(copying.taken(found, order), unplaced=int(np.sum(~placed)))


def wakeups_before_slices(flows: Flows, running: Records) -> Flows:
    """Of flows to tasks that only RUN: those from before a slice of the wakee's, after the slice before it."""
    w = flows.wakeups
    w["piece"] = _piece_at(running, w["wakee"], w["arrival"])
    known = w["piece"] < len(running)
    before = np.where(known, w["piece"], 0)
    inside = known & (running["task"][before] == w["wakee"]) if len(running) else known
    previous = np.maximum(before - 1, 0)
    has_previous = (before > 0) & (running["task"][previous] == w["wakee"]) if len(running) else known
    idle_since = np.where(has_previous, running["end"][previous] if len(running) else 0, np.iinfo(np.int64).min)
    counts = inside & (w["at"] >= idle_since) & (w["at"] <= (running["start"][before] if len(running) else 0))
    kept = np.flatnonzero(counts)
    _, first = np.unique(w["piece"][kept], return_index=True)  # in order of time, so the earliest
    kept = kept[np.sort(first)]
    return Flows(copying.taken(w, kept), flows.unplaced, flows.already + len(w) - len(kept))


def _piece_at(pieces: Records, tasks: Ints, times: Ints) -> Ints:
    """For each task and time the number of its first piece that ends after it; one that is another task's if none."""
    return _ranked(pieces["task"], pieces["end"], tasks, times)


def _ranked(task: Ints, time: Ints, tasks: Ints, times: Ints) -> Ints:
    """How many of the pairs (task, time), which are in order, are at or before each of (tasks, times)."""
    both = np.concatenate((task, tasks)).astype(np.int64)
    when = np.concatenate((time, times))
    asked = np.repeat((0, 1), (len(task), len(tasks)))
    order = np.lexsort((asked, when, both))
    before = np.cumsum(asked[order] == 0)
    result = np.empty(len(order), np.int64)
    result[order] = before
    return result[len(task) :]


def wakeups_that_fit(flows: Flows, pieces: Records) -> Flows:
    """Of flows to tasks whose states are told: those that find their wakee neither RUNNING nor RUNNABLE."""
    able = copying.where(
        np.isin(pieces["state"], (STATES["RUNNING"], STATES["RUNNABLE"])) & ~pieces["inferred"], pieces
    )
    w = flows.wakeups
    at = _ranked(able["task"], able["end"], w["wakee"], w["at"])
    safe = np.minimum(at, max(len(able) - 1, 0))
    held = (
        (at < len(able)) & (able["task"][safe] == w["wakee"]) & (able["start"][safe] < w["at"]) if len(able) else at < 0
    )
    return Flows(copying.where(~held, w), flows.unplaced, flows.already + int(held.sum()))
