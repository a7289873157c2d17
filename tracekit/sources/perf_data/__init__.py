"""perf.data: recordings by `perf record` and `perf sched record`, read from their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tracekit.sources.base import ReadOptions
from tracekit.tables.bundle import Trace

_MAGICS = (b"PERFILE2", b"2ELIFREP", b"PERFFILE", b"ELIFFREP")  # of the second format and of the first, both orders


class PerfDataSource:
    """`perf.data` written to a file or to a pipe, of either byte order."""

    name = "perf.data"
    title = "perf.data"
    how_to_record = "perf sched record -k CLOCK_MONOTONIC -- COMMAND"

    def matches(self, head: bytes) -> bool:
        """Whether the file begins with perf's magic."""
        return head.startswith(_MAGICS)

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """The file's scheduling events as a Trace. Raises SourceError."""
        from tracekit.sources.perf_data.reader import read  # numba takes its time to import

        return read(path, options)

    def read_together(self, paths: Sequence[Path], options: ReadOptions) -> Trace:
        """Files of one run as a Trace. Raises SourceError."""
        from tracekit.sources.perf_data.reader import read_together

        return read_together(paths, options)


SOURCE = PerfDataSource()
