"""What orders two accesses and what does not, a history each, small enough to see through."""

from __future__ import annotations

import numpy as np
import pytest

from tests.race_histories import CAPACITIES, Row, history
from tracekit.analysis.races.detector import CODES, Operations, detect
from tracekit.errors import TableError

A, B, C = 0, 1, 2


def racing(*rows: Row) -> list[tuple[int, int]]:
    return [tuple(pair) for pair in detect(history(list(rows)), 4).pairs.tolist()]


def test_two_writes_that_nothing_orders_race() -> None:
    assert racing(("write", A, "x"), ("write", B, "x")) == [(0, 1)]


def test_a_read_and_a_write_race_in_either_order() -> None:
    assert racing(("write", A, "x"), ("read", B, "x")) == [(0, 1)]
    assert racing(("read", A, "x"), ("write", B, "x")) == [(0, 1)]


def test_reads_and_different_variables_do_not_race() -> None:
    assert racing(("read", A, "x"), ("read", B, "x"), ("write", A, "y")) == []


def test_a_lock_orders_only_those_who_take_it() -> None:
    held = [
        ("lock", A, "m"),
        ("write", A, "x"),
        ("unlock", A, "m"),
        ("lock", B, "m"),
        ("write", B, "x"),
        ("unlock", B, "m"),
    ]
    assert racing(*held) == []
    assert racing(*held, ("write", C, "x")) == [(4, 6)]


def test_readers_of_a_rwmutex_are_ordered_with_writers_but_not_among_themselves() -> None:
    reads = [
        ("read_lock", B, "rw"),
        ("read", B, "x"),
        ("read_lock", C, "rw"),
        ("write", C, "y"),
        ("read_unlock", B, "rw"),
    ]
    written = [("lock", A, "rw"), ("write", A, "x"), ("write", A, "y"), ("unlock", A, "rw")]
    assert racing(*written, *reads) == []
    assert racing(("read_lock", A, "rw"), ("write", A, "x"), ("read_unlock", A, "rw"),
                  ("read_lock", B, "rw"), ("write", B, "x")) == [(1, 4)]  # fmt: skip
    assert racing(("read_lock", A, "rw"), ("read", A, "x"), ("read_unlock", A, "rw"),
                  ("lock", B, "rw"), ("write", B, "x")) == []  # fmt: skip


def test_a_message_orders_what_is_before_its_send_with_what_is_after_its_receive() -> None:
    for channel in CAPACITIES:
        assert racing(("write", A, "x"), ("send", A, channel), ("recv", B, channel), ("write", B, "x")) == []
        assert (
            racing(("send", A, channel), ("write", A, "x"), ("recv", B, channel), ("write", B, "x")) != []
            or channel == "c0"
        )


def test_without_room_the_receive_also_orders_what_the_sender_does_after() -> None:
    assert racing(("write", B, "x"), ("send", A, "c0"), ("recv", B, "c0"), ("write", A, "x")) == []
    assert racing(("write", B, "x"), ("recv", B, "c0"), ("send", A, "c0"), ("write", A, "x")) == []
    assert racing(("write", B, "x"), ("send", A, "c1"), ("recv", B, "c1"), ("write", A, "x")) == [(0, 3)]


def test_with_room_for_n_the_receive_orders_the_send_n_later() -> None:
    once = [("send", A, "c1"), ("write", B, "x"), ("recv", B, "c1")]
    assert racing(*once, ("send", A, "c1"), ("write", A, "x")) == []
    once = [("send", A, "c2"), ("write", B, "x"), ("recv", B, "c2")]
    assert racing(*once, ("send", A, "c2"), ("write", A, "x")) == [(1, 4)]  # there was room all along
    assert racing(*once, ("send", A, "c2"), ("send", A, "c2"), ("write", A, "x")) == []


def test_two_senders_without_room_meet_their_receivers_in_order() -> None:
    rows = [
        ("write", A, "x"),
        ("send", A, "c0"),
        ("send", B, "c0"),
        ("recv", C, "c0"),
        ("read", C, "x"),
        ("recv", C, "c0"),
    ]
    assert racing(*rows) == []  # the first receive is of A's message
    assert racing(*rows[:1], ("send", B, "c0"), ("recv", C, "c0"), ("read", C, "x")) == [(0, 3)]


def test_spawn_and_join_order_parent_and_child() -> None:
    whole = [("write", A, "x"), ("spawn", A, C), ("write", C, "x"), ("join", A, C), ("write", A, "x")]
    assert racing(*whole) == []
    assert racing(*whole[:3], ("write", A, "x")) == [(2, 3)]


def test_a_wait_group_and_a_signal_order_all_before_with_all_after() -> None:
    for give, take, thing in (("wait_group_done", "wait_group_wait", "g"), ("signal", "wait", "e")):
        both = [("write", A, "x"), (give, A, thing), ("write", B, "y"), (give, B, thing), (take, C, thing)]
        assert racing(*both, ("write", C, "x"), ("write", C, "y")) == []
        assert racing((take, C, thing), ("write", A, "x"), (give, A, thing), ("write", C, "x")) == [(1, 3)]


def test_atomics_are_ordered_and_carry_what_was_before_them() -> None:
    assert racing(("atomic", A, "x"), ("atomic", B, "x")) == []
    assert racing(("write", A, "y"), ("atomic", A, "x"), ("atomic", B, "x"), ("write", B, "y")) == []
    assert racing(("atomic", A, "x"), ("read", B, "x")) == [(0, 1)]
    assert racing(("read", A, "x"), ("atomic", B, "x")) == [(0, 1)]


def test_every_reader_that_a_write_is_not_ordered_with_races() -> None:
    assert racing(("read", A, "x"), ("read", B, "x"), ("write", C, "x")) == [(0, 2), (1, 2)]
    ordered = [("read", A, "x"), ("signal", A, "e"), ("read", B, "x"), ("wait", C, "e"), ("write", C, "x")]
    assert racing(*ordered) == [(2, 4)]


def test_an_id_that_is_not_there_is_refused() -> None:
    wrong = Operations(*(np.array([value]) for value in (CODES["write"], 0, 9)), np.zeros(2, np.int64))
    with pytest.raises(TableError, match="step 0"):
        detect(wrong, 1)
