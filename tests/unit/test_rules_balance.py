"""When CPUs take threads from each other (kernel/sched/fair.c, Linux 6.18); ticks at 4, 8, 12 ... ms, slices of 1.4."""

from __future__ import annotations

from tests.programs import free_profile, program
from tests.unit.pictures import MS, compute, computing, free, picture, schedule, sleep

FINE = {"eevdf.hz": 1000}


def test_a_cpu_that_goes_idle_pulls_one_thread() -> None:
    # sched_balance_newidle: c and d wait on CPU 0 and CPU 1; b's CPU takes d, its own, and then c
    assert picture(free(computing(a=7, b=2, c=3, d=2), cpus=2, kernel="fifo"), 2) == ["aaaaaaa", "bbddccc"]


def test_newly_idle_leaves_a_cache_hot_thread_and_the_tick_moves_it() -> None:
    # task_hot: b ends at 4.2 ms, when a ran until 4 ms; it stays until CPU 0's tick finds CPU 1 idle
    # (nohz_balancer_kick)
    tasks = {"a": [compute(8)], "b": [compute(4.2)], "c": [compute(8)]}
    assert schedule(tasks, cpus=2) == ["aaaacccccccc", "bbbbb...aaaa"]
    # with migration_cost_ns 0 nothing is hot
    assert schedule(tasks, cpus=2, parameters={"eevdf.migration_cost_ns": 0}) == ["aaaacccccccc", "bbbbbaaaa..."]


def test_a_split_of_two_to_one_is_turned_around_every_32_ms() -> None:
    # should_we_balance, get_sd_balance_interval: CPU 1 looks at 4 ms and next at 32 (16 ms a CPU, less a tick). One
    # thread more is moved every second time (detach_tasks): a goes over at 32. Then CPU 0 looks at 36 and 64, when b,
    # which waits then, comes to it
    lines = picture(free(computing(a=60, b=60, c=60), cpus=2), 2, 4 * MS)
    assert [line[:18] for line in lines] == ["acacacaccccccccccb", "bbbbbbbbbabababaaa"]


def test_a_difference_within_17_percent_is_left() -> None:
    # imbalance_pct 117: 7 threads beside 6 stay where they are until CPU 1 has run its 6
    # (a new thread stays on its creator's CPU: placement.py)
    tasks = {name: [compute(40)] for name in "abcdefghijklm"}
    tasks["a"] = [*(("spawn", name) for name in "cegikm"), *tasks["a"]]
    tasks["b"] = [*(("spawn", name) for name in "dfhjl"), *tasks["b"]]
    lines = picture(free(program(tasks), cpus=2), 2, 4 * MS)
    assert [set(line[:54]) for line in lines] == [set("acegikm"), set("bdfhjl")]


def test_a_hot_thread_moves_after_two_tries() -> None:
    # cache_nice_tries: with a cost of 5 ms the one that waits is always hot. Ticks each ms: CPU 1 looks at 1 ms (a
    # difference of one), 32 (a failed try) and 63, when it insists
    given = {**FINE, "eevdf.migration_cost_ns": 5 * MS}
    lines = picture(free(computing(a=80, b=80, c=80), cpus=2, parameters=given), 2)
    assert set(lines[1][:63]) == {"b"} and set(lines[1][63:70]) > {"b"}


def test_a_pulled_thread_keeps_its_lag() -> None:
    # PLACE_LAG, PLACE_REL_DEADLINE. With ticks at 2, 6, 10 ... ms, a ran 14 ms and c 16 until 30 ms, when CPU 1 takes a:
    # 1 ms behind V there, and here, so that b is not eligible and a runs at once
    lines = picture(free(computing(a=40, b=40, c=40), cpus=2, parameters={"eevdf.tick_phase_ns": 2 * MS}), 2, 2 * MS)
    assert lines[1].startswith("b" * 15 + "a")


def test_a_sleeper_that_stays_queued_is_not_pulled() -> None:
    # can_migrate_task: m sleeps in CPU 0's queue while CPU 1 idles, and stays
    tasks = {"m": [compute(1), sleep(2), compute(1)], "a": [compute(1)], "b": [compute(2.5)]}
    assert schedule(tasks, cpus=2, step_ms=0.5, profile=free_profile(wakes_spread=1))[1] == "aa" + "." * 7


def test_a_tick_evens_out_with_an_idle_cpu() -> None:
    # detach_tasks: half the difference at once. a's children stay on CPU 0 while b computes on CPU 1 to 3 ms; at 4 ms
    # CPU 1 has idled for one, and takes three of the six that wait
    tasks = {name: [compute(8)] for name in "acdefgh"} | {"b": [compute(3)]}
    tasks["a"] = [*(("spawn", name) for name in "cdefgh"), *tasks["a"]]
    run = free(program(dict(sorted(tasks.items()))), cpus=2, profile=free_profile(newidle_pulls=0))
    assert picture(run, 2) == ["aaaaffffgggghhhhaaaaffffgggghhhh", "bbb.eeeeddddcccceeeeddddcccc...."]
