"""How fast kernel trace text is read, beside `perf script` printing the same recording."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tests.bench.perf_reader import a_recording
from tests.bench.registry import Measurement, MissingError, benchmark, seconds
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel_text import SOURCE

LINES = 600_000  # about 80 MB; a recording is repeated until it has as many
_FIELDS = "comm,pid,tid,cpu,time,event,trace"
_TIME = re.compile(rb"(\d+)(\.\d{9}: +sched:)")
_REPEAT_S = 60  # longer than any recording that is repeated


def repeated(lines: bytes) -> bytes:
    """The text again and again, each time later."""
    again = max(LINES // max(lines.count(b"\n"), 1), 1)

    def later(times: int) -> bytes:
        return _TIME.sub(lambda found: b"%d%s" % (int(found[1]) + times * _REPEAT_S, found[2]), lines)

    return b"".join(map(later, range(again)))


@benchmark("kernel_text", unit="lines/s", goal=5.0, reference="perf script")
def kernel_text() -> Measurement:
    """Lines a second from perf script's text to tables; perf prints them. The ratio: how many times faster."""
    with tempfile.TemporaryDirectory() as folder:
        recording = a_recording(Path(folder))
        command = ["perf", "script", "-i", str(recording), "--ns", "-F", _FIELDS]
        printed = subprocess.run(command, capture_output=True, timeout=120).stdout
        if b"sched:sched_switch" not in printed:
            raise MissingError("perf script does not read the recording")
        path = Path(folder) / "script.txt"
        path.write_bytes(repeated(printed))
        lines = path.read_bytes().count(b"\n")
        SOURCE.read(path, ReadOptions())  # compiles what is not compiled yet
        theirs = seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        ours = seconds(lambda: SOURCE.read(path, ReadOptions()))
    rate, reference = lines / ours, printed.count(b"\n") / theirs
    return Measurement(value=rate, reference_value=reference, ratio=rate / reference)
