"""What is missing from a file, as gaps: records that were lost, bytes that make no sense, times that can't be."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit
from tracekit.sources.kernel.events import GAP, Number, Records, Rows, wide
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.records import Window
from tracekit.vocabulary import GAP_CAUSES

# A CPU's records are in order of time, but for an interrupt that comes between a record's taking the time and
# its taking its place. None lasts this long, so a record further out of order has a damaged time.
ASTRAY_NS = 1_000_000_000
_LOST_MOST = 1 << 48  # more is no count, and sums of it must fit 64 bits
_LEAST_SIZE = {walk.LOST: 24, walk.LOST_SAMPLES: 16}
_TIMED = (walk.SAMPLE, walk.SWITCH, walk.SWITCH_CPU_WIDE)


@dataclass
class Holes:
    """All of a file's gaps, found window by window. Times are of the recording's clock.

    `gaps` (GAP) and `streams`, for each gap the part of the file concerned, grow with every window.
    """

    big: bool
    gaps: list[Records] = field(default_factory=list)
    streams: list[str | None] = field(default_factory=list)
    _lost: int = 0  # told where it happened
    _summed: int = 0  # told at the end
    _first_ns: int = -1
    _last_ns: int = -1
    _open: list[tuple[int, str, str]] = field(default_factory=list)  # damage without a sample behind it

    def take(self, window: Window, verdicts: Rows) -> None:
        """A window's records, with what `judging.judge` says of each: a time, or -1."""
        first_ns, last_ns, lost = (int(number) for number in surveyed(window.records))
        if first_ns >= 0:
            for before_ns, cause, where in self._open:
                self.add(before_ns if before_ns >= 0 else first_ns, first_ns, cause, -1, -1, where)
            self._open = []
        if window.damage:
            self._take_damage(window)
        if lost:
            self._take_lost(window.data, window.records, verdicts)
        if first_ns >= 0:
            self._first_ns = first_ns if self._first_ns < 0 else self._first_ns
            self._last_ns = last_ns

    def add_astray(self, records: Records, before_ns: Rows) -> None:
        """Samples whose time contradicts those before and after them on the same CPU."""
        for record, time_ns in zip(records, before_ns.tolist(), strict=True):
            at = int(record["at"])
            where = f"bytes {at} to {at + int(record['size'])}"
            self.add(time_ns, time_ns, "corrupt", 1, int(record["cpu"]), where)

    def finish(self, last_ns: Rows) -> None:
        """The file ends; `last_ns` is each CPU's last time, or -1.

        perf's own LOST_SAMPLES at the end are sums over the same losses, so only an excess counts.
        """
        told = last_ns[last_ns >= 0]
        silent = (int(told.min()), int(told.max())) if len(told) else (0, 0)
        for _, cause, where in self._open:  # from when the first CPU says nothing more to when none does
            self.add(*silent, cause, -1, -1, where)
        if self._summed > self._lost:
            self.add(max(self._first_ns, 0), max(self._last_ns, 0), "lost_records", self._summed - self._lost)

    def add(
        self, start_ns: int, end_ns: int, cause: str, lost: int = -1, cpu: int = -1, stream: str | None = None
    ) -> None:
        """One gap."""
        row = np.zeros(1, GAP)
        row["start_ns"], row["end_ns"] = min(start_ns, end_ns), max(start_ns, end_ns)
        row["cause"], row["lost_events"], row["cpu"] = GAP_CAUSES[cause], lost, cpu
        self.gaps.append(row)
        self.streams.append(stream)

    def _take_damage(self, window: Window) -> None:
        """Holes in the file: between the samples around each."""
        timed = np.flatnonzero(is_timed(window.records))
        places, times = window.records["at"][timed], window.records["time_ns"][timed]
        for damage in window.damage:
            before = int(np.searchsorted(places, damage.start)) - 1
            after = int(np.searchsorted(places, damage.end))
            before_ns = int(times[before]) if before >= 0 else self._last_ns
            if after < len(timed):
                begin_ns = before_ns if before_ns >= 0 else int(times[0])
                self.add(begin_ns, int(times[after]), damage.cause, -1, -1, damage.stream)
            else:
                self._open.append((before_ns, damage.cause, damage.stream))

    def _take_lost(self, data: Bytes, records: Records, verdicts: Rows) -> None:
        for kind, least in _LEAST_SIZE.items():
            for row in np.flatnonzero((records["type"] == kind) & (records["size"] >= least)).tolist():
                record, lost = records[row], _count(data, records[row], self.big)
                end_ns = int(record["time_ns"])
                if end_ns <= 0:
                    self._summed += lost
                    continue
                self._lost += lost
                start_ns = int(verdicts[row]) if verdicts[row] >= 0 else end_ns
                self.add(start_ns, end_ns, "lost_records", lost, int(record["cpu"]))


@cached_njit
def surveyed(records: Records) -> tuple[Number, Number, Number]:
    """The first and the last time of records that `is_timed` finds, or -1, and how many tell of lost records."""
    first_ns = last_ns = wide(-1)
    lost = 0
    for row in range(len(records)):
        kind, time_ns = records[row]["type"], records[row]["time_ns"]
        if kind in _TIMED and time_ns > 0:
            first_ns = time_ns if first_ns < 0 else first_ns
            last_ns = time_ns
        lost += kind == walk.LOST or kind == walk.LOST_SAMPLES
    return first_ns, last_ns, lost


def is_timed(records: Records) -> npt.NDArray[np.bool_]:
    """Which records tell that something happened on a CPU, and when."""
    found: npt.NDArray[np.bool_] = np.isin(records["type"], _TIMED) & (records["time_ns"] > 0)
    return found


def _count(data: Bytes, record: np.void, big: bool) -> int:
    at = int(record["at"]) + (16 if record["type"] == walk.LOST else 8)
    count = int.from_bytes(data[at : at + 8].tobytes(), "big" if big else "little")
    return min(count, _LOST_MOST)
