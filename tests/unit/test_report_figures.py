"""The data step of every figure, tested as tables; the bundle is the hand-made one of the metrics tests."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.browser import synthetic
from tests.unit.test_metrics_measure import small_run, small_trace
from tracekit.report.figures import (
    comparison,
    header,
    holes,
    memory,
    outcome,
    overhead,
    throughput,
    timeline,
    trust,
    verdict,
    wakeup_latency,
)
from tracekit.report.figures.timeline_bins import binned
from tracekit.report.view import View, build_view
from tracekit.tables.build import table
from tracekit.tables.bundle import Run


def view_of(*runs: Run, **bundles: Any) -> View:
    return build_view(runs, bundles.get("trace"), bundles.get("program"), "a title")


def slower(run: Run, factor: int, **meta: Any) -> Run:
    """The same run with every time multiplied."""

    def stretched(name: str, columns: tuple[str, ...]) -> Any:
        frame = run.frame(name).with_columns(pl.col(columns) * factor)
        return table(name, {c: frame[c].to_arrow() for c in frame.columns})

    tables = run.tables | {
        "intervals": stretched("intervals", ("start_ns", "end_ns")),
        "tasks": stretched("tasks", ("end_ns",)),
        "overheads": stretched("overheads", ("at_ns", "duration_ns")),
        "wakeups": stretched("wakeups", ("at_ns",)),
    }
    return Run(tables, run.meta | meta)


def test_the_recording_comes_first_and_is_grey() -> None:
    view = view_of(small_run(), small_run(model="goroutine"), trace=small_trace())
    assert [s.label for s in view.subjects] == ["recording", "process", "goroutine"]
    assert [s.competes for s in view.subjects] == [False, True, True]
    assert len({s.colour for s in view.subjects}) == 3
    assert view.end_ns == 200


def test_a_model_has_the_same_colour_whatever_else_is_shown() -> None:
    alone, beside = view_of(small_run(model="thread")), view_of(small_run(model="mine"), small_run(model="thread"))
    assert alone.subjects[0].colour == beside.subjects[1].colour != beside.subjects[0].colour


def test_recording_is_restricted_to_the_tasks_that_were_replayed() -> None:
    trace = small_trace()
    tasks = trace.frame("tasks").with_columns(source_id=pl.Series([10, 11, 12]))
    trace.tables["tasks"] = table("tasks", {c: tasks[c].to_arrow() for c in tasks.columns})
    run = small_run()
    only_b = {"task_id": [0, 1, 2], "name": ["A", "B", "K"], "kind": ["kernel", "process", "kernel"]}
    run.tables["tasks"] = table("tasks", {**only_b, "source_id": [10, 11, 12]})
    recording = view_of(run, trace=trace).subjects[0]
    assert recording.value("running_time") == 100  # B alone


# -- verdict


def test_verdict_names_the_first_by_how_much_and_why() -> None:
    runs = [slower(small_run(), 2), small_run(model="goroutine"), slower(small_run(), 3, model="thread")]
    found = verdict.compute(view_of(*runs))
    assert found["best"] == ["goroutine"]
    assert found["makespans_ns"] == {"goroutine": 200, "process": 400, "thread": 600}
    assert found["driver"] == {"kind": "switch", "spent_ns": {"goroutine": 10, "process": 20, "thread": 30}}
    sentence = found["sentence"]
    assert sentence.startswith("Goroutines finish first, makespan 200 ns, 50 % less than processes and 67 % less than")
    assert "wakeup latency at p99 is 40.0 ns for goroutines, 80.0 ns for processes, 120 ns for threads" in sentence
    assert sentence.endswith(".")


def test_verdict_does_not_tell_apart_what_is_within_the_margin() -> None:
    found = verdict.compute(view_of(small_run(), small_run(model="thread")))
    assert found["margin"] == verdict.MARGIN
    assert found["best"] == ["process", "thread"]
    assert "within 5 % of each other (200 ns to 200 ns): too close to call" in found["sentence"]


def test_verdict_margin_is_the_self_replay_error() -> None:
    run = slower(small_run(), 2)
    found = verdict.compute(view_of(run, small_run(model="goroutine", form="goroutine"), trace=small_trace()))
    assert found["margin"] == 1.0  # replayed as processes it takes twice as long as recorded
    assert found["best"] == ["goroutine", "process"]
    exact = verdict.compute(view_of(small_run(), trace=small_trace()))
    assert exact["margin"] == verdict.LEAST_MARGIN


def test_verdict_leaves_out_what_did_not_complete() -> None:
    stuck = small_run(model="thread", outcome="deadlock")
    found = verdict.compute(view_of(slower(small_run(), 9), stuck))
    assert found["best"] == ["process"]
    assert "threads do not complete (deadlock)" in found["sentence"]
    assert verdict.compute(view_of(stuck))["sentence"].startswith("No replayed form completes this program")


def test_verdict_does_not_rank_the_recorded_run() -> None:
    found = verdict.compute(view_of(small_run(model="recorded"), slower(small_run(), 2)))
    assert found["best"] == ["process"]
    assert "only processes can be judged" in found["sentence"].lower()


# -- figures


def test_comparison_marks_the_best_and_says_how_far_the_others_are() -> None:
    cells = comparison.compute(view_of(slower(small_run(), 3), small_run(model="goroutine"), trace=small_trace()))
    makespan = cells.filter(pl.col("metric") == "makespan").select("subject", "shown", "best", "against_best").rows()
    assert makespan == [
        ("recording", "200 ns", False, None),  # does not compete
        ("process", "600 ns", False, 2.0),
        ("goroutine", "200 ns", True, None),
    ]


def test_throughput_has_a_row_per_known_value() -> None:
    rows = throughput.compute(view_of(small_run(), trace=small_trace())).rows()
    assert rows == [
        ("tasks_per_s", "recording", 1e7),
        ("tasks_per_s", "process", 1e7),
        ("messages_per_s", "process", 1e7),
        ("requests_per_s", "process", 5e6),
    ]


def test_overhead_by_kind_in_time_and_share() -> None:
    rows = overhead.compute(view_of(small_run())).rows()
    assert rows == [
        ("process", "switch", 10, 10 / 207),
        ("process", "sync", 3, 3 / 207),
        ("process", "runtime", 5, 5 / 207),
        ("process", "idle_exit", 2, 2 / 207),
    ]


def test_latency_curve_rises_to_one_and_names_percentiles() -> None:
    rows = wakeup_latency.compute(view_of(small_run()))  # latencies 0, 20, 40
    curve = rows.filter(pl.col("percentile").is_null())
    assert curve.select("latency_ns", "share").rows() == [(0, 1 / 3), (20, 2 / 3), (40, 1)]
    named = dict(rows.filter(pl.col("percentile").is_not_null()).select("percentile", "latency_ns").iter_rows())
    assert named == {"p50": 20, "p90": 40, "p99": 40, "p99.9": 40, "max": 40}


def test_latency_curve_is_short_whatever_the_number_of_wakeups() -> None:
    rows = wakeup_latency.compute(build_view([synthetic.run("process", tasks=30, steps=100)], None, None, ""))
    assert rows.height <= wakeup_latency.POINTS + 5
    assert rows["share"].is_sorted()
    assert rows["latency_ns"].is_sorted()


def test_timeline_has_every_interval_with_how_it_ended() -> None:
    found = timeline.compute(view_of(small_run()))
    assert found.bin_ns is None
    shown = found.bars.select("cpu", "start_ns", "duration_ns", "task", "left").rows()
    assert shown == [
        (0, 0, 60, "A", "BLOCKED, lock"),
        (0, 80, 20, "B", "BLOCKED, sleep"),
        (1, 20, 40, "B", "RUNNABLE, preempted"),
        (1, 120, 40, "B", None),
        (1, 160, 40, "A", None),
        (1, 220, 50, "K", None),
    ]
    colours = dict(found.bars.select("task", "colour").iter_rows())
    assert colours == {"A": 0, "B": 1, "K": len(timeline.TASK_COLOURS)}  # K is outside the program


def test_a_task_keeps_its_colour_across_models() -> None:
    bars = timeline.compute(view_of(*synthetic.runs(), trace=synthetic.trace())).bars
    assert bars["subject"].n_unique() == 4
    assert bars.group_by("task").agg(pl.col("colour").n_unique())["colour"].max() == 1


def test_a_long_timeline_is_binned_and_says_so() -> None:
    view = view_of(*synthetic.runs(tasks=20, steps=80))
    found = timeline.compute(view)
    assert found.bin_ns is not None
    assert found.bars.height <= timeline.BINNED_BARS + 6  # a last bin of each row
    assert "Downsampled" in timeline.draw(found, view).note
    # No CPU time is lost: bins times busy share is the RUNNING time.
    for run in view.runs:
        busy = found.bars.filter(pl.col("subject") == run.label)["busy_share"].sum() * found.bin_ns
        assert busy == pytest.approx(run.value("running_time"), rel=1e-9)


def test_bins_take_the_longest_runner_and_cut_at_their_edges() -> None:
    # bins of 10: [0, 10) task 1 for 4 and task 2 for 6; [10, 20) task 2 for 10; [20, 30) task 2 for 1; [40, 50) a tie
    runs = pl.DataFrame(
        {"task_id": [1, 2, 4, 3], "cpu": [0, 0, 0, 0], "start_ns": [0, 4, 40, 43], "end_ns": [4, 21, 43, 46]}
    )
    found = binned(runs, 10)
    assert found.select("task_id", "start_ns", "end_ns").rows() == [(2, 0, 10), (2, 10, 20), (2, 20, 30), (3, 40, 50)]
    assert found["busy_share"].to_list() == pytest.approx([1.0, 1.0, 0.1, 0.6])


def test_timeline_of_a_large_machine_shows_the_first_cpus_and_says_so() -> None:
    run = small_run()
    starts = list(range(0, 400, 10))
    wide = {"task_id": [0] * 40, "cpu": list(range(40)), "state": ["RUNNING"] * 40, "start_ns": starts}
    run.tables["intervals"] = table("intervals", wide | {"end_ns": [start + 10 for start in starts]})
    view = view_of(run)
    found = timeline.compute(view)
    assert found.bars["cpu"].n_unique() == timeline.MOST_CPUS
    assert "24 more are not" in timeline.draw(found, view).note


def test_memory_rows_and_thinning_keeps_the_peak() -> None:
    rows = memory.compute(view_of(small_run())).rows()
    assert rows == [("process", 0, 10, 100, False), ("process", 50, 40, 200, False), ("process", 150, 20, 900, False)]
    run = small_run()
    at = list(range(5_000))
    run.tables["memory"] = table(
        "memory", {"at_ns": at, "resident_bytes": [9 if t == 777 else 1 for t in at], "virtual_bytes": at}
    )
    thinned = memory.compute(view_of(run))
    assert thinned.height <= memory.POINTS
    assert thinned["thinned"].all()
    assert (thinned["resident_bytes"].max(), thinned["virtual_bytes"].max()) == (9, 4_999)


def test_trust_states_profile_coverage_and_self_replay() -> None:
    found = trust.compute(view_of(*synthetic.runs(), trace=synthetic.trace(), program=synthetic.program()))
    assert set(found["profiles"].values()) == {"reference, measured on a reference machine, digest 0123456789abcdef"}
    assert found["coverage"] == 0.934
    label, errors = found["self_replay"]
    assert label == "process"
    for row in errors.iter_rows(named=True):
        assert row["error"] == pytest.approx(row["replayed"] / row["recorded"] - 1)
        assert -0.1 < row["error"] < 0  # the made-up recording is a little slower than its model


@pytest.mark.parametrize(
    ("bundles", "said"),
    [
        ({}, "no recording to compare with"),
        ({"trace": small_trace()}, "no completed run replays the recording in its own form (process) on its 2 CPUs"),
    ],
)
def test_trust_says_why_there_is_no_self_replay(bundles: dict[str, Any], said: str) -> None:
    run = small_run(model="goroutine", form="goroutine")
    assert said in trust.compute(view_of(run, **bundles))["no_self_replay"]


def test_self_replay_needs_as_many_cpus() -> None:
    assert trust.compute(view_of(small_run(cpus=4), trace=small_trace()))["self_replay"] is None


def test_outcome_counts_ended_tasks() -> None:
    run = small_run(outcome="deadlock", outcome_detail="A waits for B")
    assert outcome.compute(view_of(run)).rows() == [("process", "deadlock", "A waits for B", 2, 2)]


def test_holes_by_cause_with_unknown_losses() -> None:
    trace = small_trace()
    gaps = {
        "start_ns": [0, 10, 50],
        "end_ns": [5, 20, 50],
        "lost_events": [None, None, 12],
        "cause": ["broken_chain", "broken_chain", "lost_records"],
    }
    trace.tables["gaps"] = table("gaps", gaps)
    trace.meta["policies"] = [{"policy": "wakeup", "choice": "waking", "count": 3}]
    found = holes.compute(view_of(small_run(), trace=trace))
    assert found["gaps"].rows() == [("broken_chain", 2, 15, None), ("lost_records", 1, 0, 12)]
    assert found["policies"] == [("wakeup", "waking", 3)]


def test_header_counts_own_tasks_and_those_that_compete() -> None:
    facts = dict(header.compute(view_of(small_run()))["The program"])
    assert facts["tasks"] == "2, and 1 others that compete for the CPUs"


def test_header_says_what_differs_between_runs() -> None:
    runs = [small_run(kernel_policy="eevdf"), small_run(model="thread", cpus=4, kernel_policy="eevdf")]
    facts = dict(header.compute(view_of(*runs))["The machine and the models"])
    assert facts["CPUs"] == "2 (process), 4 (thread)"
    assert facts["kernel policy"] == "eevdf"
