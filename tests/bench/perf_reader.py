"""How fast perf.data is read, beside `perf script` reading the same file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.bench.registry import Measurement, MissingError, benchmark, seconds
from tracekit.sources.base import ReadOptions
from tracekit.sources.perf_data import SOURCE

# The largest recording with all of perf sched record's events in it: 30,450 of them in 3.1 MB.
RECORDING = Path(__file__).parents[2] / ".." / "shared" / "recordings" / "forms" / "gt-proc-pingpong-s25.data"


def recording_and_perf() -> tuple[Path, str]:
    """The file to read, and perf. Raises MissingError."""
    perf = shutil.which("perf")
    if perf is None:
        raise MissingError("perf is not installed")
    if not RECORDING.is_file():
        raise MissingError(f"there is no {RECORDING}")
    return RECORDING, perf


@benchmark("perf_reader", unit="s", goal=5.0, reference="perf script")
def perf_reader() -> Measurement:
    """Seconds to read a recording into tables, against perf printing its events; the ratio says how many times faster."""
    path, perf = recording_and_perf()
    fields = "comm,pid,tid,cpu,time,event,trace"
    command = [perf, "script", "-i", str(path), "--ns", "-F", fields]
    SOURCE.read(path, ReadOptions())  # compiles what is not compiled yet
    theirs = seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True))
    ours = seconds(lambda: SOURCE.read(path, ReadOptions()))
    return Measurement(value=ours, reference_value=theirs, ratio=theirs / ours)
