"""Run queues, time slices and stealing: src/runtime/proc.go of Go 1.27, function by function.

`m` is main, which creates the others; a new goroutine goes to runnext, and who was there to the end of the ring.
"""

from __future__ import annotations

from tests.unit.goroutines import US, go, lines, order, starts
from tests.unit.pictures import MS, compute

ONE = [compute(1)]
HOT = {"sysmon_max_ns": 70 * US}  # sysmon never backs off


def spawns(*names: str) -> list[tuple[str, str]]:
    return [("spawn", name) for name in names]


def test_runqput_the_last_readied_is_next_and_the_others_keep_their_order() -> None:
    assert lines(go({"m": spawns(*"abcd"), **dict.fromkeys("abcd", ONE)})) == ["dabc"]


def test_runqputslow_globrunqget_and_globrunqgetbatch() -> None:
    # 258 goroutines: g257 is runnext; when g256 came the ring was full, so g0 to g127 and g256 are in the global queue.
    # schedtick is 1 when g257 (inheriting) runs, 61 after 60 of the ring: then one comes from the global queue.
    # When the ring is empty, the batch is min(128, 127, 127 / 1 + 1).
    names = [f"g{i}" for i in range(258)]
    run = go({"m": spawns(*names), **dict.fromkeys(names, (("compute", 10),))})
    numbers = [257, *range(128, 188), 0, *range(188, 248), 1, *range(248, 256), *range(2, 128), 256]
    assert order(run) == [f"g{i}" for i in numbers]


def test_globrunqgetbatch_takes_a_share_and_one() -> None:
    # all start by themselves, so in the global queue. schedtick 0: each P takes one. At 1 ms 6 are there: the first P
    # takes 6 / 2 + 1, the second 2 / 2 + 1; at 3 ms it steals f
    assert lines(go(dict.fromkeys("abcdefgh", ONE), cpus=2)) == ["acde", "bghf"]


def test_execute_a_pair_that_hands_over_through_runnext_shares_one_slice() -> None:
    # a and b ready each other; c waits in the ring until sysmon, which first looked at 70 us, preempts at 10.08 ms
    pair = {
        "a": [("spawn", "c"), *[compute(1), ("send", "ping", 0), ("recv", "pong")] * 8],
        "b": [("recv", "ping"), compute(1), ("send", "pong", 0)] * 8,
    }
    work = {"m": spawns("a", "b"), **pair, "c": [compute(3)]}
    run = go(work, {"ping": ("channel", 0), "pong": ("channel", 0)}, **HOT)
    assert lines(run)[0].startswith("abababababacccba")
    assert starts(run)["c"] == [10_080 * US]


def test_goschedimpl_yields_to_the_end_of_the_global_queue() -> None:
    # b, d and a, c in the ring, then m: in the ring it would have been before c
    work = {"m": [*spawns("a", "b"), ("yield",), compute(1)], "b": [*spawns("c", "d"), compute(1)]}
    assert lines(go({**work, **dict.fromkeys("acd", ONE)})) == ["bdacm"]


def test_runqgrab_takes_the_older_half_and_runs_its_newest() -> None:
    # of a, b, c, d the thief takes a and b and runs b; then c of c and d; then d; e is in runnext of a running P, so
    # it sleeps 53 us first
    run = go({"m": [*spawns(*"abcde"), compute(6)], **dict.fromkeys("abcde", ONE)}, cpus=2)
    assert lines(run) == ["mmmmmm", "bacd.e"]
    assert starts(run)["e"] == [4 * MS + 53 * US]
    assert run.meta["counters"]["steals"] == 4


def test_runqgrab_leaves_runnext_to_a_p_that_is_about_to_run_it() -> None:
    run = go({"m": [("spawn", "a"), ("compute", 30 * US)], "a": [("compute", 30 * US)]}, cpus=2)
    assert lines(run, 10 * US) == ["mmmaaa", "......"]


def test_runqgrab_takes_runnext_of_a_p_in_a_system_call_at_once() -> None:
    run = go({"m": [("spawn", "a"), ("syscall", 2 * MS)], "a": ONE}, cpus=2)
    assert lines(run) == ["..", "a."]


def test_stealwork_can_be_switched_off() -> None:
    run = go({"m": [*spawns("a", "b"), compute(2)], **dict.fromkeys("ab", ONE)}, cpus=2, steal=0)
    assert lines(run) == ["mmba", "...."]


def test_resetspinning_wakes_the_next_m() -> None:
    # the first thief takes a and wakes the second, that takes b and wakes the third, that sleeps for runnext
    run = go({"m": [*spawns("a", "b", "c"), compute(2)], **dict.fromkeys("abc", (compute(2),))}, cpus=4)
    assert {name: times[0] for name, times in starts(run).items()} == {"m": 0, "a": 0, "b": 0, "c": 53 * US}
    assert run.meta["counters"]["threads"] == 4


def test_wakep_wakes_one_m_at_a_time() -> None:
    run = go({"m": [("spawn", "a"), compute(1)], "a": ONE}, cpus=8)
    assert run.meta["counters"]["threads"] == 3  # m's, the thief, and the one that it woke when it had found a


def test_gfget_uses_a_dead_goroutine_again() -> None:
    work = {"m": [("spawn", "a"), ("join", "a"), ("spawn", "b")], "a": [], "b": ONE}
    assert starts(go(work, new_g_ns=500))["b"] == [500]
