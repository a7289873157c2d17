"""What the reading of lines carries from window to window, what it counts, and what a window had."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracekit.sources.kernel.events import CPU_MAX, EVENT, GAP, Records, Rows, wide
from tracekit.sources.kernel_text.header import HEADER_FIELDS
from tracekit.sources.kernel_text.payload import STATE_COUNTS
from tracekit.sources.kernel_text.words import NAME_BYTES, Bytes

COMMENTS = 256  # lines that begin with "#" and are kept: the header has a few dozen

# Positions in what is counted.
HEADERS, PERF_LINES, WITH_TID, OTHER_TID, WITH_FLAGS, WAKEUPS, TICKS, DAMAGED = (wide(n) for n in range(8))
N_COMMENTS, FINEST, LAST_NS, SWITCHES, SYSTEM_CALLS = (wide(n) for n in range(8, 13))
COUNTS = 13
# What a CPU's pending loss is when none is.
NOT_LOST, LOST_UNKNOWN = wide(-2), wide(-1)


class Reading(NamedTuple):
    """What is carried from window to window."""

    counts: Rows
    states: Rows  # of prev_state
    said: Rows  # the header at hand
    seen_ns: Rows  # by CPU: the last line; -1 none
    lost: Rows  # by CPU: what was lost before its next line
    use_tids: Rows  # one element: whether the tid column names the tasks that the events are about


class Parsed(NamedTuple):
    """What a window had, with the numbers of each in `found`."""

    events: Records
    names: Bytes  # by event, role and byte
    gaps: Records
    comments: Rows  # begin and end of the first lines with "#"
    found: Rows  # events, gaps


def new_reading(old_states: bool = False, use_tids: bool = True) -> Reading:
    """Nothing read yet. `old_states`: numbers of prev_state are those before 4.14."""
    states = np.zeros(STATE_COUNTS, np.int64)
    states[0] = int(old_states)
    counts = np.zeros(COUNTS, np.int64)
    return Reading(
        counts,
        states,
        np.zeros(HEADER_FIELDS, np.int64),
        np.full(CPU_MAX, -1, np.int64),
        np.full(CPU_MAX, NOT_LOST, np.int64),
        np.full(1, use_tids, np.int64),
    )


def room(lines: int) -> Parsed:
    """Room for what `lines` lines can have, to be used again and again."""
    return Parsed(
        np.empty(lines, EVENT),
        np.empty((lines, 2, NAME_BYTES), np.uint8),
        np.empty(2 * lines, GAP),
        np.zeros((COMMENTS, 2), np.int64),
        np.zeros(2, np.int64),
    )
