"""Chrome trace-event JSON: what Chrome, Perfetto, `go tool trace`, and many profilers export.

The path of a file: `windows` (read piece by piece; damage) → `scan` (the fast pass, over `text`) → `naming` (rows) →
`slices` (what was open when) → `tasks` (whose it is) → `flows` (wakeups) → `tables`. What the format leaves to custom
is data in `spec`.
"""

from __future__ import annotations

import re
from pathlib import Path

from tracekit.sources.base import ReadOptions
from tracekit.tables.bundle import Trace

_OBJECT = re.compile(rb'\{\s*"(?:traceEvents|displayTimeUnit|systemTraceEvents|stackFrames|otherData)"\s*:')
_EVENTS = re.compile(rb'"traceEvents"\s*:\s*\[')
_ARRAY = re.compile(rb'\[\s*\{\s*"')
_PHASE = re.compile(rb'"ph"\s*:\s*"[A-Za-z(),]"')


class ChromeJson:
    """The source. `read` raises SourceError for a file without a slice, with the byte where damage begins."""

    name = "chrome-json"
    title = "Chrome trace-event JSON"
    how_to_record = "export as JSON from Perfetto, chrome://tracing, go tool trace or a profiler"

    def matches(self, head: bytes) -> bool:
        """Whether it is an object with traceEvents, or an array of events with a phase."""
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if head[:1] == b"{":
            return _EVENTS.search(head) is not None or _OBJECT.match(head) is not None
        return _ARRAY.match(head) is not None and _PHASE.search(head) is not None

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Rows of CPUs, or of threads, as tasks; flow events as wakeups."""
        from tracekit.sources.chrome_json.tables import make_trace  # numba and pyarrow only when something is read
        from tracekit.sources.chrome_json.windows import scan_file

        return make_trace(scan_file(path, options.progress), path, options.sink)


SOURCE = ChromeJson()
