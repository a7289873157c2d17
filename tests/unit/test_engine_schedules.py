"""Schedules worked out by hand from the sources, drawn one line per CPU, one character per millisecond.

A letter is the task whose name begins with it, `.` is an idle CPU. Nothing costs anything here unless a test says
so, so that the rule under test alone makes the picture.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.programs import free_profile, program
from tests.unit.pictures import MS, computing, free, picture
from tracekit.errors import ModelError, UsageError


def test_eevdf_alternates_at_ticks() -> None:
    # a slice of 0.7 ms is over long before the tick at 4 ms, where it is seen (fair.c: update_deadline, no HRTICK)
    assert picture(free(computing(a=8, b=8))) == ["aaaabbbbaaaabbbb"]


def test_eevdf_leaves_a_lone_thread_alone() -> None:
    run = free(computing(a=20))
    assert picture(run) == ["a" * 20]
    assert run.meta["counters"]["context_switches_involuntary"] == 0


def test_fifo_runs_each_to_its_end() -> None:
    assert picture(free(computing(a=6, b=3, c=2), kernel="fifo")) == ["aaaaaabbbcc"]


def test_round_robin_takes_turns_of_its_time_slice() -> None:
    run = free(computing(a=8, b=8), kernel="round_robin", parameters={"round_robin.slice_ns": 4 * MS})
    assert picture(run) == ["aaaabbbbaaaabbbb"]


def test_cfs_alternates_at_ticks() -> None:
    # each of two threads gets half of the 6 ms period; that it is over is seen at the tick at 4 ms
    assert picture(free(computing(a=8, b=8), kernel="cfs")) == ["aaaabbbbaaaabbbb"]


def test_cfs_lets_a_sleeper_in_at_once_and_eevdf_at_the_end_of_the_slice() -> None:
    # cfs: the sleeper is placed half a period behind, more than the 1 ms it needs to take the CPU
    # eevdf: it has no lag to claim and its deadline is no earlier, so it waits for the tick at 8 ms
    work = program({"s": [("sleep", 6 * MS), ("compute", 2 * MS)], "a": [("compute", 12 * MS)]})
    assert picture(free(work, kernel="cfs")) == ["aaaaaassaaaaaa"]
    assert picture(free(work)) == ["aaaaaaaassaaaa"]


def test_new_threads_go_to_the_idlest_cpu_and_an_idle_cpu_pulls() -> None:
    # c starts behind a; when b's CPU has nothing left, it takes c over (sched_balance_newidle)
    run = free(computing(a=12, b=2, c=4), cpus=2, kernel="fifo")
    assert picture(run, 2) == ["aaaaaaaaaaaa", "bbcccc......"]


def test_a_mutex_keeps_others_out() -> None:
    held = [("lock", "m"), ("compute", 2 * MS), ("sleep", 1 * MS), ("compute", 1 * MS), ("unlock", "m")]
    work = program({"a": held, "b": held}, {"m": ("mutex", None)})
    assert picture(free(work, cpus=2), 2) == ["aa.a....", "....bb.b"]


def test_an_unbuffered_channel_makes_the_goroutine_sender_wait() -> None:
    work = program(
        {"s": [("send", "c", 1), ("compute", 2 * MS)], "r": [("compute", 3 * MS), ("recv", "c"), ("compute", MS)]},
        {"c": ("channel", 0)},
    )
    at_once = {"goroutine.nap_ns": 0}
    assert picture(free(work, "goroutine", cpus=2, parameters=at_once), 2) == ["rrrr.", "...ss"]
    # s sits in runnext of the P that r keeps busy: the thief sleeps before it takes it (runqgrab)
    assert free(work, "goroutine", cpus=2).meta["end_ns"] == 5 * MS + 53_000


def test_a_pipe_has_room_for_one_so_the_sender_goes_on() -> None:
    work = program(
        {"s": [("send", "c", 1), ("compute", 2 * MS)], "r": [("compute", 3 * MS), ("recv", "c"), ("compute", MS)]},
        {"c": ("channel", 0)},
    )
    assert picture(free(work, "process", cpus=2), 2) == ["ss..", "rrrr"]


def test_go_preempts_after_ten_milliseconds_and_queues_globally() -> None:
    # sysmon sees at 10 ms and a round that a ran on (retake); a goes to the global queue, b runs, and so on
    run = free(computing(a=24, b=12), "goroutine", parameters={"goroutine.sysmon_max_ns": 70_000})
    line = picture(run)[0]
    assert line.startswith("a" * 11 + "b" * 10) and len(line) == 36
    assert line.count("a") == 24


def test_go_runs_the_last_created_first() -> None:
    # each `go` statement takes runnext and pushes the one before into the ring (runqput)
    main = [("spawn", name) for name in "abc"]
    work = program({"main": main, **{name: [("compute", MS)] for name in "abc"}})
    assert picture(free(work, "goroutine")) == ["cab"]


def test_go_steals_half_of_a_queue() -> None:
    main = [("spawn", name) for name in "abcd"] + [("compute", 4 * MS)]
    work = program({"main": main, **{name: [("compute", 2 * MS)] for name in "abcd"}})
    run = free(work, "goroutine", cpus=2)
    assert run.meta["counters"]["steals"] > 0
    assert run.meta["end_ns"] == 6 * MS  # 12 ms of work on two CPUs, none of them idle
    alone = free(work, "goroutine", cpus=2, parameters={"goroutine.steal": 0})
    assert alone.meta["counters"]["steals"] == 0


def test_a_blocked_system_call_loses_its_p_and_the_others_go_on() -> None:
    work = program({"s": [("syscall", 20 * MS)], "a": [("compute", 5 * MS)], "b": [("compute", 5 * MS)]})
    run = free(work, "goroutine")
    assert run.meta["counters"]["handoffs"] == 1
    assert run.meta["end_ns"] == 20 * MS  # the computing took place meanwhile
    assert run.meta["counters"]["threads"] == 2


def test_a_network_wait_costs_no_kernel_thread() -> None:
    waits = {f"n{i}": [("network", 5 * MS), ("compute", MS)] for i in range(50)}
    run = free(program(waits), "goroutine")
    assert run.meta["counters"]["threads"] <= 2
    blocked = free(program({name: [("io", 5 * MS), ("compute", MS)] for name in waits}), "goroutine")
    assert blocked.meta["counters"]["threads"] > 10


def test_a_sleep_in_an_idle_go_program_ends_at_a_whole_millisecond() -> None:
    work = program({"s": [("sleep", 50_000), ("compute", MS)]})
    assert free(work, "goroutine").meta["end_ns"] == 2 * MS  # epoll's timeout: 1 ms, not 50 us
    assert free(work, "thread").meta["end_ns"] == 50_000 + MS


def test_stacks_double() -> None:
    work = program({"a": [("stack", 30_000), ("compute", MS)]})
    run = free(work, "goroutine", profile=free_profile(goroutine_resident_bytes=2048))
    assert run.frame("memory")["resident_bytes"].max() == 32_768  # 2 KiB doubled four times


def test_a_deadlock_is_a_result_that_names_who_waits() -> None:
    work = program(
        {"a": [("lock", "x"), ("compute", MS), ("lock", "y")], "b": [("lock", "y"), ("compute", MS), ("lock", "x")]},
        {"x": ("mutex", None), "y": ("mutex", None)},
    )
    for model in ("process", "thread", "goroutine"):
        run = free(work, model, cpus=2)
        assert run.meta["outcome"] == "deadlock"
        assert "a (task 0) waits for lock on y" in run.meta["outcome_detail"]


def test_a_program_that_breaks_a_rule_is_stopped_with_event_and_time() -> None:
    work = program({"a": [("compute", MS), ("unlock", "x")]}, {"x": ("mutex", None)})
    with pytest.raises(ModelError, match=r"event \d+ at 1000000 ns: task 0 \(a\) unlocks x, which it does not hold"):
        free(work)


@pytest.mark.parametrize(
    "options", [{"cpus": 0}, {"model": "fibre"}, {"kernel": "lottery"}, {"parameters": {"thread.colour": 3}}]
)
def test_a_wrong_call_is_a_usage_error(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        free(computing(a=1), **options)


@pytest.mark.parametrize(("cost", "kind"), [("thread_switch_ns", "switch"), ("tick_ns", "tick")])
def test_a_cost_appears_as_overhead_and_in_the_makespan(cost: str, kind: str) -> None:
    run = free(computing(a=8, b=8), profile=free_profile(**{cost: 10_000}))
    charged = run.frame("overheads").filter(pl.col("kind").cast(pl.String) == kind)["duration_ns"].sum()
    assert charged > 0
    assert run.meta["end_ns"] == 16 * MS + charged


def test_processes_pay_for_their_address_spaces_and_threads_do_not() -> None:
    profile = free_profile(address_space_ns=1000)
    kinds = {
        model: set(free(computing(a=8, b=8), model, profile=profile).frame("overheads")["kind"].cast(pl.String))
        for model in ("process", "thread")
    }
    assert kinds == {"process": {"address_space"}, "thread": set()}


def test_an_unlock_wakes_nobody_while_one_that_was_woken_is_on_its_way() -> None:
    # glibc's lll_unlock wakes only in state 2: a, which begins at 5 ms, wakes b at 6, and b needs 5 to come; a, that
    # takes the mutex twice more without waiting, leaves it in state 1. b takes it at 11 in state 2, as all do that
    # waited, and wakes c at 12
    section = [("lock", "m"), ("compute", MS), ("unlock", "m")]
    work = program({"a": 3 * section, "b": section, "c": section}, {"m": ("mutex", None)})
    run = free(work, cpus=2, profile=free_profile(idle_exit_ns=5 * MS))
    woken = run.frame("wakeups").filter(pl.col("reason") == "lock")
    assert woken.select("wakee_id", "at_ns").rows() == [(1, 6 * MS), (2, 12 * MS)]
