"""Lines into time order, window by window; what comes too late, and times that can not be, become gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit
from tracekit.sources.copying import concatenated, copied, taken
from tracekit.sources.kernel.events import CPU_MAX, EVENT, GAP, Batch, Records, Rows
from tracekit.sources.kernel_text.words import NAME_BYTES, Bytes
from tracekit.vocabulary import GAP_CAUSES

# trace_pipe and merged files have lines out of order by micro- to milliseconds; what a window's last lines are
# behind by less than this can still be put in its place.
SLACK_NS = 100_000_000
HELD_MOST = 1 << 20  # events, whatever the slack
# The lines of one CPU are in order; one further ahead of those behind it has a damaged time.
ASTRAY_NS = 1_000_000_000


@cached_njit
def mark_astray(times: Rows, cpus: Rows, last: Rows, before: Rows, astray: npt.NDArray[np.bool_]) -> int:
    """Mark events whose time contradicts those before and after them on the same CPU; returns how many.

    `last` and `before` are by CPU, -1: the row of the last event, and of the one before it.
    """
    count = 0
    for row in range(len(times)):
        cpu = cpus[row]
        if cpu < 0:
            continue
        if last[cpu] >= 0 and times[row] < times[last[cpu]] - ASTRAY_NS:
            ahead = before[cpu] < 0 or times[before[cpu]] <= times[row]
            astray[last[cpu] if ahead else row] = True
            count += 1
            if ahead:
                last[cpu] = row
            continue
        before[cpu] = last[cpu]
        last[cpu] = row
    return count


class Order:
    """Holds back the last events of each window until the next is in."""

    def __init__(self) -> None:
        self.events = np.empty(0, EVENT)
        self.names = np.empty((0, 2, NAME_BYTES), np.uint8)
        self.reached_ns = -1  # of what was given out
        self.gaps: list[Records] = []
        self.late = self.astray = 0

    def take(self, events: Records, names: Bytes, last: bool) -> Batch:
        """What of all events so far is before all that may come; all of it when `last`."""
        if len(self.events):
            events, names = concatenated([self.events, events]), np.concatenate([self.names, names])
        if (events["time_ns"][1:] < events["time_ns"][:-1]).any():
            events, names = self._sorted(events, names)
        late = int(np.searchsorted(events["time_ns"], self.reached_ns))
        self.late += late
        self._gap(events[:late], "inconsistent")
        stop = len(events) if last else max(_settled(events["time_ns"]), late)
        self.events, self.names = copied(events[stop:]), names[stop:].copy()
        if stop > late:
            self.reached_ns = int(events["time_ns"][stop - 1])
        return _batch(events[late:stop], names[late:stop])

    def _sorted(self, events: Records, names: Bytes) -> tuple[Records, Bytes]:
        times = np.ascontiguousarray(events["time_ns"])
        astray = np.zeros(len(events), np.bool_)
        rows = np.full((2, CPU_MAX), -1, np.int64)
        found = mark_astray(times, events["cpu"].astype(np.int64), rows[0], rows[1], astray)
        if found:
            self.astray += found
            sound = times[~astray]  # never empty: of two that contradict each other one stays
            bad = events[astray]
            bad["time_ns"] = np.clip(times[np.maximum(np.flatnonzero(astray) - 1, 0)], sound.min(), sound.max())
            self._gap(bad, "corrupt")
        kept = np.flatnonzero(~astray)
        order = kept[np.argsort(times[kept], kind="stable")]
        return taken(events, order), names[order]

    def _gap(self, events: Records, cause: str) -> None:
        gaps = np.zeros(len(events), GAP)
        gaps["start_ns"] = gaps["end_ns"] = events["time_ns"]
        gaps["cpu"], gaps["lost_events"], gaps["cause"] = events["cpu"], 1, GAP_CAUSES[cause]
        if len(gaps):
            self.gaps.append(gaps)


def _settled(times: Rows) -> int:
    if not len(times):
        return 0
    return max(int(np.searchsorted(times, times[-1] - SLACK_NS)), len(times) - HELD_MOST)


def _batch(events: Records, names: Bytes) -> Batch:
    def read(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        return [_text(name) for name in names[rows, roles]]

    return Batch(events, read)


def _text(name: Bytes) -> str:
    text = name.tobytes().split(b"\0", 1)[0].decode("utf-8", "replace")
    return "" if text == "<...>" else text  # what the kernel prints for a task whose name it no longer knows
