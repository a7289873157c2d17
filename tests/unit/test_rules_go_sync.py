"""Locks, wait groups and channels between goroutines: src/internal/sync/mutex.go, src/sync, src/runtime/chan.go."""

from __future__ import annotations

from tests.unit.goroutines import US, go, lines, starts
from tests.unit.pictures import MS, compute, sleep

MUTEX = {"x": ("mutex", None)}
SECTION = [("lock", "x"), compute(1), ("unlock", "x")]


def test_mutex_starves_after_one_ms_and_hands_over() -> None:
    # b waits on the other P; at 1 ms a unlocks and takes the mutex again (barging); b, stolen after 53 us, finds it
    # taken, has waited longer than 1 ms, and so gets it handed at 2 ms, runs on a's P, and a goes to the ring
    work = {"a": [*SECTION, *SECTION, compute(1)], "b": SECTION}
    assert lines(go(work, MUTEX, cpus=2)) == ["aab", "..a"]


def test_mutex_without_starvation_lets_the_unlocker_go_on() -> None:
    work = {"a": [*SECTION, *SECTION, compute(1)], "b": SECTION}
    run = go(work, MUTEX, cpus=2, lock_handoff_ns=50 * MS)
    assert lines(run) == ["aaa.", "...b"]
    assert starts(run)["b"][-1] == 2 * MS + 53 * US


def test_mutex_spins_before_it_waits() -> None:
    # a's 100 us are over when b, in turns of 30 us, looks for the fifth time
    held = [("lock", "x"), ("compute", 100 * US), ("unlock", "x")]
    run = go({"a": held, "b": held}, MUTEX, cpus=2, spin_ns=30 * US)
    assert starts(run, "BLOCKED")["b"] == []
    assert run.meta["end_ns"] == 220 * US
    waits = go({"a": held, "b": held}, MUTEX, cpus=2)
    assert len(starts(waits, "BLOCKED")["b"]) == 1


def test_mutex_does_not_spin_with_work_in_the_local_queue_or_one_cpu() -> None:
    work = {"m": [("spawn", "b"), ("spawn", "a")], "a": [("lock", "x"), sleep(1), ("unlock", "x")], "b": SECTION}
    assert len(starts(go(work, MUTEX, spin_ns=30 * US), "BLOCKED")["b"]) == 1


def test_rwmutex_unlock_lets_all_waiting_readers_in() -> None:
    # r, v, q come in this order; at 2 ms both readers are readied, q into runnext; v writes when they are done
    reads = [("read_lock", "l"), compute(1), ("read_unlock", "l")]
    writes = [("lock", "l"), compute(1), ("unlock", "l")]
    work = {"w": [("lock", "l"), sleep(2), ("unlock", "l")], "r": reads, "v": writes, "q": reads}
    assert lines(go(work, {"l": ("rwmutex", None)})) == ["..qrv"]


def test_rwmutex_a_waiting_writer_keeps_new_readers_out() -> None:
    work = {
        "a": [("read_lock", "l"), sleep(2), ("read_unlock", "l")],
        "v": [("lock", "l"), compute(1), ("unlock", "l")],
        "q": [("read_lock", "l"), compute(1), ("read_unlock", "l")],
    }
    assert lines(go(work, {"l": ("rwmutex", None)})) == ["..vq"]


def test_wait_group_readies_all_waiters_in_order() -> None:
    # one semrelease each: the last one is in runnext
    waits = [("wait_group_wait", "g"), compute(1)]
    work = {"m": [("wait_group_add", "g", 1), *(("spawn", name) for name in "abc"), sleep(1), ("wait_group_done", "g")]}
    run = go({**work, **dict.fromkeys("abc", waits)}, {"g": ("wait_group", None)})
    assert lines(run) == [".bca"]  # c waited first, having been in runnext, then a and b


def test_chan_send_hands_over_and_the_sender_goes_on() -> None:
    work = {"s": [("send", "c", 1), compute(2)], "m": [("spawn", "s"), ("recv", "c"), compute(1)]}
    assert lines(go(work, {"c": ("channel", 0)})) == ["ssm"]


def test_chan_recv_from_a_full_channel_moves_the_waiting_senders_message_in() -> None:
    # s blocks at its second message; m takes the first, and s goes on when m has nothing more to do
    work = {
        "s": [("send", "c", 1), ("send", "c", 1), compute(1)],
        "m": [("spawn", "s"), sleep(2), ("recv", "c"), compute(2)],
    }
    assert lines(go(work, {"c": ("channel", 1)})) == ["..mms"]
