"""Which CPU a thread wakes on, and who pulls (kernel/sched/fair.c, Linux 6.18)."""

from __future__ import annotations

from tests.programs import free_profile
from tests.unit.pictures import compute, computing, free, picture, schedule, sleep

TASKS = {"m": [compute(1), sleep(2), compute(4)], "a": [compute(1)], "b": [compute(6)]}


def test_a_delayed_wakee_chooses_no_cpu() -> None:
    # ttwu_runnable: m sleeps while it is ahead of b, so it stays queued on CPU 0 though CPU 1 idles when it wakes;
    # CPU 1 gets b at the tick (nohz_balancer_kick)
    assert schedule(TASKS, cpus=2, profile=free_profile(wakes_spread=1)) == ["mbbmmmm.", "a...bbbb"]


def test_a_wakee_goes_to_the_idle_sibling() -> None:
    # select_idle_sibling: without delayed dequeue m finds CPU 1 idle; in a guest that hides idle CPUs it does not look
    given = {"eevdf.delay_dequeue": 0}
    assert schedule(TASKS, cpus=2, parameters=given, profile=free_profile(wakes_spread=1)) == ["mbbbbbb", "a..mmmm"]
    assert schedule(TASKS, cpus=2, parameters=given)[0].startswith("mbbb")
    assert schedule(TASKS, cpus=2, parameters=given)[1].startswith("a...")


def test_an_idle_cpu_pulls_a_thread_that_waits() -> None:
    # sched_balance_newidle: c waits on CPU 0 and never ran, so its cache is not hot; CPU 1 takes it at 2 ms
    assert picture(free(computing(a=6, b=2, c=4), cpus=2, kernel="fifo"), 2) == ["aaaaaa", "bbcccc"]
