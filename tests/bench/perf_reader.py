"""How fast perf.data is read, beside `perf script` reading the same file."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.registry import Measurement, MissingError, benchmark, seconds
from tracekit.sources.base import ReadOptions
from tracekit.sources.perf_data import SOURCE

# Where nothing can be recorded: the largest recording with all events of perf sched record, 30,450 in 3.1 MB.
KEPT = Path(__file__).parents[2] / ".." / "shared" / "recordings" / "forms" / "gt-proc-pingpong-s25.data"
# About 130,000 events in 14 MB, of 80 processes that talk in pairs.
LOAD = ("perf", "bench", "sched", "messaging", "-g", "2", "-l", "500")


def a_recording(folder: Path) -> Path:
    """A file worth reading: a new recording, or one that is kept. Raises MissingError."""
    if shutil.which("perf") is None:
        raise MissingError("perf is not installed")
    made = folder / "perf.data"
    command = ["perf", "sched", "record", "-k", "CLOCK_MONOTONIC", "-o", str(made), "--", *LOAD]
    if _quietly(command) == 0 and made.is_file():
        return made
    if not KEPT.is_file():
        raise MissingError(f"perf may not record here, and there is no {KEPT}")
    return KEPT


def _quietly(command: list[str]) -> int:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120).returncode


@benchmark("perf_reader", unit="events/s", goal=5.0, reference="perf script")
def perf_reader() -> Measurement:
    """Scheduling events a second from the file to tables; perf prints them. The ratio: how many times faster."""
    with tempfile.TemporaryDirectory() as folder:
        path = a_recording(Path(folder))
        command = ["perf", "script", "-i", str(path), "--ns", "-F", "comm,pid,tid,cpu,time,event,trace"]
        if _quietly(command) != 0:
            raise MissingError("perf script does not read the recording")
        events = SOURCE.read(path, ReadOptions()).meta["events"]  # compiles what is not compiled yet
        theirs = seconds(lambda: _quietly(command))
        ours = seconds(lambda: SOURCE.read(path, ReadOptions()))
    return Measurement(value=events / ours, reference_value=events / theirs, ratio=theirs / ours)
