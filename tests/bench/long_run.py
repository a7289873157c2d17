"""A run of 100 million intervals goes to disk, and is measured, in memory that does not grow with it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.registry import Measurement, benchmark

ROOT = Path(__file__).parents[2]
INTERVALS = 100_000_000
TASKS, CPUS, SLICE_NS = 1_000, 2, 1_000_000


def stream(intervals: int, folder: Path) -> dict[str, float]:
    """Replay 1,000 threads that take turns every millisecond for so many intervals, as `tracekit replay` does, in this
    process: intervals, seconds, peak_bytes (of resident memory)."""
    from tests.programs import program
    from tracekit.cli.streamed import RunSink
    from tracekit.engine.replay import replay

    each = intervals // 2 // TASKS + 1  # an interval in the queue and one on the CPU for every slice
    work = program({f"t{i}": [("compute", each * SLICE_NS)] for i in range(TASKS)})
    parameters = {"round_robin.slice_ns": SLICE_NS, "round_robin.hz": 1000}
    began = time.perf_counter()
    with RunSink(folder / "long.tracekit", work, rows_in_memory=100_000) as sink:
        run = replay(work, "thread", cpus=CPUS, kernel="round_robin", parameters=parameters, sink=sink)
        run, measured = sink.finish(run)
    assert measured is not None
    written = json.loads((folder / "long.tracekit" / "meta.json").read_text(encoding="utf-8"))
    return {
        "intervals": written["tables"]["intervals"]["rows"],
        "seconds": time.perf_counter() - began,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def streamed(intervals: int, folder: Path) -> dict[str, float]:
    """The same in a process of its own, so that its memory is its own."""
    script = "import json, sys; from pathlib import Path; from tests.bench.long_run import stream; "
    script += "print(json.dumps(stream(int(sys.argv[1]), Path(sys.argv[2]))))"
    done = subprocess.run(
        [sys.executable, "-c", script, str(intervals), str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    known: dict[str, Any] = json.loads(done.stdout)
    return known


@benchmark("long_run", unit="GB", goal=1, better="lower", reference="a hundredth of it")
def long_run() -> Measurement:
    """Peak memory of 100 million intervals, beside that of a million."""
    with tempfile.TemporaryDirectory() as folder:
        short = streamed(INTERVALS // 100, Path(folder) / "short")
        long = streamed(INTERVALS, Path(folder) / "long")
    rate = long["intervals"] / long["seconds"] / 1e6
    print(f"  {long['intervals']:,} intervals in {long['seconds']:.0f} s, {rate:.2f} M a second, on disk and measured")
    return Measurement(long["peak_bytes"] / 1e9, short["peak_bytes"] / 1e9)
