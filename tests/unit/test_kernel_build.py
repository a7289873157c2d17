"""What scheduling events mean: each rule of the state machine, on a handful of events."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.kernel_text import built, gaps, intervals, tids, wakeups
from tracekit.errors import SourceError
from tracekit.sources.kernel.build import build
from tracekit.sources.kernel.events import EVENT_KINDS, PREV_STATES, SCHEDULING_KINDS, KernelRecording, blank_events
from tracekit.sources.kernel.world import (
    BLOCKED,
    BROKEN_CHAIN,
    INFERRED_SWITCH,
    KNOWN,
    PID_REUSED,
    REASON_SPAWN,
    REASON_WAKEUP,
    REASON_YIELD,
    SWITCH,
    UNKNOWN,
)
from tracekit.vocabulary import GAP_CAUSES, REASONS, STATES


def policy(made: object, words: str) -> int:
    found = [p["count"] for p in made.policies if words in p["policy"]]  # type: ignore[attr-defined]
    return found[0] if found else 0


def test_positions_agree_with_the_words() -> None:
    """Compiled code counts in positions; these are the ends and the odd ones out."""
    assert (EVENT_KINDS["switch"], EVENT_KINDS["known"], SCHEDULING_KINDS) == (SWITCH, KNOWN, EVENT_KINDS["exit"])
    assert [STATES.names[at] for at in (0, 1, BLOCKED, 3, 4, UNKNOWN)] == list(STATES)
    assert [REASONS[reason] for reason in ("yield", "wakeup", "spawn")] == [REASON_YIELD, REASON_WAKEUP, REASON_SPAWN]
    causes = {"broken_chain": BROKEN_CHAIN, "inferred_switch": INFERRED_SWITCH, "pid_reused": PID_REUSED}
    assert {name: GAP_CAUSES[name] for name in causes} == causes
    assert all(state in STATES and (reason is None or reason in REASONS) for state, reason in PREV_STATES.values())


def test_a_task_blocks_is_woken_queues_and_runs() -> None:
    made = built("""
        1000 cpu0 1 switch S 2
        1100 cpu0 2 waking 1 cpu0
        1300 cpu0 2 switch R+ 1
        1600 cpu0 1 switch D 0
        1700 cpu0 0 switch R 2
    """)
    assert made.origin_ns == 1000
    assert intervals(made, 1) == [
        "0-100 BLOCKED",
        "100-300 RUNNABLE cpu0 (wakeup)",
        "300-600 RUNNING cpu0",
        "600-700 BLOCKED (uninterruptible)",
    ]
    assert intervals(made, 2) == ["0-300 RUNNING cpu0", "300-700 RUNNABLE cpu0 (preempted)"]
    assert wakeups(made) == ["100 2->1 target cpu0"]
    assert gaps(made) == []


def test_the_waker_is_nobody_in_an_interrupt_and_on_an_idle_cpu() -> None:
    made = built("""
        0 cpu0 1 switch S 2
        10 cpu0 2 waking 1 cpu0 irq
        20 cpu0 2 switch S 1
        30 cpu0 1 switch S 0
        40 cpu0 0 waking 1 cpu0
        50 cpu0 0 switch R 1
    """)
    assert wakeups(made) == ["10 -->1 target cpu0", "40 -->1 target cpu0"]


def test_a_wakeup_says_what_was_waited_for() -> None:
    made = built("0 cpu0 1 switch D 2\n 10 cpu0 2 waking 1 cpu0\n 20 cpu0 2 switch S 1")
    assert wakeups(made) == ["10 2->1 target cpu0 (uninterruptible)"]


def test_waking_a_running_task_changes_nothing() -> None:
    made = built("""
        0 cpu0 3 switch S 1
        0 cpu1 4 switch S 2
        10 cpu1 2 waking 1 cpu0
        20 cpu0 1 waking 4 cpu1
        90 cpu0 1 switch S 0
        95 cpu1 2 switch S 0
    """)
    assert intervals(made, 1) == ["0-90 RUNNING cpu0", "90-95 BLOCKED"]
    assert [line for line in wakeups(made) if "->1 " in line] == []
    assert policy(made, "RUNNING") == 1


def test_a_waking_that_overtakes_the_switch_out_counts_from_there() -> None:
    made = built("""
        0 cpu0 3 switch S 1
        0 cpu1 4 switch S 2
        10 cpu1 2 waking 1 cpu0
        20 cpu0 1 switch S 0
        50 cpu0 0 switch R 1
        90 cpu0 1 switch S 0
    """)
    assert intervals(made, 1) == ["0-20 RUNNING cpu0", "20-50 RUNNABLE cpu0 (wakeup)", "50-90 RUNNING cpu0"]
    assert wakeups(made) == ["20 2->1 target cpu0"]


def test_waking_twice_counts_once() -> None:
    made = built("""
        0 cpu0 1 switch S 2
        10 cpu0 2 waking 1 cpu0
        15 cpu0 2 waking 1 cpu0
        20 cpu0 2 switch S 1
    """)
    assert wakeups(made) == ["10 2->1 target cpu0"]
    assert policy(made, "RUNNABLE") == 1


def test_events_that_tell_once_more_of_a_switch_or_a_wakeup_are_counted() -> None:
    made = built("""
        1000 cpu0 1 stat_runtime 1 50
        1000 cpu0 1 switch S 2
        1100 cpu0 2 waking 1 cpu0
        1200 cpu0 2 wakeup 1 cpu0
        1300 cpu0 2 switch R+ 1
    """)
    assert (made.events, made.repeats) == (5, 2)


WAKING_AND_WAKEUP = """
    0 cpu0 1 switch S 2
    10 cpu0 2 waking 1 cpu0
    15 cpu1 9 wakeup 1 cpu1
    40 cpu1 9 switch S 1
    50 cpu1 1 switch S 0
"""


@pytest.mark.parametrize(("chosen", "since"), [("waking", 10), ("wakeup", 15)])
def test_the_event_that_makes_runnable_is_a_choice(chosen: str, since: int) -> None:
    made = built(WAKING_AND_WAKEUP, chosen)
    assert intervals(made, 1)[1] == f"{since}-40 RUNNABLE cpu1 (wakeup)"
    assert wakeups(made) == [f"{since} 2->1 target cpu1"]
    assert made.policies[0]["choice"] == f"sched_{chosen}"


def test_a_choice_that_the_recording_does_not_offer_falls_back_and_says_so() -> None:
    made = built("0 cpu0 1 switch S 2\n 10 cpu0 2 waking 1 cpu0\n 20 cpu0 2 switch S 1", "wakeup")
    assert intervals(made, 1)[1] == "10-20 RUNNABLE cpu0 (wakeup)"
    assert made.policies[0]["choice"] == "sched_waking; the recording has no sched_wakeup"


def test_placing_a_wakee_is_no_move_but_pulling_a_queued_task_is() -> None:
    made = built("""
        0 cpu0 1 switch S 2
        10 cpu0 2 waking 1 cpu0
        12 cpu0 2 migrate 1 cpu1
        20 cpu2 5 migrate 1 cpu2
        30 cpu2 5 switch S 1
        40 cpu2 1 switch S 0
    """)
    assert intervals(made, 1) == [
        "0-10 BLOCKED",
        "10-20 RUNNABLE cpu1 (wakeup)",
        "20-30 RUNNABLE cpu2 (wakeup)",
        "30-40 RUNNING cpu2",
    ]
    assert wakeups(made) == ["10 2->1 target cpu1"]


def test_a_fork_told_twice_is_one_task() -> None:
    made = built("""
        0 cpu0 1 stat_runtime 1 5
        10 - 1 fork 2 of 1
        12 cpu0 1 fork 2
        15 cpu0 1 wakeup_new 2 cpu0
        20 cpu0 1 switch S 2
        30 - 0 exit 2
        40 cpu0 2 switch Z 1
    """)
    assert intervals(made, 2) == ["10-15 NEW", "15-20 RUNNABLE cpu0 (spawn)", "20-40 RUNNING cpu0"]
    assert wakeups(made) == ["15 1->2 target cpu0 (spawn)"]
    child = made.tables["tasks"].to_pylist()[1]
    assert (child["kind"], child["parent_id"], child["process_id"]) == ("thread", 0, 0)
    assert (child["start_ns"], child["end_ns"], child["exit_reason"]) == (10, 40, "exit")


def test_an_exiting_task_goes_on_until_its_last_switch() -> None:
    made = built("""
        0 cpu0 1 switch S 2
        10 - 0 exit 2
        20 cpu0 2 switch R+ 1
        30 cpu0 1 switch S 2
        40 cpu0 2 switch Z 1
    """)
    assert intervals(made, 2) == ["0-20 RUNNING cpu0", "20-30 RUNNABLE cpu0 (preempted)", "30-40 RUNNING cpu0"]
    assert made.tables["tasks"].to_pylist()[1]["end_ns"] == 40


def test_a_tid_seen_again_after_its_end_is_a_new_task() -> None:
    made = built("""
        0 cpu0 1 switch S 2
        20 cpu0 2 switch Z 1
        60 cpu0 1 fork 2
        70 cpu0 1 switch S 2
        90 cpu0 2 switch S 0
    """)
    assert tids(made) == [1, 2, 2]
    assert gaps(made) == ["60-60 pid_reused"]


def test_a_fork_of_a_tid_that_never_ended_ends_it() -> None:
    made = built("""
        0 cpu0 1 switch S 2
        20 cpu0 2 switch S 1
        60 cpu0 1 fork 2
        70 cpu0 1 switch S 2
        90 cpu0 2 switch S 0
    """)
    assert tids(made) == [1, 2, 2]
    assert made.tables["tasks"]["end_ns"].to_pylist() == [None, 60, None]
    assert gaps(made) == ["0-60 pid_reused"]


MISSING_SWITCH_IN = """
    0 cpu1 1 switch S 0
    100 cpu0 9 switch S 8
    200 cpu0 8 waking 1 cpu1
    {accounting}
    500 cpu1 1 switch S 0
    600 cpu1 0 switch R 2
"""


def test_a_missing_switch_in_starts_where_accounting_says() -> None:
    made = built(MISSING_SWITCH_IN.format(accounting="400 cpu1 1 stat_runtime 1 190"))
    assert intervals(made, 1) == [
        "0-200 BLOCKED",
        "200-210 RUNNABLE cpu1 (wakeup) inferred",
        "210-500 RUNNING cpu1 inferred",
        "500-600 BLOCKED",
    ]
    assert gaps(made) == ["200-400 cpu1 inferred_switch"]


def test_without_accounting_an_idle_cpu_took_the_queued_task_at_once() -> None:
    made = built(MISSING_SWITCH_IN.format(accounting="300 cpu0 8 stat_runtime 8 90"))
    assert intervals(made, 1) == ["0-200 BLOCKED", "200-500 RUNNING cpu1 inferred", "500-600 BLOCKED"]
    assert gaps(made) == ["200-500 cpu1 inferred_switch"]


def test_accounting_after_the_first_evidence_still_refines() -> None:
    made = built("""
        0 cpu1 1 switch S 0
        300 cpu1 1 waking 7 cpu1
        400 cpu1 1 stat_runtime 1 250
        450 cpu1 1 stat_runtime 1 50
        500 cpu1 1 switch S 0
    """)
    assert intervals(made, 1) == ["0-150 BLOCKED inferred", "150-500 RUNNING cpu1 inferred"]


def test_accounting_never_reaches_back_over_the_last_switch() -> None:
    made = built("""
        100 cpu1 1 switch S 0
        300 cpu1 1 stat_runtime 1 999
        500 cpu1 1 switch S 0
    """)
    assert intervals(made, 1) == ["0-400 RUNNING cpu1 inferred"]


def test_another_task_leaves_than_the_one_that_came() -> None:
    made = built("""
        0 cpu0 9 switch S 1
        50 cpu0 1 waking 9 cpu0
        90 cpu0 2 switch S 3
        120 cpu0 3 switch S 1
        150 cpu0 1 switch S 0
    """)
    assert intervals(made, 1) == [
        "0-50 RUNNING cpu0 inferred",
        "50-120 UNKNOWN inferred",
        "120-150 RUNNING cpu0",
    ]
    assert gaps(made) == ["50-90 cpu0 broken_chain", "50-90 cpu0 inferred_switch"]


def test_a_task_that_turns_up_elsewhere_left_its_cpu_unseen() -> None:
    made = built("""
        0 cpu0 9 switch S 1
        40 cpu0 1 waking 8 cpu0
        100 cpu1 7 switch S 1
        200 cpu1 1 switch S 0
    """)
    assert intervals(made, 1) == [
        "0-40 RUNNING cpu0 inferred",
        "40-100 UNKNOWN inferred",
        "100-200 RUNNING cpu1",
    ]
    assert gaps(made) == ["40-100 cpu0 broken_chain"]


def test_kinds_names_and_processes() -> None:
    made = built("""
        0 - 2 known 7 of 7
        0 - 0 comm 7 ksmd
        0 - 1 known 5 of 5
        0 - 0 comm 5 shell
        0 - 5 known 6 of 5
        10 cpu0 7 switch S 6
        20 cpu0 6 switch S 3
        30 cpu0 3 switch S 7
        40 - 0 comm 6 worker
    """)
    columns = made.tables["tasks"].select(["name", "kind", "process_id", "source_id", "start_ns"]).to_pylist()
    assert [tuple(row.values()) for row in columns] == [
        ("ksmd", "kernel", 0, 7, 0),
        ("worker", "thread", 3, 6, 0),
        ("task 3", "kernel", None, 3, 10),  # nothing is known about it
        ("shell", "process", 3, 5, None),  # the process of a thread that did something
    ]
    assert made.form == "process" or made.form == "thread"


def test_ids_that_can_not_be_are_left_out_and_marked() -> None:
    events = blank_events(3)
    events["time_ns"], events["kind"], events["cpu"] = [10, 20, 30], EVENT_KINDS["switch"], 0
    events["tid"], events["target_tid"] = [1, 2, 3], [2, 1 << 30, 4]
    made = build(KernelRecording(events, lambda rows, roles: [""] * len(rows)))
    assert "10-10 corrupt" in gaps(made)
    assert tids(made) == [1, 2, 3, 4]


def test_no_scheduling_events_is_an_error() -> None:
    notes = blank_events(1)
    notes["kind"], notes["target_tid"] = EVENT_KINDS["comm"], 5
    with pytest.raises(SourceError, match="no scheduling events"):
        build(KernelRecording(notes, lambda rows, roles: [""] * len(rows)))
    with pytest.raises(SourceError, match="no scheduling events"):
        build(KernelRecording(np.zeros(0, notes.dtype), lambda rows, roles: []))
