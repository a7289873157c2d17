"""Perfetto traces: protobuf files by `perfetto`, `tracebox` or Android, read from their bytes."""

from __future__ import annotations

from pathlib import Path

from tracekit.sources.base import ReadOptions
from tracekit.sources.perfetto.wire import looks_like_packets
from tracekit.tables.bundle import Trace


class PerfettoSource:
    """A sequence of TracePackets with ftrace's scheduling events, plain or compact, compressed or not."""

    name = "perfetto"
    title = "Perfetto trace"
    how_to_record = "tracebox -t 10s -o FILE sched/sched_switch sched/sched_waking"

    def matches(self, head: bytes) -> bool:
        """Whether the file begins with TracePackets."""
        return looks_like_packets(head)

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """The file's scheduling events as a Trace. Raises SourceError."""
        from tracekit.sources.perfetto.reader import read  # numba takes its time to import

        return read(path, options)


SOURCE = PerfettoSource()
