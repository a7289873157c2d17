"""Weights, ticks, yields, FIFO and round robin, and what stops a run, against schedules worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.programs import free_profile, program
from tests.unit.pictures import MS, compute, computing, free, picture, schedule, sleep
from tracekit.engine.setup import WEIGHTS
from tracekit.errors import ModelError

FINE = {"eevdf.hz": 1000}


def test_nice_weights() -> None:
    # sched_prio_to_weight (kernel/sched/core.c), by nice value from -20 to 19
    assert {nice: WEIGHTS[nice + 20] for nice in (-20, -5, -1, 0, 1, 5, 10, 19)} == {
        -20: 88761, -5: 3121, -1: 1277, 0: 1024, 1: 820, 5: 335, 10: 110, 19: 15,
    }  # fmt: skip


def test_one_step_of_nice_is_about_a_tenth_of_the_cpu() -> None:
    # 1024 : 820 is 55.5 % : 44.5 %
    line = picture(free(computing({"b": 1}, a=400, b=400), parameters=FINE))[0][:400]
    assert line.count("a") == pytest.approx(0.555 * 400, abs=4)


def test_the_earliest_eligible_deadline_runs() -> None:
    # pick_eevdf. Half slices make deadlines of 0.35 for a (1024), 0.11 for b (3121), 1.07 for c (335): b runs. At 4 ms it
    # has v 1.31, above V 0.91: a runs. At 8 ms V is 1.83, b and c are eligible, and c is first (1.07, b 1.54)
    line = picture(free(computing({"b": -5, "c": 5}, a=8, b=12, c=4)))
    assert line == ["bbbbaaaaccccbbbbbbbbaaaa"]


def test_the_base_slice_grows_with_the_cpus() -> None:
    # update_sysctl, sched_update_scaling: 0.7 ms on one CPU, 1.4 on 2, 2.1 on 4, 2.8 on 8 and more; with a tick each ms
    # the first of two new threads has half of that, and then each runs 1, 2, 3 and 3 ms at a time
    tasks = {name: [compute(12)] for name in "ab"}
    assert schedule(tasks, parameters=FINE)[0].startswith("abab")
    for cpus, turn in ((2, 2), (4, 3), (8, 3)):
        pairs = {f"{name}{i}": [compute(12)] for name in "ab" for i in range(cpus)}
        line = schedule(pairs, cpus=cpus, parameters=FINE)[0]
        assert "b" + "a" * turn + "b" * turn + "a" in line


def test_a_lone_thread_is_left_alone() -> None:
    # update_curr: with nr_queued 1 nobody is rescheduled, and no tick needs an event
    run = free(computing(a=400))
    assert run.meta["counters"]["context_switches_involuntary"] == 0
    assert run.meta["events"] < 6


def test_expiry_is_not_seen_between_ticks() -> None:
    # no HRTICK: with HZ 100 a slice of 0.7 ms lasts 10 ms
    assert schedule({"a": [compute(10)], "b": [compute(10)]}, parameters={"eevdf.hz": 100}) == ["a" * 10 + "b" * 10]


def test_skewed_ticks() -> None:
    # tick_setup_sched_timer, skew_tick=1: CPU 1's ticks come half of half a period later
    tasks = {"a": [("spawn", "c"), compute(4)], "b": [("spawn", "d"), compute(4)], "c": [compute(4)], "d": [compute(4)]}
    assert schedule(tasks, cpus=2, parameters={"eevdf.skew_tick": 1}) == ["aaaacccc", "bddddbbb"]


def test_a_yield_gives_up_the_request() -> None:
    # yield_task_fair, 6.18: a (v 0, V 0) is eligible: it goes to its deadline, 0.35 ms ahead, and b runs to the tick
    tasks = {"a": [("yield",), compute(4)], "b": [compute(4)]}
    assert schedule(tasks) == ["bbbbaaaa"]


def test_fifo_runs_in_the_order_of_arrival() -> None:
    # enqueue_task_rt at the tail; a waking thread of the same priority does not preempt (wakeup_preempt_rt)
    tasks = {"a": [compute(3), sleep(1), compute(2)], "b": [compute(3)], "c": [compute(2)]}
    assert schedule(tasks, kernel="fifo") == ["aaabbbccaa"]


def test_fifo_yields_to_the_tail() -> None:
    # yield_task_rt: requeue_task_rt
    tasks = {"a": [compute(1), ("yield",), compute(1)], "b": [compute(2)], "c": [compute(1)]}
    assert schedule(tasks, kernel="fifo") == ["abbca"]


def test_round_robin_takes_turns() -> None:
    # task_tick_rt: RR_TIMESLICE is 100 ms
    assert schedule({"a": [compute(200)], "b": [compute(200)]}, kernel="round_robin", step_ms=50) == ["aabbaabb"]


def test_round_robin_keeps_the_rest_of_a_slice() -> None:
    # task_tick_rt: a slice of 2 ticks. a sleeps at 5 ms with one left, which is used up at 16 ms; b counts those at
    # 8 and 12, and at 20 and 24
    tasks = {"a": [compute(5), sleep(1), compute(10)], "b": [compute(20)]}
    line = schedule(tasks, kernel="round_robin", parameters={"round_robin.slice_ns": 8 * MS})
    assert line == ["a" * 5 + "b" * 7 + "a" * 4 + "b" * 8 + "a" * 6 + "b" * 5]


def test_round_robin_renews_the_slice_of_a_thread_that_is_alone() -> None:
    # task_tick_rt refills time_slice before it looks whether others wait: a's second slice of 2 ticks ends at 16 ms
    tasks = {"b": [sleep(10), compute(4)], "a": [compute(20)]}
    line = schedule(tasks, kernel="round_robin", parameters={"round_robin.slice_ns": 8 * MS})
    assert line == ["a" * 16 + "bbbb" + "aaaa"]


def test_timer_slack_delays_fair_sleepers() -> None:
    # hrtimer_nanosleep (PR_SET_TIMERSLACK), here 1 ms
    assert schedule({"a": [sleep(1), compute(1)]}, profile=free_profile(timer_slack_ns=MS)) == ["..a"]


def test_a_thread_starved_beside_an_idle_cpu_stops_the_run() -> None:
    # a policy that places all on CPU 0 and never balances
    with pytest.raises(ModelError, match=r"event \d+ at 1\d{9} ns: .*task 1 .*runnable for 1 s while a CPU idles"):
        free(computing(a=5000, b=10), "tests.unit.hoarder:MODEL", cpus=2)


def test_time_does_not_overflow() -> None:
    # 26 days twice, which no single step shows
    with pytest.raises(ModelError, match=r"event \d+ at \d+ ns: simulated time went beyond 2\^52 ns \(52 days\)"):
        free(program({"a": [("compute", (1 << 51) + 1)] * 2}))


@pytest.mark.parametrize("kind", ["compute", "sleep", "network", "io", "syscall", "arrival"])
def test_no_step_is_too_long_to_add_up(kind: str) -> None:
    with pytest.raises(ModelError, match=r"task 0 \(a\), segment 1: .* is beyond 2\^52 ns"):
        free(program({"a": [compute(1), (kind, (1 << 63) - 1)]}))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (("stack", (1 << 63) - 1), "9,223,372,036,854,775,807 bytes are more than 1,099,511,627,776"),
        (("send", "c", 1 << 41), "2,199,023,255,552 bytes are more than"),
        (("wait_group_add", "g", 1 << 30), "2,147,483,648 are added to one wait group, which counts to 2,147,483,647"),
    ],
)
def test_no_size_or_count_wraps(step: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        free(program({"a": [step, step]}, {"c": ("channel", 9), "g": ("wait_group", None)}))


def test_computing_costs_one_event_however_long() -> None:
    # nothing but its end, a tick with others waiting, or a wakeup can change a decision
    short, long = (free(computing(a=length)).meta["events"] for length in (4, 4000))
    assert short == long
