"""Locks, wait groups and channels between goroutines: src/internal/sync/mutex.go, src/sync, src/runtime/chan.go."""

from __future__ import annotations

import pytest

from tests.programs import Steps, program
from tests.unit.goroutines import US, go, lines, starts
from tests.unit.pictures import MS, compute, free, sleep
from tracekit.vocabulary import FORMS

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


CHANNEL = {"c": ("channel", 2)}
RECEIVES = [("recv", "c"), compute(1)]


def test_closechan_readies_the_first_waiter_last() -> None:
    # d was next, so that it waits first, then a and b. Readied in reverse, b, a, d: d is in runnext, b before a behind it
    work = {"m": [*(("spawn", name) for name in "abd"), sleep(1), ("close", "c")], **dict.fromkeys("abd", RECEIVES)}
    assert lines(go(work, CHANNEL)) == [".dba"]


def test_closechan_what_is_in_the_channel_is_received_and_then_nothing_waits() -> None:
    # two messages, then a receive that is over at once
    work = {"s": [("send", "c", 8), ("send", "c", 8), ("close", "c")], "r": [sleep(1), *RECEIVES * 3]}
    run = go(work, CHANNEL)
    assert lines(run) == [".rrr"]
    assert starts(run, "BLOCKED")["r"] == [0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "sender", [[sleep(2), ("send", "c", 8)], [("send", "c", 1 << 20)] * 4], ids=["comes later", "waits for room"]
)
def test_chansend_into_a_closed_channel_faults(form: str, sender: Steps) -> None:
    # "send on closed channel": a panic takes the process, in a process of its own only the sender
    work = program({"s": [*sender, compute(9)], "o": [sleep(1), ("close", "c"), compute(9)]}, CHANNEL)
    run = free(work, form, cpus=2)
    how = dict(run.frame("tasks").select("name", "exit_reason").iter_rows())
    assert run.meta["outcome"] == "crashed"
    assert how == {"s": "crash", "o": "exit" if form == "process" else "killed"}


def test_closechan_wakes_any_number_at_once() -> None:
    # more than fit into what one event may write otherwise
    names = [f"r{i}" for i in range(3000)]
    receives = [("recv", "c")]
    work = {"m": [sleep(1), ("close", "c")], **dict.fromkeys(names, receives)}
    run = go(work, CHANNEL, cpus=2)
    assert run.meta["outcome"] == "completed"
    assert len(run.frame("wakeups").filter(run.frame("wakeups")["waker_id"] == 0)) == len(names)
