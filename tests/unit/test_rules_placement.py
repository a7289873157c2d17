"""Which CPU a thread wakes on, and who pulls (kernel/sched/fair.c, Linux 6.18)."""

from __future__ import annotations

import polars as pl

from tests.programs import Steps, free_profile, program
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


def test_a_wakee_goes_to_the_cpu_before_the_last() -> None:
    # recent_used_cpu, on 4 CPUs. p, on CPU 3, creates h on the idlest CPU from there on, CPU 0; m wakes at 3 ms, finds
    # CPU 0 taken and goes to CPU 1. There g starts; m wakes at 6 ms and goes to CPU 0, not to 2, the next idle one
    tasks = {
        "m": [compute(1), sleep(2), compute(1), sleep(2), compute(1)],
        "x": [compute(0.5)],
        "y": [compute(0.5)],
        "p": [compute(2), ("spawn", "h"), compute(2.5), ("spawn", "g"), compute(0.5)],
        "h": [compute(3)],
        "g": [compute(3.5)],
    }
    lines = schedule(tasks, cpus=4, kernel="fifo", profile=free_profile(wakes_spread=1))
    assert lines == ["m.hhh.m.", "x..m.ggg", "y.......", "ppppp..."]


def test_a_sync_wakeup_pulls_to_the_wakers_cpu() -> None:
    # wake_affine_idle: r last ran on CPU 1, where x is now. Through a pipe (sync) it joins w, which runs alone on CPU 0;
    # threads wake by futex, which is not sync, and r stays (select_idle_sibling finds no idle CPU for either)
    work = program(
        {"w": [compute(2), ("send", "c", 1), compute(4)], "r": [("recv", "c"), compute(2)], "x": [compute(8)]},
        {"c": ("channel", 1)},
    )
    targets = []
    for model in ("process", "thread"):
        run = free(work, model, cpus=2, kernel="fifo", profile=free_profile(wakes_spread=1))
        woken = run.frame("wakeups").filter((pl.col("wakee_id") == 1) & (pl.col("at_ns") == 2_000_000))
        targets += woken["target_cpu"].to_list()
    assert targets == [0, 1]


def test_threads_with_many_partners_are_left_where_they_were() -> None:
    # record_wakee, wake_wide. r woke s and q in turn: 2 flips, as many as CPUs share the cache. w, which woke s and r
    # twice each, has 4, twice as many: its next wakeup of r, though sync and w alone on CPU 0, leaves it to CPU 1
    def target_after(rounds: int) -> int:
        round_of_w = [compute(1), ("send", "s", 1), compute(1), ("send", "r", 1)]
        tasks: dict[str, Steps] = {
            "w": [*round_of_w * rounds, compute(2), ("send", "c", 1), compute(4)],
            "r": [
                *[("recv", "r")] * rounds,
                ("send", "t", 1),
                ("send", "u", 1),
                compute(0.1),
                ("recv", "c"),
                compute(2),
            ],
            "s": [*[("recv", "s")] * rounds, ("recv", "t")],
            "q": [("recv", "u")],
            "x": [sleep(2 * rounds + 0.5), compute(8)],
        }
        run = free(program(tasks, dict.fromkeys("rsctu", ("channel", 1))), "process", cpus=2, kernel="fifo",
                   profile=free_profile(wakes_spread=1))  # fmt: skip
        woken = run.frame("wakeups").filter((pl.col("wakee_id") == 1) & (pl.col("reason").cast(pl.String) != "spawn"))
        return int(woken.sort("at_ns")["target_cpu"][-1])

    assert [target_after(rounds) for rounds in (1, 2)] == [0, 1]


def test_a_new_thread_leaves_its_creator_s_cpu_once_it_is_overloaded() -> None:
    # sched_balance_find_dst_group: b finds CPU 1 idle; c to g find no CPU idle, and CPU 0 crowded only just now, so
    # they stay. After 8 ms six threads are 1.0 on average there (6 * (1 - 2^(-8/32))), more than 1/1.17: h leaves
    crowd = [("spawn", name) for name in "cdefg"]
    tasks = {"a": [("spawn", "b"), *crowd, compute(8), ("spawn", "h")], "b": [compute(12)]}
    tasks |= {name: [compute(1)] for name in "cdefgh"}
    assert schedule(tasks, cpus=2, kernel="fifo") == ["aaaaaaaacdefg", "bbbbbbbbbbbbh"]
