"""A generation's beginning, remembered: one that turns out damaged is read again with less patience."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.copying import copied, words_of
from tracekit.sources.go_trace.lookup import NONE
from tracekit.sources.go_trace.state import State


class Snapshot(NamedTuple):
    """Copies of all records, and which rows were open. Rows written since then count for nothing when it is restored."""

    totals: Any
    goroutines: Any
    goroutine_slots: Any
    ps: Any
    ms: Any
    m_slots: Any
    user_slots: Any
    open_intervals: Any
    open_ranges: Any
    inferred: Any  # of the open ranges


def take(state: State) -> Snapshot:
    """Remember the state as it is."""
    totals = state.totals[0]
    goroutines = copied(state.goroutines[: totals.goroutines])
    open_ranges = np.flatnonzero(state.ranges.end[: totals.ranges] == NONE)
    return Snapshot(
        state.totals.copy(), goroutines, state.goroutine_slots.copy(), copied(state.ps),
        copied(state.ms[: totals.ms]), state.m_slots.copy(), state.user_slots.copy(),
        goroutines.row[goroutines.row != NONE], open_ranges, state.ranges.inferred[open_ranges],
    )  # fmt: skip


def restored(state: State, before: Snapshot) -> State:
    """The state as it was. Its arrays are those of `state`, which may have grown since."""
    state.totals[:] = before.totals
    words_of(state.ps)[:] = words_of(before.ps)
    words_of(state.goroutines)[: len(before.goroutines)] = words_of(before.goroutines)
    words_of(state.ms)[: len(before.ms)] = words_of(before.ms)
    state.intervals.end[before.open_intervals] = NONE
    state.ranges.end[before.open_ranges] = NONE
    state.ranges.inferred[before.open_ranges] = before.inferred
    return state._replace(
        goroutine_slots=before.goroutine_slots, m_slots=before.m_slots, user_slots=before.user_slots
    )  # fmt: skip
