"""What extraction takes out of computing, worked out by hand; what it says about itself; which tasks it chooses."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.golden.program_text import text_of, trace, trace_of
from tracekit.errors import UsageError
from tracekit.machine.profile import FormCosts
from tracekit.program.extract import extract
from tracekit.program.extract.operations import Spawns, fresh
from tracekit.tables.build import empty
from tracekit.tables.bundle import Program, Trace
from tracekit.tables.meta import PROGRAM_META

COSTS = FormCosts(block_ns=1_000, wake_ns=2_000, switch_ns=500, spawn_ns=5_000, recorder_event_ns=100)


def test_each_cost_is_taken_where_it_was_paid() -> None:
    program = extract(
        trace("""
        parent: R 0-20, b 20-50 by child, q 50-51, R 51-60
        child of parent: n 10-11, q 11-15 spawn, R 15-25, q 25-26 preempted, R 26-90
        """),
        costs=COSTS,
    )
    # parent, 0-10: switched in 0.6, created the child 5.2; 10-20: went to wait 1.0; 51-60: switched in 0.6
    # child, 15-50: switched in twice 1.2; 50-90: woke the parent 2.1
    assert text_of(program) == (
        "parent (at 0 ns): compute 4.20 µs, spawn child, compute 9.00 µs, wait event0, compute 8.40 µs\n"
        "child (spawned): compute 32.8 µs, signal event0, compute 37.9 µs"
    )
    removed = {kind: ns for kind, ns in program.meta["removed_ns"].items() if ns}
    assert removed == {"recorder": 700, "switch": 2000, "block": 1000, "wake": 2000, "spawn": 5000}


def test_an_end_a_first_run_timed_waits_idle_cpus_and_ticks_are_taken_out() -> None:
    costs = FormCosts(0, 0, 0, 0, 0, exit_ns=3_000, first_run_ns=2_000, timed_wait_ns=400, idle_enter_ns=700,
                      tick_ns=1_000, tick_period_ns=20_000)  # fmt: skip
    story = """
        parent: R 0-20, b 20-40 sleep, R 40-60
        child of parent ends: n 10-11, q 11-20 spawn, R 20-32, b 32-50 sleep, q 50-60, R 60-64
        """
    whole, without = (_computing(extract(trace(story), costs=chosen)) for chosen in (None, costs))
    # parent: 20 of computing hold a tick, 1.0 each; before the sleep 0.4
    # child: 2.0 when it first runs, 0.6 of a tick, 0.4 before its sleep, in which the CPU idles: 0.7; its end of 3.0,
    # and 0.2 of a tick
    assert [before - after for before, after in zip(whole, without, strict=True)] == [2_400, 6_900]


def test_an_interrupt_for_somebody_is_taken_from_whoever_ran_where_it_struck() -> None:
    costs = FormCosts(0, 0, 0, 0, recorder_event_ns=100, interrupt_ns=3_000)
    tasks = [{"task_id": number, "name": name, "kind": "thread", "start_ns": 0} for number, name in enumerate("abc")]
    intervals = [
        {"task_id": 0, "cpu": 0, "state": "RUNNING", "start_ns": 0, "end_ns": 10_000},
        {"task_id": 0, "cpu": 0, "state": "BLOCKED", "start_ns": 10_000, "end_ns": 30_000, "reason": "network"},
        {"task_id": 0, "cpu": 1, "state": "RUNNING", "start_ns": 30_000, "end_ns": 40_000},
        {"task_id": 1, "cpu": 0, "state": "RUNNING", "start_ns": 10_000, "end_ns": 50_000},
        {"task_id": 2, "cpu": 1, "state": "RUNNING", "start_ns": 10_000, "end_ns": 30_000},
    ]
    for cpu, computed in (
        (1, [19_800, 39_900, 16_800]),
        (None, [19_800, 36_800, 19_900]),
        (0, [19_800, 36_800, 19_900]),
    ):
        wakeups = [{"at_ns": 30_000, "waker_id": None, "wakee_id": 0, "cpu": cpu}]
        # switched in twice, once, once; without a CPU the timer is where the task set it
        assert _computing(extract(trace_of(tasks, intervals, wakeups), costs=costs)) == computed


def test_interrupts_that_end_goroutines_waits_strike_whoever_runs() -> None:
    costs = FormCosts(0, 0, 0, 0, 0, interrupt_ns=1_000)
    tasks = [{"task_id": number, "name": name, "kind": "goroutine", "start_ns": 0} for number, name in enumerate("ab")]
    intervals = [
        {"task_id": 0, "cpu": 0, "state": "RUNNING", "start_ns": 0, "end_ns": 20_000},
        {"task_id": 0, "state": "BLOCKED", "start_ns": 20_000, "end_ns": 40_000, "reason": "network"},
        {"task_id": 0, "cpu": 0, "state": "RUNNING", "start_ns": 60_000, "end_ns": 100_000},
        {"task_id": 1, "cpu": 0, "state": "RUNNING", "start_ns": 20_000, "end_ns": 60_000},
        {"task_id": 1, "state": "BLOCKED", "start_ns": 60_000, "end_ns": 100_000, "reason": "channel_recv"},
    ]
    # one wait for a device in 100 us of one CPU: 10 ns of interrupts in each us
    assert _computing(extract(trace_of(tasks, intervals, []), costs=costs)) == [59_400, 39_600]


def test_a_recorder_that_tells_of_each_switch_twice_is_paid_twice() -> None:
    costs = FormCosts(0, 0, 0, 0, recorder_event_ns=1_000)
    story = "a: R 0-10"
    assert _computing(extract(trace(story, events=30, repeats=0), costs=costs)) == [9_000]
    assert _computing(extract(trace(story, events=30, repeats=15), costs=costs)) == [8_000]


def test_a_switchs_event_costs_more_than_others_and_with_a_callchain_still_more() -> None:
    costs = FormCosts(0, 0, 0, 0, recorder_event_ns=100, recorder_switch_ns=200, recorder_callchain_ns=700)
    story = "a: R 0-10, b 10-30 lock, R 30-40"  # comes twice
    for callchains, computed in ((True, 18_000), (False, 19_400), (None, 19_400)):
        assert _computing(extract(trace(story, callchains=callchains), costs=costs)) == [computed]


def test_waking_a_cpu_that_idles_costs_its_waker_an_interrupt() -> None:
    costs = FormCosts(0, 0, 0, 0, 0, idle_wake_ns=3_000)
    tasks = [{"task_id": number, "name": name, "kind": "thread", "start_ns": 0} for number, name in enumerate("abc")]
    intervals = [
        {"task_id": 0, "cpu": 0, "state": "RUNNING", "start_ns": 0, "end_ns": 50_000},
        {"task_id": 1, "cpu": 1, "state": "RUNNING", "start_ns": 0, "end_ns": 10_000},
        {"task_id": 1, "state": "BLOCKED", "start_ns": 10_000, "end_ns": 20_000},
        {"task_id": 1, "cpu": 1, "state": "RUNNING", "start_ns": 30_000, "end_ns": 50_000},
    ]
    busy = [{"task_id": 2, "cpu": 1, "state": "RUNNING", "start_ns": 15_000, "end_ns": 30_000}]
    wakeups = [{"at_ns": 20_000, "waker_id": 0, "wakee_id": 1, "cpu": 0}]
    queued = [{"task_id": 1, "cpu": 1, "state": "RUNNABLE", "start_ns": 20_000, "end_ns": 30_000, "reason": "wakeup"}]
    idle = trace_of(tasks, intervals + queued, wakeups)
    assert _computing(extract(idle, costs=costs)) == [47_000, 30_000]
    assert _computing(extract(trace_of(tasks, intervals + queued + busy, wakeups), costs=costs)) == [
        50_000,
        30_000,
        15_000,
    ]


def test_a_wait_inside_the_kernel_costs_what_any_wait_does() -> None:
    program = extract(
        trace("""
        a: R 0-5, b 5-10 uninterruptible by b, q 10-12, R 12-20
        b: R 0-12
        """),
        costs=COSTS,
    )
    # a is switched in twice, 0.6 each, and goes to wait, 1.0; b is switched in, and ends the wait, 2.1
    assert text_of(program) == "a (at 0 ns): compute 10.8 µs\nb (at 0 ns): compute 9.30 µs"


def _computing(program: Program) -> list[int]:
    """Of each task, in ns."""
    segments = program.frame("segments").filter(pl.col("kind").cast(pl.String) == "compute")
    return segments.group_by("task_id").agg(pl.col("duration_ns").sum()).sort("task_id")["duration_ns"].to_list()


def test_a_wait_for_a_lock_inside_the_kernel_is_the_form_s_own() -> None:
    # b holds the address space's lock while it makes a thread; a disk's interrupt ends the other wait
    program = extract(
        trace("""
        a: R 0-5, b 5-10 uninterruptible by b, R 10-15, b 15-20 uninterruptible by irq, R 20-25
        b: R 5-12
        """)
    )
    assert (
        text_of(program) == "a (at 0 ns): compute 10.0 µs, io 5.00 µs, compute 5.00 µs\nb (at 5.00 µs): compute 7.00 µs"
    )
    assert [row["count"] for row in program.meta["policies"] if "inside the kernel" in row["policy"]] == [1]


def test_what_a_piece_is_too_short_for_comes_from_its_stretch_and_no_further() -> None:
    program = extract(
        trace("""
        a: b 0-10 by b, R 10-12, b 12-30 by b, R 30-31
        b: R 0-28, b 28-29 by irq, R 29-40
        """),
        costs=COSTS,
    )
    # b wakes a at 10 (2.1), and again at 29, where it runs on after its own wait; it waits at 28: 18 - 2.1 - 1.0.
    # a computes 2.0 between its waits: less than 0.6 + 1.0; the last 1.0 pays 0.6.
    assert text_of(program) == (
        "a (at 0 ns): wait event0, compute 400 ns, wait event1, compute 400 ns\n"
        "b (at 0 ns): compute 9.40 µs, signal event0, compute 14.9 µs, network 1.00 µs, compute 400 ns, "
        "signal event1, compute 7.90 µs"
    )


def test_a_stretch_shorter_than_its_costs_ends_at_zero_and_the_rest_is_left() -> None:
    program = extract(trace("a: R 0-1, b 1-5 by irq, R 5-6"), costs=COSTS)
    assert text_of(program) == "a (at 0 ns): network 4.00 µs, compute 400 ns"
    assert sum(program.meta["removed_ns"].values()) == 1000 + 600


def test_coverage_is_the_explained_share_of_blocked_time() -> None:
    story = """
        a: R 0-1, b 1-11 by b, R 11-12, b 12-32, R 32-33, b 33-43 sleep, R 43-44, b 44-54 by irq, R 54-55, b 55-60
        b: R 0-60
        k kernel: b 0-60, R 60-61
    """
    program = extract(trace(story))
    # 10 by b, 10 by a timer that the reason names, 10 by an interrupt; not 20 that nothing explains, nor k's
    assert program.meta["coverage"] == pytest.approx(30 / 50)
    counts = {entry["policy"]: entry["count"] for entry in program.meta["policies"]}
    assert counts["a wait that a task ended"] == 1
    assert counts["a wait that a timer or an interrupt ended"] == 1
    assert counts["a wait that the recording ends in"] == 1


def test_open_arrivals_keep_the_recorded_time() -> None:
    recording = trace("a: R 0-1, b 1-11 network by irq, R 12-13, b 13-20 sleep by irq, R 20-21")
    assert "arrival 11.0 µs" in text_of(extract(recording, arrivals="open"))
    assert "network 10.0 µs" in text_of(extract(recording, arrivals="closed"))
    unexplained = trace("a: R 0-1, b 1-11 by irq, R 12-13, b 13-20 uninterruptible by irq, R 20-21")
    assert "arrival 11.0 µs, compute 1.00 µs, io 7.00 µs" in text_of(extract(unexplained, arrivals="open"))
    with pytest.raises(UsageError, match="unknown arrivals 'ajar'"):
        extract(recording, arrivals="ajar")


STORY = """
perf: R 0-10
work of perf: n 1-2, q 2-3 spawn, R 3-600
part of work: n 5-6, q 6-7 spawn, R 7-500
other: R 0-20
kworker/0:0 kernel: R 20-30
"""


def _converted(recording: Trace, **options: object) -> list[str]:
    tasks = extract(recording, **options).frame("tasks")  # type: ignore[arg-type]
    return tasks.filter("converted")["name"].to_list()


def test_what_the_recorder_started_is_the_program_when_it_takes_nearly_all_time() -> None:
    assert _converted(trace(STORY)) == ["work", "part"]


def test_else_all_but_kernel_threads_and_the_recorder_are() -> None:
    assert _converted(trace(STORY.replace("other: R 0-20", "other: R 0-900"))) == ["work", "part", "other"]


@pytest.mark.parametrize("process", ["part", 102, "102", ["part"], ["part", "part"]])
def test_a_process_is_chosen_by_name_or_id(process: object) -> None:
    assert _converted(trace(STORY), process=process) == ["part"]


def test_an_unknown_process_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no process or task is called 'parts'; there are .*part"):
        extract(trace(STORY), process="parts")


def test_a_recording_of_nothing_is_a_program_of_nothing() -> None:
    recording = Trace({name: empty(name) for name in ("tasks", "intervals", "wakeups", "gaps")})
    program = extract(recording, costs=COSTS)
    assert [table.num_rows for table in program.tables.values()] == [0, 0, 0]
    assert program.meta["coverage"] == 1.0
    assert set(program.meta) == set(PROGRAM_META)


def test_a_task_that_did_nothing_stays_a_name() -> None:
    recording = trace("a: R 0-10")
    tasks = recording.tables["tasks"]
    silent = trace("silent: R 0-10\na: R 0-10").tables["tasks"]
    two = Trace({**recording.tables, "tasks": silent, "intervals": recording.tables["intervals"]})
    assert tasks.num_rows == 1
    assert text_of(extract(two)).splitlines()[1] == "a (at 0 ns, competes): nothing"


def test_a_goroutine_that_no_ended_one_can_be_made_of_costs_more() -> None:
    """At 100 and 300 none has ended; at 500 one has, and at 700 that one is used up."""
    spawns = Spawns(np.array([1, 2, 3, 4]), np.zeros(4, np.int64), np.array([100, 300, 500, 700]))
    ended_at = np.array([-1, 400, -1, -1, -1])
    assert fresh(spawns, ended_at, np.ones(5, np.bool_)).tolist() == [False, True, True, False, True]
    assert not fresh(spawns, ended_at, np.zeros(5, np.bool_)).any()


def test_a_kernels_sleep_was_asked_to_be_shorter_by_the_timers_slack() -> None:
    costs = FormCosts(0, 0, 0, 0, 0, timer_slack_ns=50_000)
    recorded = trace("a: R 0-10, b 10-210 sleep, R 210-220, b 220-250 sleep, R 250-260, b 260-460 network, R 460-470")
    steps = extract(recorded, costs=costs).frame("segments").filter(pl.col("kind") != "compute")
    assert steps.select("kind", "duration_ns").rows() == [("sleep", 150_000), ("sleep", 1), ("network", 200_000)]
