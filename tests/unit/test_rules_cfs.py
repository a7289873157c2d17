"""The fair class up to 6.5, rule by rule, against schedules worked out by hand (kernel/sched/fair.c, Linux 6.5).

On one CPU: latency 6 ms, minimal granularity 0.75 ms, wakeup granularity 1 ms; ticks at 4, 8, 12 ... ms.
"""

from __future__ import annotations

from typing import Any

from tests.unit.pictures import compute, computing, free, picture, schedule, sleep


def cfs(tasks: dict[str, Any], **options: Any) -> list[str]:
    return schedule(tasks, kernel="cfs", **options)


def test_a_slice_is_a_share_of_the_latency_seen_at_ticks() -> None:
    # sched_slice, check_preempt_tick: two threads get 3 ms each of the 6; that they are over is seen at the tick at 4 ms
    assert cfs({"a": [compute(8)], "b": [compute(8)]}) == ["aaaabbbbaaaabbbb"]
    # with a tick each ms it is seen as soon as more than 3 ms are over
    assert cfs({"a": [compute(4)], "b": [compute(4)]}, parameters={"cfs.hz": 1000}) == ["aaaabbbb"]


def test_the_smallest_virtual_run_time_runs() -> None:
    # pick_next_entity. START_DEBIT puts new threads one slice ahead of min_vruntime (place_entity): a at 6, b at 6 + 3,
    # c at 6 + 2, d at 6 + 1.5. With 1.5 ms each and a tick each ms, a leaves at 2 (v 8), d at 4 (9.5); c is in the tree
    # longer than a, both at 8 (__entity_less: equals go to the right). When a has ended, slices are 2 ms: b runs 9 to 12
    line = cfs({name: [compute(4)] for name in "abcd"}, parameters={"cfs.hz": 1000})
    assert line == ["aaddccaabbbddccb"]


def test_weights_share_the_period() -> None:
    # sched_slice, calc_delta_fair. a (1024) gets 4.5 of 6 ms, b (335) 1.5. b starts 4.5 ahead. At 4 ms a ran less than
    # its slice; at 8 it has v 14 and b 10.5. b's 4 ms count as 12.2: v 22.7. a runs 8 ms to v 22, is still behind, and
    # runs 8 more
    assert picture(free(computing({"b": 5}, a=24, b=8), kernel="cfs")) == ["a" * 8 + "bbbb" + "a" * 16 + "bbbb"]


def test_a_sleeper_gets_half_a_period_of_credit() -> None:
    # place_entity, GENTLE_FAIR_SLEEPERS: s comes back 3 ms behind a, more than the 1 ms that it takes to preempt; when
    # it has run 2 of them it has ended
    assert cfs({"s": [sleep(6), compute(2)], "a": [compute(12)]}) == ["aaaaaassaaaaaa"]


def test_credit_is_no_gain_for_a_short_sleep() -> None:
    # place_entity takes the larger of min_vruntime - 3 and the thread's own: s slept at v 8 and wakes at a's 10, so it
    # is 2 behind, not 3
    assert cfs({"s": [compute(2), sleep(1), compute(2)], "a": [compute(8)]}) == ["ssassaaaaaaa"]


def test_a_wakee_less_than_the_granularity_behind_waits() -> None:
    # wakeup_preempt_entity: s slept at v 8.5 and wakes at a's 9.5: 1 ms is not more than the granularity. The tick at
    # 4 ms finds a 2 ahead and its slice of 3 not used up; the one at 8 ms ends it
    tasks = {"s": [compute(2.5), sleep(0.5), compute(2)], "a": [compute(8)]}
    assert cfs(tasks, step_ms=0.5) == ["sssss" + "a" * 11 + "ssss" + "a" * 5]


def test_times_grow_with_the_cpus() -> None:
    # sched_update_scaling: on 2 CPUs the latency is 12 ms; a slice of 6 ms ends at the tick at 8 ms
    tasks = {name: [compute(8)] for name in "abcd"}
    assert cfs(tasks, cpus=2) == ["a" * 8 + "c" * 8, "b" * 8 + "d" * 8]


def test_many_threads_stretch_the_period() -> None:
    # __sched_period: from 9 threads on each gets 0.75 ms, not 6 / n, so that each leaves at its first tick. They start
    # one slice of the queue as they found it ahead (a 6, b 9, c 8, d 7.5, e 7.2, f 7, g 6.86, h to l 6.75)
    line = cfs({name: [compute(3)] for name in "abcdefghijkl"}, parameters={"cfs.hz": 1000})[0]
    assert line.startswith("ahijklgfaedhi")


def test_a_yield_lets_only_who_is_behind_run() -> None:
    # yield_task_fair without a skip buddy: a (v 7) yields to nobody, as b starts at v 9 (START_DEBIT)
    assert cfs({"a": [compute(1), ("yield",), compute(2)], "b": [compute(2)]}) == ["aaabb"]


def test_a_pulled_thread_stays_as_far_from_the_smallest_time() -> None:
    # migrate_task_rq_fair: c, new, is ahead of CPU 0's smallest v by its debit of 6 ms, and is so on CPU 1, where it is
    # alone and that does not matter
    assert cfs({"a": [compute(6)], "b": [compute(2)], "c": [compute(4)]}, cpus=2) == ["aaaaaa", "bbcccc"]
