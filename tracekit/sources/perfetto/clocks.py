"""Which clock the events' times are of, and what it read when the trace began.

Times stay as ftrace gave them, so that lengths and order are exact; one offset for the whole recording says what the
ftrace clock is in CLOCK_BOOTTIME (docs/concepts/clock-sync.md in google/perfetto: "boot" is that clock itself).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.sources.kernel.events import Records
from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto.facts import Facts, Note, Snapshot

_MOST_NS = 1 << 62  # a difference beyond this is of damaged times


class Clocks:
    """The clocks of a recording whose events have FtraceClock `clock`."""

    def __init__(self, clock: int, bundles: Records, facts: Facts) -> None:
        self.clock = clock
        self.snapshots = facts.snapshots
        self.bundles = bundles
        self.to_boot = self.offset_to_boot(clock)

    def offset_to_boot(self, clock: int) -> int | None:
        """What to add to this ftrace clock's times to have CLOCK_BOOTTIME; None: the recording does not say."""
        if clock == n.FTRACE_BOOT:
            return 0
        if clock == n.FTRACE_MONO_RAW:
            return _offset(self.snapshots, n.MONOTONIC_RAW, n.BOOTTIME)
        pairs = self._pairs(clock)
        return pairs[0] if pairs else None

    def _pairs(self, clock: int) -> list[int]:
        """What each bundle says, the first and the last: both clocks, read when the bundle was."""
        rows = self.bundles[(self.bundles["clock"] == clock) & (self.bundles["ftrace_ns"] > 0)]
        rows = rows[rows["boot_ns"] > 0][[0, -1]] if (rows["boot_ns"] > 0).any() else rows[:0]
        found = [int(row["boot_ns"]) - int(row["ftrace_ns"]) for row in rows]
        return [offset for offset in found if abs(offset) < _MOST_NS]

    def shift_from(self, clock: int) -> int | None:
        """What to add to another ftrace clock's times to have this recording's; None: not known."""
        other = self.offset_to_boot(clock)
        return None if other is None or self.to_boot is None else other - self.to_boot

    def time_of(self, note: Note) -> int:
        """When a note was taken, by the events' clock; -1: not known."""
        offset = _offset(self.snapshots, note.clock, n.BOOTTIME)
        if note.time_ns < 0 or offset is None or self.to_boot is None:
            return -1
        return note.time_ns + offset - self.to_boot

    def describe(self, origin_ns: int) -> dict[str, Any]:
        """The `clock` entry of meta for a trace whose time 0 is `origin_ns` of the events' clock."""
        if self.to_boot is None:
            return {"name": self.name(), "origin_ns": origin_ns, "wall_origin_ns": None, "monotonic_origin_ns": None}
        boot_ns = origin_ns + self.to_boot
        known = {clock: self._at(boot_ns, clock) for clock in n.CLOCK_NAMES}
        primary = next((snapshot.primary for snapshot in self.snapshots if snapshot.primary), n.BOOTTIME)
        primary = primary if known.get(primary) is not None else n.BOOTTIME
        return {
            "name": n.CLOCK_NAMES[primary],
            "origin_ns": known[primary],
            "wall_origin_ns": known[n.REALTIME],
            "monotonic_origin_ns": known[n.MONOTONIC],
        }

    def _at(self, boot_ns: int, clock: int) -> int | None:
        """Another clock at this CLOCK_BOOTTIME, by the last snapshot before it, or the first."""
        if clock == n.BOOTTIME:
            return boot_ns
        both = [each.clocks for each in self.snapshots if clock in each.clocks and n.BOOTTIME in each.clocks]
        before = [clocks for clocks in both if clocks[n.BOOTTIME] <= boot_ns] or both
        if not before:
            return None
        chosen = max(before, key=lambda clocks: clocks[n.BOOTTIME]) if before is not both else both[0]
        at = boot_ns + chosen[clock] - chosen[n.BOOTTIME]
        return at if abs(at) < _MOST_NS else None

    def name(self) -> str:
        """What ftrace calls the events' clock."""
        known = 0 <= self.clock < len(n.FTRACE_CLOCK_NAMES)
        return f"ftrace {n.FTRACE_CLOCK_NAMES[self.clock] if known else self.clock}"

    def policies(self) -> list[dict[str, object]]:
        """The policy for a clock that is not CLOCK_BOOTTIME itself."""
        if self.clock == n.FTRACE_BOOT:
            return []
        pairs = self._pairs(self.clock)
        choice = "as they are; the recording does not say what CLOCK_BOOTTIME was"
        if self.to_boot is not None:
            choice = "as they are; CLOCK_BOOTTIME by one offset for the whole recording"
        if len(pairs) > 1:
            choice += f", which changed by {pairs[-1] - pairs[0]} ns from the first bundle to the last"
        return [{"policy": f"times of the {self.name()} clock", "choice": choice, "count": len(np.atleast_1d(pairs))}]


def _offset(snapshots: list[Snapshot], clock: int, wanted: int) -> int | None:
    """`wanted` minus `clock`, by the first snapshot that has both."""
    if clock == wanted:
        return 0
    for snapshot in snapshots:
        if clock in snapshot.clocks and wanted in snapshot.clocks:
            offset = snapshot.clocks[wanted] - snapshot.clocks[clock]
            return offset if abs(offset) < _MOST_NS else None
    return None
