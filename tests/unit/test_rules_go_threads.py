"""System calls, sysmon, the poller and timers: src/runtime/proc.go, time.go and netpoll_epoll.go of Go 1.27.

sysmon's rounds, with 50 us of timer slack: at every 70 us up to 3.57 ms, then 3.71, 3.99, 4.55, 5.67, 7.91, 12.39,
21.35, 31.35 ms, if it takes no P.
"""

from __future__ import annotations

import polars as pl
import pytest

from tests.unit.goroutines import US, go, lines, starts
from tests.unit.pictures import MS, compute, sleep
from tracekit.tables.bundle import Run

ONE = [compute(1)]
STARTS_S = [("spawn", "a"), ("spawn", "s")]  # s is next, a in the ring


def test_sysmon_looks_ever_less_often() -> None:
    # a's schedtick was first seen at 70 us: 10 ms later is 10.07, the next round at 12.39 ms
    run = go({"m": [("spawn", "b"), ("spawn", "a")], "a": [compute(20)], "b": ONE})
    assert starts(run)["b"] == [12_390 * US]


def test_retake_takes_a_p_with_work_from_the_first_system_call_at_once() -> None:
    # no system call of this P has ended, so that the tick is as sysmon last saw it
    run = go({"m": STARTS_S, "s": [("syscall", 5 * MS)], "a": ONE})
    assert starts(run)["a"] == [70 * US]


def test_retake_takes_a_p_with_work_at_the_second_look() -> None:
    # the second call begins at 501 us; looks at 560 and 630 us
    steps = [("syscall", US), ("compute", 500 * US), ("syscall", 5 * MS)]
    run = go({"m": STARTS_S, "s": steps, "a": ONE})
    assert starts(run)["a"] == [630 * US]


@pytest.mark.parametrize(("length_ms", "taken"), [(9, 0), (30, 1)])
def test_retake_leaves_a_p_without_work_for_ten_ms(length_ms: int, taken: int) -> None:
    run = go({"s": [("syscall", length_ms * MS), ("compute", US)]}, cpus=2)
    assert run.meta["counters"]["handoffs"] == taken
    assert starts(run)["s"][-1] == length_ms * MS  # exitsyscall: its own P, or an idle one, at once


def test_exitsyscall_without_a_p_goes_to_the_global_queue() -> None:
    run = go({"m": STARTS_S, "s": [("syscall", MS), compute(1)], "a": [compute(5)]})
    assert lines(run) == [".aaaaas"]
    # its M gets the CPU at the tick at 4 ms only
    assert starts(run, "RUNNABLE")["s"][-2:] == [MS, 4 * MS]


def test_exitsyscalltrygetp_takes_its_old_p_back_from_a_system_call() -> None:
    # a has the P from 70 us on, and is in a system call itself when s returns
    a = [("compute", 430 * US), ("syscall", 5 * MS), compute(1)]
    run = go({"m": STARTS_S, "s": [("syscall", 600 * US), compute(1)], "a": a})
    assert starts(run)["s"][-1] == 600 * US
    assert run.meta["counters"]["handoffs"] == 1


def test_handoffp_starts_an_m_that_runs_what_is_queued() -> None:
    run = go({"m": STARTS_S, "s": [("syscall", 3 * MS)], "a": ONE})
    assert run.meta["counters"]["threads"] == 2


@pytest.mark.parametrize(("asked_us", "slept_ms"), [(50, 1), (1500, 2), (10_300, 11), (3000, 3)])
def test_netpoll_waits_whole_milliseconds(asked_us: int, slept_ms: int) -> None:
    # 1.5 ms: epoll_wait for 1 ms, and for 1 ms again, as less than one is not possible
    run = go({"s": [sleep(asked_us / 1000), compute(1)]})
    assert starts(run)["s"][-1] == slept_ms * MS


def test_netpoll_sleeps_again_for_the_rest() -> None:
    once = go({"s": [sleep(3)]}).meta["counters"]["context_switches_voluntary"]
    twice = go({"s": [sleep(3.5)]}).meta["counters"]["context_switches_voluntary"]
    assert twice == once + 1


def test_timers_check_runs_a_busy_ps_timers_at_its_next_turn() -> None:
    assert lines(go({"m": STARTS_S, "s": [sleep(1), compute(1)], "a": [compute(5)]})) == ["aaaaas"]


def test_timers_check_readies_in_the_order_of_expiry() -> None:
    # at 5 ms: u, t, s; the last one is in runnext, the others in the ring
    work = {"m": [("spawn", name) for name in "stau"], "a": [compute(5)]}
    sleepers = {"s": [sleep(3), compute(1)], "t": [sleep(2), compute(1)], "u": [sleep(1), compute(1)]}
    assert lines(go({**work, **sleepers})) == ["aaaaasut"]


def test_stealwork_runs_the_timers_of_others_in_its_last_pass() -> None:
    # the first sleeper wakes an M that finds nothing and waits for the timer in netpoll; then it steals the timer
    assert lines(go({"m": STARTS_S, "s": [sleep(1), compute(1)], "a": [compute(5)]}, cpus=2)) == ["aaaaa", ".s..."]


def test_wakenetpoller_an_earlier_timer_makes_the_poller_sleep_anew() -> None:
    work = {"m": [("spawn", "s"), ("spawn", "t")], "t": [sleep(50)], "s": [("compute", MS), sleep(2), compute(1)]}
    assert starts(go(work, cpus=2))["s"][-1] == 3 * MS


def test_sysmon_polls_the_network_when_nobody_did_for_ten_ms() -> None:
    # a keeps the only P busy; at 12.39 ms sysmon polls, and preempts a
    run = go({"m": [("spawn", "a"), ("spawn", "n")], "n": [("network", MS), compute(1)], "a": [compute(30)]})
    assert starts(run)["n"][-1] == 12_390 * US


def test_netpoll_the_last_ready_is_the_first_to_run() -> None:
    work = {"m": [("spawn", name) for name in "axy"], "a": [compute(5)]}
    sockets = {"x": [("network", MS), compute(1)], "y": [("network", 2 * MS), compute(1)]}
    assert lines(go({**work, **sockets})) == ["aaaaayx"]


def test_injectglist_starts_an_m_for_each_idle_p() -> None:
    # a and b are ready when the poller comes back: one runs there, one in the global queue on the other P
    run = go({"a": [("network", MS), compute(2)], "b": [("network", MS), compute(2)]}, cpus=2)
    assert sorted(lines(run)) == [".aa", ".bb"]


def test_sysmon_takes_cpu_time_on_its_kernel_thread() -> None:
    quiet, busy = (go({"a": [compute(9)]}, sysmon_ns=cost) for cost in (0, 2 * US))
    assert busy.meta["counters"]["threads"] == quiet.meta["counters"]["threads"] + 1
    assert busy.meta["end_ns"] > quiet.meta["end_ns"]


def rounds(run: Run) -> list[int]:
    """When sysmon's rounds begin, in us."""
    rows = run.frame("overheads").filter(pl.col("kind").cast(pl.String) == "runtime")
    return [at_ns // US for at_ns in rows["at_ns"].to_list()]


def test_sysmon_woken_from_a_deep_sleep_has_a_round_and_a_sleep_before_the_next() -> None:
    # at 70 us all Ps are idle. Woken at 1 ms, it waits until n's M leaves the CPU; it has its round, though all Ps are
    # idle again, and only after another 70 us the next deep sleep
    work = {"n": [("network", MS), ("compute", 20 * US), ("network", MS), ("compute", 20 * US)]}
    assert rounds(go(work, sysmon_ns=US)) == [70, 1020, 1091, 2040]


COINCIDE = {"n": [("network", MS), ("compute", 10 * US), ("network", 40 * US), ("compute", 100 * US)]}


@pytest.mark.parametrize(("slack_us", "begin"), [(0, [70, 1010, 1081]), (50, [70, 1010, 1050, 1151])])
def test_sysmon_wakes_with_another_timer_when_only_slack_is_left(slack_us: int, begin: list[int]) -> None:
    # __hrtimer_run_queues: from 1.011 ms on it sleeps 20 us and up to 50 more; at 1.05 ms the socket's timer fires
    assert rounds(go(COINCIDE, sysmon_ns=US, costs={"timer_slack_ns": slack_us * US})) == begin


def test_sysmon_yields_when_it_preempts_who_holds_the_lock_that_it_wants() -> None:
    # woken together at 1.05 ms, sysmon is first and sleeps deeply again; n's M wakes it, under sched.lock, and is
    # preempted; sysmon yields (lock2's osyield), with all of its slice, so that n runs its 100 us in one go
    run = go(COINCIDE, sysmon_ns=US, costs={"timer_slack_ns": 50 * US})
    assert starts(run)["n"] == [MS, 1051 * US]
    assert run.meta["end_ns"] == 1151 * US
    assert run.meta["counters"]["context_switches_involuntary"] == 2
