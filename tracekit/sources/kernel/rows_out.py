"""Settled rows of the state machine to tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import Records, Rows
from tracekit.tables.build import NULL, table

if TYPE_CHECKING:
    import pyarrow as pa


def interval_table(rows: Records, renamed: Rows) -> pa.Table:
    """INTERVAL rows as a table; `renamed` has the task_id of each task."""
    return table(
        "intervals",
        {
            "task_id": renamed[rows["task"]].astype(np.int32),
            "cpu": rows["cpu"],
            "state": rows["state"],
            "start_ns": rows["start_ns"],
            "end_ns": rows["end_ns"],
            "reason": rows["reason"],
            "inferred": rows["inferred"] != 0,
        },
    )


def wakeup_table(rows: Records, renamed: Rows) -> pa.Table:
    """WAKE rows as a table; `renamed` has the task_id of each task."""
    return table(
        "wakeups",
        {
            "at_ns": rows["at_ns"],
            "waker_id": _renamed(rows["waker"], renamed),
            "wakee_id": renamed[rows["wakee"]],
            "cpu": rows["cpu"],
            "target_cpu": rows["target_cpu"],
            "reason": rows["reason"],
        },
    )


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


def _renamed(numbers: npt.NDArray[np.int32], renamed: Rows) -> Rows:
    return np.where(numbers < 0, NULL, renamed[numbers])
