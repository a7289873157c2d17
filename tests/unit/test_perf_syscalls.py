"""System calls say what a task that blocks within them waits for."""

from __future__ import annotations

import pytest

from tests.unit.kernel_text import built, events_of, gaps, intervals, wakeups
from tracekit.sources.kernel.build import build
from tracekit.sources.kernel.events import EVENT_KINDS, GENERIC_NUMBERS, KernelRecording
from tracekit.sources.kernel.syscalls import NUMBERS, SYSCALL_REASONS, has_generic_numbers
from tracekit.sources.kernel.world import REASON_UNINTERRUPTIBLE, SYS_ENTER, SYS_EXIT
from tracekit.vocabulary import REASONS

BLOCKS_WITHIN = """
    0 cpu0 2 switch S 1
    10 cpu0 1 sys_enter {number}
    20 cpu0 1 switch {state} 2
    30 cpu0 2 waking 1 cpu0
    40 cpu0 2 switch S 1
    50 cpu0 1 sys_exit {number}
    60 cpu0 1 switch {state} 2
"""


def test_positions_agree_with_the_words() -> None:
    assert (EVENT_KINDS["sys_enter"], EVENT_KINDS["sys_exit"]) == (SYS_ENTER, SYS_EXIT)
    assert REASONS["uninterruptible"] == REASON_UNINTERRUPTIBLE
    assert SYSCALL_REASONS.shape == (2, NUMBERS)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(202, "lock"), (230, "sleep"), (232, "network"), (0, "io"), (61, "join"), (16, "syscall"), (5000, None)],
)
def test_the_reason_is_that_of_the_call(number: int, reason: str | None) -> None:
    made = built(BLOCKS_WITHIN.format(number=number, state="S"))
    words = f" ({reason})" if reason else ""
    assert intervals(made, 1) == [
        "0-20 RUNNING cpu0",
        f"20-30 BLOCKED{words}",
        "30-40 RUNNABLE cpu0 (wakeup)",
        "40-60 RUNNING cpu0",
    ]
    assert wakeups(made) == [f"30 2->1 target cpu0{words}"]


def test_a_call_explains_the_uninterruptible_and_neither_the_stopped_nor_the_preempted() -> None:
    for state, words in (("D", "BLOCKED (io)"), ("T", "BLOCKED (stopped)"), ("R+", "RUNNABLE cpu0 (preempted)")):
        made = built(BLOCKS_WITHIN.format(number=0, state=state))
        assert intervals(made, 1)[1].split(" ", 1)[1] == words


def test_a_call_is_evidence_of_who_runs() -> None:
    made = built("0 cpu0 1 switch S 0\n 30 cpu0 1 sys_enter 0\n 40 cpu0 1 switch S 0\n 50 cpu0 0 switch R 2")
    assert intervals(made, 1)[1] == "30-40 RUNNING cpu0 inferred"
    assert gaps(made) == ["0-30 cpu0 inferred_switch"]


def test_a_call_from_before_the_first_switch_counts_and_is_no_evidence() -> None:
    made = built("5 cpu0 1 sys_enter 202\n 10 cpu0 2 switch S 0\n 20 cpu1 1 switch S 0\n 90 cpu1 0 switch R 2")
    assert intervals(made, 1) == ["10-80 BLOCKED (lock)"]


def test_numbers_of_other_architectures() -> None:
    assert [has_generic_numbers(name) for name in ("x86_64", "aarch64", "s390x", None)] == [False, True, None, None]
    events, _ = events_of(BLOCKS_WITHIN.format(number=98, state="S"))
    events["flags"] |= GENERIC_NUMBERS
    made = build(KernelRecording(events, lambda rows, roles: [""] * len(rows)))
    assert intervals(made, 1)[1] == "20-30 BLOCKED (lock)"
