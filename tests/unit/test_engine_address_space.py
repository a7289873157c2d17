"""Threads share an address space: who creates or ends holds its lock, and stacks are used again."""

from __future__ import annotations

from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.tables.bundle import Run

COSTS = {"thread_spawn_ns": 3000, "thread_map_ns": 3000, "thread_advise_ns": 500, "thread_exit_ns": 500}


def _runs(run: Run, task: int) -> list[tuple[int, int]]:
    rows = run.frame("intervals").filter(task_id=task, state="RUNNING").rows(named=True)
    return [(row["start_ns"], row["end_ns"]) for row in rows]


def test_a_thread_that_ends_waits_for_a_creator_that_waits_for_it() -> None:
    # The creator maps for 1 us, protects for 1 us, and shares the lock for 1 us while it touches the stack: three times.
    # The first thread ends at 3.5 us and waits for the mapping of the second's stack until 4 us. Then it is let in for
    # 0.5 us, while the creator spins for 1 us: the second thread starts at 7 us, and not at 6.
    made = program(
        {
            "main": [("spawn", "first"), ("spawn", "second"), ("compute", 9000)],
            "first": [("compute", 500)],
            "second": [("compute", 500)],
        }
    )
    run = replay(made, "thread", cpus=3, profile=free_profile(**COSTS))
    waits = run.frame("intervals").filter(state="BLOCKED").rows(named=True)
    assert [(w["task_id"], w["start_ns"], w["end_ns"], w["reason"]) for w in waits] == [
        (1, 3500, 4000, "uninterruptible")
    ]
    assert _runs(run, 2)[0][0] == 7000


def test_processes_have_no_address_space_to_share() -> None:
    made = program({"main": [("spawn", "first"), ("spawn", "second")], "first": [], "second": []})
    run = replay(made, "process", cpus=3, profile=free_profile(**COSTS, process_spawn_ns=3000))
    assert run.frame("intervals").filter(reason="uninterruptible").is_empty()


def test_the_stack_of_a_joined_thread_is_used_again_and_the_sixth_that_ends_is_unmapped() -> None:
    # glibc keeps 40 MiB of stacks: five. A stack that is used again need not be mapped, so creating it is free here.
    costs = COSTS | {"thread_unmap_ns": 5000, "thread_exit_ns": 5500}
    again = program({"main": [("spawn", "a"), ("join", "a"), ("spawn", "b"), ("join", "b")], "a": [], "b": []})
    names = [f"t{i}" for i in range(6)]
    many = program(
        {"main": [("spawn", n) for n in names] + [("join", n) for n in names], **{n: [] for n in names}}
    )  # fmt: skip
    once = replay(again, "thread", cpus=1, profile=free_profile(**costs))
    assert once.meta["done"]["at_ns"] == 3000 + 500 + 500  # one mapping, two ends
    crowd = replay(many, "thread", cpus=1, profile=free_profile(**costs))
    assert crowd.meta["done"]["at_ns"] == 6 * 3000 + 6 * 500 + 5000  # six mappings and ends, one unmapped by who joins


def test_a_run_tells_when_the_last_step_was_done() -> None:
    made = program({"main": [("compute", 1000)]})
    run = replay(made, "thread", cpus=1, profile=free_profile(thread_exit_ns=700))
    assert (run.meta["done"]["at_ns"], run.meta["end_ns"]) == (1000, 1700)
