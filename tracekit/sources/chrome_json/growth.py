"""More room for what the scanner writes down."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit
from tracekit.sources import copying
from tracekit.sources.chrome_json.layout import (
    ARENA,
    EVENTS,
    EXTRAS,
    LAST_ROW,
    NONE,
    NOTES,
    ROWS,
    TEXTS,
    Store,
)
from tracekit.sources.chrome_json.text import row_slot, text_hash, text_slot


def grown(s: Store) -> Store:
    """A store with twice the room wherever more than half is used; if nowhere, for texts: one was too long."""
    used = {"events": EVENTS, "extras": EXTRAS, "notes": NOTES, "arena": ARENA}
    arrays = {name: getattr(s, name) for name in used}
    larger = {name: _doubled(array) for name, array in arrays.items() if s.state[used[name]] * 2 > len(array)}
    if s.state[TEXTS] * 2 >= len(s.starts) - 1:
        larger |= {"starts": _doubled(s.starts), "slots": _emptied(s.slots)}
    if s.state[ROWS] * 2 >= len(s.row_pid):
        larger |= {"row_pid": _doubled(s.row_pid), "row_tid": _doubled(s.row_tid), "pairs": _emptied(s.pairs)}
    result = s._replace(**(larger or {"arena": _doubled(s.arena)}))
    result.state[LAST_ROW] = NONE
    _enter_again(result, "slots" in larger, "pairs" in larger)
    return result


def _doubled(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    larger = np.empty(len(array) * 2, array.dtype)
    if array.dtype.itemsize % 8:
        larger[: len(array)] = array
    else:
        copying.words_of(larger)[: len(array)] = copying.words_of(array)
    return larger


def _emptied(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.full(len(table) * 2, NONE, table.dtype)


def _enter(s: Store, texts: bool, rows: bool) -> None:
    if texts:
        for number in range(s.state[TEXTS]):
            start, end = s.starts[number], s.starts[number + 1]
            s.slots[text_slot(s.arena, start, end, text_hash(s.arena, start, end), s)] = number
    if rows:
        for row in range(s.state[ROWS]):
            s.pairs[row_slot(s.row_pid[row], s.row_tid[row], s)] = row


_enter_again = cached_njit(_enter, counted=False)
