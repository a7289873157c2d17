"""Which events of a file are taken, by their number, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tracekit.sources.kernel.events import EVENT_KINDS, GENERIC_NUMBERS, Rows
from tracekit.sources.kernel.formats import EventFormat
from tracekit.sources.kernel.tracepoints import ADDED, KIND, PLAN_COLUMNS, States, plan_row, states_of

EVENT_TYPES = 1 << 16  # common_type has 16 bits
_ENTER, _EXIT = EVENT_KINDS["sys_enter"], EVENT_KINDS["sys_exit"]


class Plan(NamedTuple):
    """How to read events: `row_of` by common_type (-1: none), `rows` (PLAN_COLUMNS), and how to read prev_state."""

    row_of: Rows
    rows: Rows
    states: States


def plan(formats: Mapping[int, EventFormat], generic_numbers: bool | None) -> Plan:
    """A plan for the events of TRACEPOINTS among `formats`; none for one that lacks what the event is for.

    `generic_numbers`: how system calls are numbered (see kernel/syscalls.py); None: unknown, so that they only tell
    who runs, as the return from one does.
    """
    row_of, rows = np.full(EVENT_TYPES, -1, np.int64), list[Rows]()
    for number, event in formats.items():
        row = plan_row(event)
        if row is None or number >= EVENT_TYPES:
            continue
        if row[KIND] == _ENTER and generic_numbers is None:
            row[KIND] = _EXIT
        if generic_numbers and row[KIND] == _ENTER:
            row[ADDED] = GENERIC_NUMBERS
        row_of[number] = len(rows)
        rows.append(row)
    stacked = np.stack(rows) if rows else np.zeros((0, PLAN_COLUMNS), np.int64)
    return Plan(row_of, stacked, states_of(formats.values()))
