"""Go execution traces, wire format v2 (Go 1.22 and later), read without Go.

The path of a file: `header` (which version) → `batches` (outer structure, generations) → `reading`, per generation:
`clock`, `dictionary` and `places` (strings, stacks) → `merging` (`cursors` and `order` merge every thread's events by
sequence numbers; `processors`, `goroutines`, `syscalls`, `collector` and `annotations` say what each does; `mending`
goes on past damage) → `emit` (rows) → `output` (tables, as they are made). What the wire holds is data in `spec`, what the runtime's words
mean is data in `words`.
"""

from __future__ import annotations

from pathlib import Path

from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace.header import is_go_trace
from tracekit.tables.bundle import Trace


class GoTrace:
    """The source. `read` raises SourceError for another or an unsupported format, or a file without any event."""

    name = "go"
    title = "Go execution trace"
    how_to_record = "runtime/trace in the program, or go test -trace, or curl .../debug/pprof/trace"

    def matches(self, head: bytes) -> bool:
        """Whether the header is a Go execution trace's, of whatever version."""
        return is_go_trace(head)

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Goroutines as tasks, Ps as CPUs, Ms as kernel threads."""
        from tracekit.sources.go_trace.reading import read_trace  # numba and pyarrow only when something is read

        return read_trace(path, options)


SOURCE = GoTrace()
