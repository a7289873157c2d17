"""Settled rows of the state machine to tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracekit.sources.kernel.events import Records
from tracekit.sources.kernel.settled import Intervals, Wakeups
from tracekit.tables.build import table

if TYPE_CHECKING:
    import pyarrow as pa


def interval_table(rows: Intervals) -> pa.Table:
    """Settled intervals as a table."""
    return table("intervals", rows._asdict())


def wakeup_table(rows: Wakeups) -> pa.Table:
    """Settled wakeups as a table."""
    return table("wakeups", rows._asdict())


def gap_table(rows: Records, streams: list[str | None] | None = None) -> pa.Table:
    """GAP rows as a table; `streams` says of which part of the file each of the first of them is."""
    columns: dict[str, object] = {name: rows[name] for name in ("cpu", "start_ns", "end_ns", "lost_events", "cause")}
    if streams and any(streams):
        columns["stream"] = (streams + [None] * len(rows))[: len(rows)]
    return table("gaps", columns)


def since(gaps: Records, origin_ns: int) -> Records:
    """Gaps of the recording's clock in the trace's time."""
    moved = gaps.copy()
    moved["start_ns"] = np.maximum(gaps["start_ns"] - origin_ns, 0)
    moved["end_ns"] = np.maximum(gaps["end_ns"] - origin_ns, moved["start_ns"])
    return moved
