"""A recording's times in ns of one clock: ticks converted, a guest's shifted to its host, offsets added.

In the order of timestamp_calc in trace-cmd's lib/trace-cmd/trace-input.c.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from tracekit.sources.kernel.events import Rows
from tracekit.sources.trace_dat.options import Options, ShiftSample
from tracekit.sources.trace_dat.pages import TIME_MOST

# How the kernel's other clock interfaces call them (trace_clocks, kernel/trace/trace.c; clock_gettime(2)).
_KNOWN_AS = {
    "mono": "CLOCK_MONOTONIC",
    "mono_raw": "CLOCK_MONOTONIC_RAW",
    "boot": "CLOCK_BOOTTIME",
    "tai": "CLOCK_TAI",
}
_IN_NS = ("local", "global", "perf", "tsc2nsec", *_KNOWN_AS)  # trace_clocks with in_ns
_OFFSET_MOST = 1 << 61  # times below TIME_MOST stay within 63 bits


class Clock:
    """The clock of a buffer. `named`: the file says which; `in_ns` is false for one of ticks of unknown length."""

    def __init__(self, name: str | None, options: Options) -> None:
        self.named = bool(name)
        self.name = _KNOWN_AS.get(name or "", name or "unknown")
        self.in_ns = bool(options.tsc) or name is None or name in _IN_NS
        self.date_ns = options.date_ns
        self._tsc = options.tsc
        self._offset = max(-_OFFSET_MOST, min(options.offset_ns, _OFFSET_MOST))
        self._shifts, self._interpolated = options.shifts, options.interpolated

    def convert(self, times: Rows, cpu: int) -> Rows:
        """Times as recorded on `cpu`, in ns of this clock; what would not fit comes out as TIME_MOST or 0."""
        if cpu < len(self._shifts) and self._shifts[cpu]:
            samples = self._shifts[cpu]
            shifted = [_shifted(time, samples, self._interpolated) for time in times.tolist()]
            times = np.array([min(max(time, 0), TIME_MOST) for time in shifted], np.int64)
        if self._tsc:
            times = scaled(times, *self._tsc)
        if self._offset:
            times = np.maximum(times + np.int64(self._offset), 0).astype(np.int64, copy=False)
        return times


def scaled(times: Rows, multiplier: int, shift: int) -> Rows:
    """(time · multiplier) >> shift, exactly, in halves of 32 bits as mul_u64_u32_shr (include/linux/math64.h)."""
    low = (times & 0xFFFFFFFF).astype(np.uint64) * np.uint64(multiplier)
    high = (times >> 32).astype(np.uint64) * np.uint64(multiplier) + (low >> np.uint64(32))
    low &= np.uint64(0xFFFFFFFF)
    if shift >= 32:
        return np.asarray(np.minimum(high >> np.uint64(shift - 32), TIME_MOST), np.int64)
    fits = high < np.uint64(TIME_MOST >> (32 - shift))
    whole = (high << np.uint64(32 - shift)) + (low >> np.uint64(shift))
    return np.asarray(np.where(fits, whole, TIME_MOST), np.int64)


def _shifted(time: int, samples: list[ShiftSample], interpolated: bool) -> int:
    """A guest's time on its host's clock, by the two samples around it, or the two at that end."""
    if len(samples) == 1:
        return time + samples[0].offset
    place = bisect_right(samples, time, key=lambda sample: sample.time) - 1
    place = min(max(place, 0), len(samples) - 2)
    first, second = samples[place], samples[place + 1]
    offset = first.offset
    if interpolated:
        between = second.time - first.time
        change = (time - first.time) * (second.offset - first.offset) + between // 2
        offset += change // between if change >= 0 else -(-change // between)  # as C divides
    return (time * first.scaling >> first.fraction) + offset
