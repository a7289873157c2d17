"""Run time, switches and run-queue delay as `perf sched timehist` has them, where the switch chain is whole."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest

from tests.roundtrip.perf_text import RECORDINGS, Stay, timehist
from tracekit.sources.base import ReadOptions
from tracekit.sources.perf_data import SOURCE
from tracekit.tables.bundle import Trace

PERF = RECORDINGS / "perf"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not PERF.is_dir(), reason=f"needs recordings in {PERF}"),
]
# Not where perf reads nothing (pipe mode), or says nothing true: where each CPU's chain is broken by what was lost.
RECORDED = sorted(
    path.name.split(".")[0]
    for path in PERF.glob("*.timehist.txt.gz")
    if path.name.split(".")[0] not in ("v-pipemode", "v-lost", "v-inherit")
)
WHOLE = 0  # the CPU whose chain is whole: MANIFEST.md
PREEMPTED = {"R", "W"}  # perf 6.1 has an older kernel's letters: the bit of "R+" is a W there
UNKNOWN = -1  # perf's tid of a task that has ended
MICROSECOND = 1.0  # perf cuts nanoseconds off, we do not

Row = dict[str, Any]


def _with_queueing(trace: Trace) -> pl.DataFrame:
    """Intervals with the start of the unbroken RUNNABLE time before each, and what was before that."""
    touching = pl.col("end_ns").shift() == pl.col("start_ns")
    going_on = touching & (pl.col("state") == "RUNNABLE") & (pl.col("state").shift() == "RUNNABLE")
    streaks = (
        trace.frame("intervals")
        .with_columns(pl.col("state", "reason").cast(pl.String))
        .sort("task_id", "start_ns")
        .with_columns(streak=(~going_on.fill_null(False)).cum_sum().over("task_id"))
        .group_by("task_id", "streak", maintain_order=True)
        .agg(pl.col("state", "reason", "start_ns").first(), pl.col("end_ns", "cpu").last(), pl.col("inferred").any())
    )
    earlier = [
        pl.col(name).shift(n).over("task_id").alias(f"{name}_{n}")
        for name in ("state", "start_ns", "end_ns", "inferred")
        for n in (1, 2)
    ]
    later = [pl.col(name).shift(-1).over("task_id").alias(f"next_{name}") for name in ("state", "reason")]
    return streaks.with_columns(*earlier, *later)


def stays(trace: Trace, cpu: int) -> list[Row]:
    """Each time a task left `cpu`, in order, and how long it ran and had been queued before."""
    queued = (pl.col("state_1") == "RUNNABLE") & (pl.col("end_ns_1") == pl.col("start_ns"))
    return (
        _with_queueing(trace)
        .filter(pl.col("state") == "RUNNING", pl.col("cpu") == cpu, pl.col("end_ns") < trace.meta["end_ns"])
        .join(trace.frame("tasks").select("task_id", tid="source_id"), on="task_id")
        .sort("end_ns")
        .select(
            "tid",
            inferred=pl.col("inferred") | pl.col("inferred_1").fill_null(False),
            left_us=(pl.col("end_ns") + trace.meta["clock"]["origin_ns"]) / 1000,
            run_us=(pl.col("end_ns") - pl.col("start_ns")) / 1000,
            queued_us=pl.when(queued).then(pl.col("start_ns") - pl.col("start_ns_1")).otherwise(0) / 1000,
            left_queued=(pl.col("state_2") == "RUNNING") & (pl.col("end_ns_2") == pl.col("start_ns_1")) & queued,
            preempted=(pl.col("next_state") == "RUNNABLE") & (pl.col("next_reason") == "preempted"),
        )
        .to_dicts()
    )


@pytest.fixture(
    scope="module",
    params=RECORDED,
    ids=str,
)
def both(request: pytest.FixtureRequest) -> list[tuple[Row, Stay]]:
    """Our stays beside perf's, on the CPU whose chain is whole."""
    trace = SOURCE.read(PERF / f"{request.param}.data", ReadOptions())
    ours = stays(trace, WHOLE)
    perfs = [stay for stay in timehist(PERF / f"{request.param}.timehist.txt.gz") if stay.cpu == WHOLE and stay.tid]
    assert len(ours) == len(perfs) > 10
    return list(zip(ours, perfs, strict=True))


def known(both: list[tuple[Row, Stay]]) -> list[tuple[Row, Stay]]:
    """Without what had to be inferred even on this CPU (PID 1's threads emit no events), where perf is wrong, and
    without tasks that perf lost sight of."""
    kept = [(ours, perfs) for ours, perfs in both if not ours["inferred"] and perfs.tid != UNKNOWN]
    assert len(kept) > 0.75 * len(both)
    return kept


def test_the_same_tasks_leave_at_the_same_times(both: list[tuple[Row, Stay]]) -> None:
    for ours, perfs in both:
        assert perfs.tid in (ours["tid"], UNKNOWN)
        assert abs(ours["left_us"] - perfs.time_us) < MICROSECOND


def test_run_times(both: list[tuple[Row, Stay]]) -> None:
    for ours, perfs in known(both)[1:]:  # perf gives the first stay no run time: it saw no switch before
        assert abs(ours["run_us"] - perfs.run_us) < MICROSECOND, (ours, perfs)


def test_run_queue_delays(both: list[tuple[Row, Stay]]) -> None:
    """perf calls it delay from a wakeup on, and wait when the task left its CPU RUNNABLE: preempted, or woken
    while it was leaving (perf forgets such a wakeup)."""
    for ours, perfs in known(both):
        expected = perfs.wait_us if ours["left_queued"] else perfs.delay_us
        assert abs(ours["queued_us"] - expected) < MICROSECOND, (ours, perfs)


def test_switch_counts_by_task(both: list[tuple[Row, Stay]]) -> None:
    ours = Counter((ours["tid"], bool(ours["preempted"])) for ours, _ in both)
    perfs = Counter(
        (ours["tid"] if perfs.tid == UNKNOWN else perfs.tid, perfs.state in PREEMPTED) for ours, perfs in both
    )
    assert ours == perfs
