"""A generation's clock: how long a unit is, and the trace, monotonic and wall clock read at one moment."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.go_trace.batches import LIMIT, OFFSET, TIME
from tracekit.sources.go_trace.codes import CLOCK_SNAPSHOT, CPU_SAMPLE, FREQUENCY, SYNC
from tracekit.sources.go_trace.compiled import kernel
from tracekit.sources.go_trace.cursors import to_ns
from tracekit.sources.go_trace.faults import BAD_SAMPLES, DONE
from tracekit.sources.go_trace.varint import varint
from tracekit.units import NS_PER_S

# Where the runtime takes its time from nanotime (everywhere but Windows), a unit is 64 ns of CLOCK_MONOTONIC
# (Go's src/runtime/tracetime.go: traceTimeDiv).
NANOTIME_FREQUENCY = 15_625_000
_SNAPSHOT_SKEW_NS = 1_000_000  # a snapshot reads its clocks one after the other; more apart than this, they differ


class Snapshot(NamedTuple):
    """Three clocks at one moment, in ns."""

    trace_ns: int
    monotonic_ns: int
    wall_ns: int


class Clock(NamedTuple):
    """Clock units per second, and the snapshot where the format has one (1.25 and later)."""

    frequency: int
    snapshot: Snapshot | None

    @property
    def ns_per_unit(self) -> float:
        """As Go's reader computes it, so that times agree to the nanosecond."""
        return 1.0 / (self.frequency / 1e9)


def _numbers(payload: bytes) -> list[int]:
    """Every byte < 0x80 ends a number; the payload of a sync batch holds nothing but numbers and event codes."""
    numbers, value, shift = [], 0, 0
    for byte in payload:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value, shift = 0, 0
    return numbers


def read_clock(data: Any, batches: Any) -> Clock | None:
    """The clock of a generation from its sync batches (rows of the batch index); None if there is none or it is damaged."""
    frequency, snapshot = 0, None
    for row in batches:
        numbers = _numbers(bytes(data[row[OFFSET] : row[LIMIT]]))
        if numbers and numbers[0] == SYNC:
            numbers = numbers[1:]
        while numbers:
            if numbers[0] == FREQUENCY and len(numbers) >= 2:
                frequency, numbers = numbers[1], numbers[2:]
            elif numbers[0] == CLOCK_SNAPSHOT and len(numbers) >= 5:
                snapshot, numbers = (int(row[TIME]) + numbers[1], *numbers[2:5]), numbers[5:]
            else:
                break
    if not 0 < frequency < 1 << 50:
        return None
    clock = Clock(frequency, None)
    if snapshot is None or max(snapshot) >= 1 << 62 or snapshot[2] >= 1 << 33:
        return clock
    units, monotonic, seconds, nanoseconds = snapshot
    return Clock(frequency, Snapshot(int(units * clock.ns_per_unit), monotonic, seconds * NS_PER_S + nanoseconds))


def describe(clock: Clock, first_ns: int) -> dict[str, Any]:
    """The `clock` entry of meta for a trace whose first event is at `first_ns` of its own clock."""
    snapshot = clock.snapshot
    if snapshot is None:
        nanotime = clock.frequency == NANOTIME_FREQUENCY
        name = "CLOCK_MONOTONIC" if nanotime else "Go trace clock"
        return {"name": name, "origin_ns": first_ns, "wall_origin_ns": None}
    offset = snapshot.monotonic_ns - snapshot.trace_ns
    if abs(offset) < _SNAPSHOT_SKEW_NS and clock.frequency == NANOTIME_FREQUENCY:
        offset = 0  # the trace clock is the monotonic clock, in units of 64 ns
    wall = snapshot.wall_ns + first_ns - snapshot.trace_ns
    return {"name": "CLOCK_MONOTONIC", "origin_ns": first_ns + offset, "wall_origin_ns": wall}


@kernel
def index_samples(data: Any, offset: int, limit: int, ns_per_unit: float, out: Any, count: int) -> tuple[int, int]:
    """Append the time in ns of each CPU sample of a batch. Returns (count, fault or DONE)."""
    while offset < limit:
        if data[offset] != CPU_SAMPLE:
            return count, BAD_SAMPLES
        units, offset = varint(data, offset + 1, limit)
        for _ in range(4):
            _ignored, offset = varint(data, offset, limit)
        time = to_ns(units, ns_per_unit)
        if offset < 0 or time < 0:
            return count, BAD_SAMPLES
        out[count] = time
        count += 1
    return count, DONE


def read_sample_times(data: Any, batches: Any, ns_per_unit: float) -> Any:
    """Times of all CPU samples of a generation, in ns, sorted. What is damaged is left out: it is no scheduling."""
    out = np.empty(int((batches[:, LIMIT] - batches[:, OFFSET]).sum()) // 6 + 1, np.int64)
    count = 0
    for row in batches:
        count, _ = index_samples(data, row[OFFSET] + 1, row[LIMIT], ns_per_unit, out, count)
    return np.sort(out[:count])
