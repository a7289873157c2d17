"""Run time per task as `perf sched latency -p` has it, on every recording.

It counts accounting (sched_stat_runtime) alone, so it agrees where switches are missing too. Of its other columns
nothing can be said: perf 6.1 looks for delays in sched_wakeup, which its own `perf sched record` does not take, and so
has one switch without delay for most tasks.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.roundtrip.perf_text import RECORDINGS, latencies
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import EVENT_KINDS
from tracekit.sources.perf_data.reader import mapped, opened

EXACT_MS = 0.00051  # perf prints three digits
FOUND = sorted(path for path in (RECORDINGS / "perf").glob("*.latency.txt") if "pipemode" not in path.name)


@pytest.mark.skipif(not FOUND, reason=f"needs recordings in {RECORDINGS}")
@pytest.mark.parametrize("report", FOUND, ids=lambda path: path.name.split(".")[0])
def test_run_time_of_each_task(report: Path) -> None:
    expected = latencies(report)
    data = report.with_name(report.name.replace(".latency.txt", ".data"))
    run_ns: Counter[int] = Counter()
    for batch in opened(mapped(data), str(data), ReadOptions())[2].batches:
        accounted = batch.events[batch.events["kind"] == EVENT_KINDS["stat_runtime"]]
        for tid, value in zip(accounted["target_tid"].tolist(), accounted["value"].tolist(), strict=True):
            run_ns[tid] += value
    assert len(expected) >= 5
    for tid, (run_ms, _, _) in expected.items():
        assert abs(run_ns[tid] / 1e6 - run_ms) < EXACT_MS, tid
