"""trace.dat: recordings by `trace-cmd record`, of file versions 6 and 7, read from their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tracekit.sources.base import ReadOptions
from tracekit.tables.bundle import Trace

_MAGIC = b"\x17\x08\x44tracing"


class TraceDatSource:
    """`trace.dat` of either byte order and either size of a long, compressed or not."""

    name = "trace.dat"
    title = "trace.dat"
    how_to_record = "trace-cmd record -C mono -e sched -- COMMAND"

    def matches(self, head: bytes) -> bool:
        """Whether the file begins with trace-cmd's magic."""
        return head.startswith(_MAGIC)

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """The file's scheduling events as a Trace. Raises SourceError."""
        from tracekit.sources.trace_dat.reader import read  # numba takes its time to import

        return read(path, options)

    def read_together(self, paths: Sequence[Path], options: ReadOptions) -> Trace:
        """Files of one run as a Trace. Raises SourceError."""
        from tracekit.sources.trace_dat.reader import read_together

        return read_together(paths, options)


SOURCE = TraceDatSource()
