"""The streams of all CPUs as one, in time order; of one time, in the order of CPUs, as trace-cmd has them.

Always the stream that is furthest behind is read on: what is earlier than all of them have reached can go. So each
stream holds at most what it read ahead: its block of the time when it was the furthest behind, and the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tracekit.sources.copying import concatenated, taken
from tracekit.sources.kernel.events import Batch, NameReader, Records, Rows
from tracekit.sources.trace_dat.streams import CpuStream, Part

_END_NS = (1 << 63) - 1

# (parts, events in time order, where each of these is among the parts' events) → names
Namer = Callable[[list[Part], Records, Rows], NameReader]


def merged(streams: Sequence[CpuStream], namer: Namer, progress: Callable[[], None]) -> Iterator[Batch]:
    """Batches of events in time order, until all streams have ended."""
    reading = sorted((stream for stream in streams if not stream.ended), key=lambda stream: stream.cpu)
    every = list(reading)
    while reading:
        min(reading, key=lambda stream: stream.reached_ns).advance()
        reading = [stream for stream in reading if not stream.ended]
        before_ns = min((stream.reached_ns for stream in reading), default=_END_NS)
        parts = [part for stream in every for part in stream.take(before_ns)]
        progress()
        if parts:
            yield _batch(parts, namer)


def _batch(parts: list[Part], namer: Namer) -> Batch:
    events = concatenated([part.events for part in parts])
    times = events["time_ns"]
    if len(parts) > 1 and (times[1:] < times[:-1]).any():
        order: Rows = np.argsort(times, kind="stable")
        events = taken(events, order)
    else:
        order = np.arange(len(events))
    return Batch(events, namer(parts, events, order))
