"""The fair class since 6.6, rule by rule, against schedules worked out by hand (kernel/sched/fair.c, Linux 6.18)."""

from __future__ import annotations

from tests.checker import eligible_when_picked
from tests.programs import program
from tests.unit.pictures import MS, compute, computing, free, picture, schedule, sleep
from tracekit.tables.bundle import Program


def test_expiry_is_seen_at_ticks() -> None:
    # update_deadline, no HRTICK: 0.7 ms are over long before the tick at 4 ms; with HZ 1000 there is one each ms
    run = free(computing(a=8, b=8))
    eligible_when_picked(run)
    assert picture(run) == ["aaaabbbbaaaabbbb"]
    assert schedule({"a": [compute(4)], "b": [compute(4)]}, parameters={"eevdf.hz": 1000}) == ["abababab"]


def test_ticks_have_a_phase() -> None:
    # tick_setup_sched_timer (tick-sched.c): ticks at 1, 5, 9 ... ms
    tasks = {"a": [compute(8)], "b": [compute(8)]}
    assert schedule(tasks, parameters={"eevdf.tick_phase_ns": MS}) == ["abbbbaaaabbbbaaa"]


def test_weight_slows_virtual_time() -> None:
    # calc_delta_fair, sched_prio_to_weight: at nice 5 (335) 4 ms count as 12.2 ms; a has to run 12.2 ms to catch up,
    # which the tick at 20 ms is the first to see (8 + 4 + 4 + 4)
    assert picture(free(computing({"b": 5}, a=16, b=8))) == ["aaaabbbbaaaaaaaaaaaabbbb"]


def test_a_sleeper_that_owes_stays_queued() -> None:
    # dequeue_entity, DELAY_DEQUEUE: a sleeps at v 2, ahead of V 1. It wakes at 3 ms at the same v, and at 4 ms b has
    # caught up. Without the rule it leaves with lag -1 and comes back 2 behind b (place_entity inflates the lag), so
    # that at 4 ms V is 2.5, a at 3, and b goes on to 8 ms
    tasks = {"a": [compute(2), sleep(1), compute(3)], "b": [compute(8)]}
    assert schedule(tasks) == ["aabbaaabbbbbb"]
    assert schedule(tasks, parameters={"eevdf.delay_dequeue": 0}) == ["aabbbbbbaaabb"]


def test_a_woken_delayed_sleeper_keeps_its_place() -> None:
    # requeue_delayed_entity: a sleeps at v 0.5 and wakes when b is at 1.5, V at 1. Left where it is (6.18.44), it
    # makes b ineligible and runs at once; moved to V (clip_delayed), it waits for the tick
    tasks = {"a": [compute(0.5), sleep(1.5), compute(1)], "b": [compute(5)]}
    assert schedule(tasks, step_ms=0.5) == ["abbbaabbbbbbb"]
    assert schedule(tasks, step_ms=0.5, parameters={"eevdf.clip_delayed": 1}) == ["abbbbbbbaabbb"]


def test_a_new_thread_has_half_a_slice() -> None:
    # place_entity, PLACE_DEADLINE_INITIAL: n's deadline is 0.35 ms off, a's 0.7 ms, so n is picked at once in 6.18;
    # from 6.19 on a fork does not preempt and n waits for the tick (wakeup_preempt_fair)
    tasks = {"a": [compute(3), ("spawn", "n"), compute(3)], "n": [compute(2)]}
    assert schedule(tasks, parameters={"eevdf.version": 618}) == ["aaanaaan"]
    assert schedule(tasks, parameters={"eevdf.version": 619}) == ["aaaannaa"]


def test_a_yield_of_who_is_ahead_moves_no_deadline() -> None:
    # yield_task_fair, 6.18: a (v 2, V 1) is not eligible, so nothing is forfeited: at 4 ms both are at 2
    assert schedule({"a": [compute(2), ("yield",), compute(4)], "b": [compute(6)]}) == ["aabbaaaabbbb"]


def test_a_sleeper_takes_its_lag_along() -> None:
    # place_entity, PLACE_LAG: a sleeps at v 1, 1.5 behind V. When it wakes, b and V are at 5; lag inflated by
    # (1024 + 1024) / 1024 puts a at 2, so that b, at 5, is above V 3.5: not eligible, and preempted
    assert schedule({"b": [compute(10)], "a": [compute(1), sleep(1), compute(6)]}) == ["bbbbabaaaaaabbbbb"]


def test_a_lone_thread_sleeps_without_lag() -> None:
    # update_entity_lag: V is a's own v; it wakes level with b and waits for the tick
    tasks = {"b": [sleep(4), compute(6)], "a": [compute(3), sleep(3), compute(2)]}
    assert schedule(tasks) == ["aaa.bbbbaabb"]


def test_a_picked_thread_is_protected() -> None:
    # RUN_TO_PARITY: h (nice -5) has the earlier deadline, but a, new, is protected for its first 0.35 ms
    assert picture(free(waking_heavy(0.25)), step_ns=MS // 2) == ["aaaaaaaahhaaaa"]


def test_a_wakee_preempts_when_the_protection_is_over() -> None:
    # the same 2 ms into a's run
    assert picture(free(waking_heavy(2)), step_ns=MS // 2) == ["aaaahhaaaaaaaa"]


def waking_heavy(ms: float) -> Program:
    """h wakes while a runs; its weight gives it the earlier deadline."""
    return program({"h": [sleep(ms), compute(1)], "a": [compute(6)]}, nice={"h": -5})


def test_a_wakeup_sees_a_slice_that_is_over() -> None:
    # enqueue_entity accounts (update_curr): at 2 ms a's slice is over, and b, which waits, runs; then c (v 1), whose
    # deadline is the first at 4 ms, and a and b by turns
    tasks = {"c": [sleep(2), compute(2)], "a": [compute(6)], "b": [compute(4)]}
    assert schedule(tasks) == ["aabbccaabbaa"]


def test_lag_is_clamped_to_a_slice_and_a_tick() -> None:
    # entity_lag. x, y, z (nice 19, 15) run a tick each: 273 ms of virtual time. b (1024) comes at 3.9 ms, at V 89, and
    # has the later deadline until 12 ms, when V is 98.7; it sleeps at once, with a lag of 9.9, of which 4.7 stay. When
    # it wakes V is 296: 4.7 * (45 + 1024) / 45 = 112 ms behind, which it runs until the tick that sees them over
    tasks = {"x": [compute(3.9), ("spawn", "b"), compute(99)], "y": [compute(99)], "z": [compute(99)]}
    run = free(program({**tasks, "b": [sleep(1), compute(200)]}, nice=dict.fromkeys("xyz", 19)))
    line = picture(run, step_ns=4 * MS)[0]
    assert line.startswith("xyzx" + "b" * 28)
    assert line[32] != "b"


def test_sleepers_in_the_way_of_the_pick_leave_the_queue() -> None:
    # wakeup_preempt_fair. With slices of 3 ms d sleeps at v 1, ahead, and stays. At 2.2 ms a is at 1.2, V at 1.1: a is
    # not eligible, d is, and has the first deadline. 6.18 finds d in w's place and leaves it at that until the tick;
    # from 6.19 on d leaves (pick_next_entity), w is next, and preempts
    tasks = {"w": [sleep(2.2), compute(1)], "d": [compute(1), sleep(10)], "a": [compute(4)]}
    given = {"eevdf.base_slice_ns": 3 * MS}
    old, new = (schedule(tasks, step_ms=0.2, parameters={**given, "eevdf.version": v})[0] for v in (618, 619))
    assert old.startswith("d" * 5 + "a" * 15 + "w" * 5 + "a" * 5)
    assert new.startswith("d" * 5 + "a" * 6 + "w" * 5 + "a" * 14)
