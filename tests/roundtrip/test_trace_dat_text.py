"""The same run as trace.dat and as the kernel's own text gives the same tables, up to the text's microseconds."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.roundtrip.trace_dat_text import RECORDINGS
from tracekit.sources.registry import ingest
from tracekit.tables.bundle import Trace

FTRACE = RECORDINGS / "ftrace"
RUNS = sorted(path.stem for path in FTRACE.glob("*.dat") if (FTRACE / f"{path.stem}.trace.txt.gz").exists())

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not RUNS, reason="needs recordings in ../shared/recordings"),
]
Rows = list[tuple[object, ...]]


def in_microseconds(trace: Trace) -> tuple[Rows, Rows, list[str]]:
    """Intervals that last, wakeups and gaps, by tid and by the clock's own time."""
    tids = trace.tables["tasks"]["source_id"].to_pylist()

    def us(time_ns: int) -> int:
        return (int(trace.meta["clock"]["origin_ns"]) + time_ns + 500) // 1000

    intervals = [
        (us(row["start_ns"]), us(row["end_ns"]), tids[row["task_id"]], row["cpu"], row["state"], row["reason"])
        for row in trace.tables["intervals"].to_pylist()
    ]
    wakeups = [
        (us(row["at_ns"]), row["waker_id"] is not None and tids[row["waker_id"]], tids[row["wakee_id"]],
         row["cpu"], row["target_cpu"], row["reason"])
        for row in trace.tables["wakeups"].to_pylist()
    ]  # fmt: skip
    gaps = trace.tables["gaps"]["cause"].to_pylist()  # text does not say of which CPU the oldest losses are
    lasting = [interval for interval in intervals if interval[0] < interval[1]]
    return sorted(lasting, key=str), sorted(wakeups, key=str), sorted(gaps)


@pytest.mark.parametrize("run", RUNS)
def test_both_tell_the_same(run: str, tmp_path: Path) -> None:
    text = tmp_path / "trace.txt"
    text.write_bytes(gzip.decompress((FTRACE / f"{run}.trace.txt.gz").read_bytes()))
    binary, printed = in_microseconds(ingest(FTRACE / f"{run}.dat")), in_microseconds(ingest(text))
    assert len(binary[0]) > 1000
    assert binary == printed
