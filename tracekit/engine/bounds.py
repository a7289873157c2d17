"""What a program may ask for, so that no sum of the engine's 64-bit numbers can wrap: more is an error before the run."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine import state as st
from tracekit.errors import ModelError
from tracekit.tables.bundle import Program
from tracekit.units import format_duration

MOST_BYTES = 1 << 40  # of one message or stack
MOST_BYTES_IN_ALL = 1 << 60
MOST_COUNT = (1 << 31) - 1  # in a wait group: its counter has 32 bits, as Go's


def ensure_within(program: Program, segments: Any, starts: Any) -> None:
    """Raise ModelError for a time, a size or a count beyond what the engine can add up. `segments` are its records,
    `starts` where each task's begin."""
    for row in np.flatnonzero(segments.duration > st.TIME_LIMIT_NS)[:1]:
        length = format_duration(int(segments.duration[row]))
        raise ModelError(f"{length} is beyond 2^52 ns (52 days)", where=_where(program, starts, row))
    for row in np.flatnonzero(segments.bytes > MOST_BYTES)[:1]:
        size = f"{segments.bytes[row]:,} bytes are more than {MOST_BYTES:,}"
        raise ModelError(size, where=_where(program, starts, row))
    if segments.bytes.sum(dtype=np.float64) > MOST_BYTES_IN_ALL:
        raise ModelError(f"messages and stacks are more than {MOST_BYTES_IN_ALL:,} bytes in all")
    adds = np.flatnonzero(segments.kind == st.S_WG_ADD)
    added = np.bincount(segments.object[adds], segments["count"][adds])
    for item in np.flatnonzero(added > MOST_COUNT)[:1]:
        row = adds[segments.object[adds] == item][-1]
        count = f"{added[item]:,.0f} are added to one wait group, which counts to {MOST_COUNT:,}"
        raise ModelError(count, where=_where(program, starts, row))


def _where(program: Program, starts: Any, row: int) -> str:
    task = int(np.searchsorted(starts, row, side="right")) - 1
    name = program.tables["tasks"]["name"][task].as_py()
    return f"task {task} ({name}), segment {row - int(starts[task])}"
