"""What the scanner writes down: one short record per event that says something about scheduling."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Records = Any  # a structured array
Number = Any  # an int; of numpy's kind where nothing is compiled

NONE = -1

EVENT = np.dtype([
    ("ts", np.int64),  # ns
    ("dur", np.int64),  # ns; NONE where none is given
    ("row", np.int32),  # which pair of pid and tid
    ("name", np.int32),  # which text
    ("extra", np.int32),  # which row of EXTRA, or NONE
    ("ph", np.uint8),
    ("flags", np.uint8),
], align=True)  # fmt: skip

EXTRA = np.dtype([
    ("tid", np.int64),  # of args: whose slice it is
    ("cat", np.int32),
    ("id", np.int32),
    ("bind", np.int32),
    ("reason", np.int32),
    ("cpu", np.int32),
    ("thread", np.int32),
    ("target", np.int32),
    ("inferred", np.int32),
])  # fmt: skip

NOTE = np.dtype([("row", np.int32), ("start", np.int64), ("end", np.int64)])  # an event whose text is read again

FLOW_IN, FLOW_OUT, ENCLOSING = 1, 2, 4  # flags of an event

# The scanner's state, kept from window to window.
(POS, MODE, DEPTH, QUOTED, OBJECT, EVENTS, EXTRAS, NOTES, TEXTS, ARENA, ROWS, READ, BAD_AT, INEXACT, UNPLACED,
 OTHER_VALUES, LAST_PID, LAST_TID, LAST_ROW, SIZE) = range(20)  # fmt: skip

START, TOP, SKIP, ARRAY, DONE = range(5)  # MODE: where in the document POS is

# How a scan ends: the window is used up, an event is damaged, there is no room for the next.
WANTS_MORE, DAMAGED, FULL, FOREIGN = range(4)

PHASES = 256  # counts by phase

# Values of an event that are looked at, and those of its args: times, then texts that become numbers, then others.
(TS, DUR, PID, TID, NAME, CAT, ID, BIND, ARG_REASON,
 PH, IN, OUT, BP, ARGS, ARG_TID, ARG_CPU, ARG_THREAD, ARG_TARGET, ARG_INFERRED, FIELDS) = range(20)  # fmt: skip


class Store(NamedTuple):
    """Every array that the scanner fills. Texts are in `arena`; `slots` and `pairs` are hash tables over them."""

    state: Ints
    ignored: Ints
    events: Records
    extras: Records
    notes: Records
    arena: Bytes
    starts: Ints  # of each text in the arena; the next one's start is its end
    slots: npt.NDArray[np.int32]
    row_pid: npt.NDArray[np.int32]
    row_tid: npt.NDArray[np.int32]
    pairs: npt.NDArray[np.int32]
    fields: Ints  # where each value of the event being read begins and ends
    known: Ints  # what times and texts among them are: ns, or the text's number


def new_store(window_bytes: int) -> Store:
    """Room for a window of small events; `grown` makes more."""
    state = np.zeros(SIZE, np.int64)
    state[[BAD_AT, LAST_ROW]] = NONE
    size = 1 << 12
    return Store(
        state=state,
        ignored=np.zeros(PHASES, np.int64),
        events=np.empty(window_bytes // 128 + 64, EVENT),
        extras=np.empty(1 << 12, EXTRA),
        notes=np.empty(1 << 10, NOTE),
        arena=np.empty(1 << 16, np.uint8),
        starts=np.zeros(size + 1, np.int64),
        slots=np.full(size * 2, NONE, np.int32),
        row_pid=np.empty(size, np.int32),
        row_tid=np.empty(size, np.int32),
        pairs=np.full(size * 2, NONE, np.int32),
        fields=np.full(2 * FIELDS, NONE, np.int64),
        known=np.full(FIELDS, NONE, np.int64),
    )
