"""Slices to tasks: whose each slice is, by its row, or on rows of CPUs by its name and arguments."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tracekit.sources import copying
from tracekit.sources.chrome_json.layout import EXTRAS, NONE, TEXTS, Ints, Records, Store
from tracekit.sources.chrome_json.naming import Rows, text_of
from tracekit.sources.chrome_json.slices import grouped, ordered
from tracekit.sources.chrome_json.spec import IDLE, TASK_NAMES
from tracekit.sources.state_words import state_of
from tracekit.vocabulary import REASONS, STATES

THREADS, CPUS, STATE_ROWS = "rows of threads", "rows of CPUs", "rows of states"  # where scheduling stands in a file

PIECE = np.dtype([
    ("start", np.int64), ("end", np.int64), ("task", np.int32), ("cpu", np.int32), ("row", np.int32),
    ("thread", np.int32), ("state", np.int8), ("reason", np.int8), ("inferred", np.bool_),
], align=True)  # fmt: skip


@dataclass
class Tasks:
    """Every task: its name, id in the file, row (NONE: none of its own); and what task a row is."""

    names: list[str] = field(default_factory=list)
    source_ids: list[int | None] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    of_row: dict[int, int] = field(default_factory=dict)


@dataclass
class Pieces:
    """Pieces of time by task, and how many slices were the idle task's."""

    tasks: Tasks
    rows: Records  # of PIECE
    idle: int = 0


def kind_of_file(slices: Records, rows: Rows, state_of_text: Ints) -> tuple[str, np.ndarray]:
    """Where the scheduling stands, and which slices say it.

    Rows all of whose slices are called by a state win, if they are half of the rows that are no CPU's and one of them
    is RUNNING at some time; then rows of CPUs; then, with neither, every row is a thread that runs while it has a slice open.
    """
    count = len(rows.pid)
    on_cpu_row = rows.cpu[slices["row"]] != NONE
    named = state_of_text[slices["name"]] != NONE
    have = np.bincount(slices["row"][~on_cpu_row], minlength=count)
    like_states = np.bincount(slices["row"][~on_cpu_row & named], minlength=count)
    state_rows = (have > 0) & (have == like_states)
    runs = np.any(state_of_text[slices["name"][state_rows[slices["row"]]]] == STATES["RUNNING"])
    if runs and 2 * int(state_rows.sum()) >= int((have > 0).sum()):
        return STATE_ROWS, state_rows[slices["row"]]
    if on_cpu_row.any():
        return CPUS, on_cpu_row
    return THREADS, np.ones(len(slices), np.bool_)


def states_of_texts(store: Store, used: Ints) -> tuple[Ints, Ints]:
    """State and reason codes by text number, NONE for those that are no state's word; only for texts that are `used`."""
    states = np.full(int(store.state[TEXTS]) + 1, NONE, np.int64)  # the last for NONE itself
    reasons = states.copy()
    for number in used[used >= 0]:
        if store.starts[number + 1] - store.starts[number] <= 40 and (known := state_of(text_of(store, int(number)))):
            states[number] = STATES[known[0]]
            reasons[number] = NONE if known[1] is None else REASONS[known[1]]
    return states, reasons


def pieces_of(kind: str, slices: Records, rows: Rows, store: Store, words: tuple[Ints, Ints]) -> Pieces:
    """The chosen slices as pieces of tasks, by task and time."""
    extras = store.extras[: store.state[EXTRAS]]
    if kind == CPUS:
        tasks, of_slice = _tasks_on_cpus(slices, rows, store)
    else:
        tasks, of_slice = _tasks_of_rows(slices, rows)
    pieces = np.zeros(len(slices), PIECE)
    for column in ("start", "end", "row"):
        pieces[column] = slices[column]
    pieces["task"], pieces["cpu"], pieces["thread"] = of_slice, rows.cpu[slices["row"]], NONE
    pieces["inferred"] = slices["unfinished"] != 0
    pieces["state"], pieces["reason"] = STATES["RUNNING"], NONE
    if kind == STATE_ROWS:
        _take_states(pieces, slices, extras, store, words)
    pieces = copying.where(of_slice != NONE, pieces)
    order = ordered(pieces["task"], pieces["start"])
    return Pieces(tasks, copying.taken(pieces, order), int(np.sum(of_slice == NONE)))


def _take_states(pieces: Records, slices: Records, extras: Records, store: Store, words: tuple[Ints, Ints]) -> None:
    pieces["state"], pieces["reason"] = words[0][slices["name"]], words[1][slices["name"]]
    told = np.flatnonzero(slices["extra"] >= 0)
    of = copying.taken(extras, slices["extra"][told])
    pieces["cpu"][told], pieces["thread"][told] = of["cpu"], of["thread"]
    pieces["inferred"][told] |= of["inferred"] > 0
    codes = reason_codes(store, of["reason"])
    pieces["reason"][told] = np.where(codes == NONE, pieces["reason"][told], codes)


def reason_codes(store: Store, texts: Ints) -> Ints:
    """Reasons by text number, as codes; NONE for no text and for words that are no reason."""
    codes = np.full(int(store.state[TEXTS]) + 1, NONE, np.int64)
    for number in np.unique(texts):
        if number >= 0:
            codes[number] = REASONS.get(text_of(store, int(number)), NONE)
    return codes[texts]


def _tasks_of_rows(slices: Records, rows: Rows) -> tuple[Tasks, Ints]:
    """A task for each row, in the order in which they are first seen, or as our own export numbers them."""
    seen, first = np.unique(slices["row"], return_index=True)
    ranked = sorted(zip(slices["start"][first].tolist(), seen.tolist(), strict=True), key=lambda pair: pair)
    order = [row for _, row in ranked]
    if rows.own is not None:
        order = _as_numbered(rows)
    tasks = Tasks()
    for row in order:
        tasks.of_row[row] = len(tasks.names)
        tasks.names.append(rows.names[row] or f"thread {rows.tid[row] or '?'}")
        tasks.source_ids.append(rows.number(row))
        tasks.rows.append(row)
    of_row = np.full(len(rows.pid) + 1, NONE, np.int64)
    for row, task in tasks.of_row.items():
        of_row[row] = task
    return tasks, of_row[slices["row"]]


def _as_numbered(rows: Rows) -> list[int]:
    """Rows by the task_id that our own export gave them."""
    numbered = [(told.get("task_id"), row) for row, told in rows.arguments.items()]
    return [row for _, row in sorted((i, row) for i, row in numbered if isinstance(i, int))]


def _tasks_on_cpus(slices: Records, rows: Rows, store: Store) -> tuple[Tasks, Ints]:
    """A task for each id, or name where there is no id; NONE for the idle task."""
    tids = np.full(len(slices), NONE, np.int64)
    told = slices["extra"] >= 0
    tids[told] = store.extras["tid"][slices["extra"][told]]
    ids, codes = np.unique(tids, return_inverse=True) if told.any() else (tids[:1], np.zeros(len(tids), np.int64))
    first, of_slice = grouped(slices["name"].astype(np.int64) * len(ids) + codes.reshape(-1) + len(ids))
    rows_by_number = {rows.number(row): row for row in range(len(rows.pid)) if rows.cpu[row] == NONE}
    tasks, known = Tasks(), {}
    of_pair = np.full(len(first), NONE, np.int64)
    for pair in np.argsort(slices["start"][first], kind="stable"):
        name, number = _identity(text_of(store, int(slices["name"][first[pair]])), int(tids[first[pair]]))
        if IDLE.fullmatch(name):
            continue
        key = name if number is None else number
        if key not in known:
            known[key] = len(tasks.names)
            row = rows_by_number.get(number, NONE) if number is not None else NONE
            if row != NONE:
                tasks.of_row[row] = known[key]
            tasks.names.append(name or f"task {number}")
            tasks.source_ids.append(number)
            tasks.rows.append(row)
        of_pair[pair] = known[key]
    return tasks, of_pair[of_slice]


def _identity(text: str, tid: int) -> tuple[str, int | None]:
    """Name and id of the task that a slice on a CPU's row is called by."""
    for pattern in TASK_NAMES:
        if match := pattern.fullmatch(text):
            return match["name"], int(match["id"]) if tid == NONE else tid
    return text, None if tid == NONE else tid


def without_overlaps(pieces: Records) -> tuple[Records, Records]:
    """Pieces by task and time of which none begins before the one before has ended, and those that did so."""
    same = pieces["task"][1:] == pieces["task"][:-1]
    starts = pieces["start"].copy()
    ends = _running_end(pieces)
    late = np.flatnonzero(same & (starts[1:] < ends[:-1])) + 1
    wrong = copying.taken(pieces, late)
    pieces = copying.copied(pieces)
    pieces["start"][late] = ends[late - 1]
    return copying.where(pieces["end"] > pieces["start"], pieces), wrong


def _running_end(pieces: Records) -> Ints:
    """For each piece the latest end of its task so far."""
    if not len(pieces):
        return np.zeros(0, np.int64)
    # One pass of a running maximum serves all tasks: each is lifted above everything of the tasks before it.
    low = int(pieces["end"].min())
    span = int(pieces["end"].max()) - low + 1
    if span * (int(pieces["task"].max()) + 1) < 1 << 62:
        lifted = (pieces["end"] - low) + pieces["task"].astype(np.int64) * span
        result: Ints = np.maximum.accumulate(lifted) - pieces["task"].astype(np.int64) * span + low
        return result
    bounds = np.flatnonzero(np.diff(pieces["task"])) + 1
    return np.concatenate([np.maximum.accumulate(part) for part in np.split(pieces["end"], bounds)])
