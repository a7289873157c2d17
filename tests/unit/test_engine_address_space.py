"""Threads share an address space: who creates or ends holds its lock, and stacks are used again, by a lock of their own."""

from __future__ import annotations

from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.machine.profile import load_profile
from tracekit.program.catalog import scenario_program
from tracekit.program.extract import extract
from tracekit.program.normal_form import normal_form
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


def test_the_stack_of_a_joined_thread_is_used_again_and_the_fifth_that_ends_is_unmapped() -> None:
    # glibc keeps 40 MiB of stacks, guard pages included: four. A stack that is used again need not be mapped, so
    # creating it is free here.
    costs = COSTS | {"thread_unmap_ns": 5000, "thread_exit_ns": 5500}
    again = program({"main": [("spawn", "a"), ("join", "a"), ("spawn", "b"), ("join", "b")], "a": [], "b": []})
    names = [f"t{i}" for i in range(5)]
    many = program(
        {"main": [("spawn", n) for n in names] + [("join", n) for n in names], **{n: [] for n in names}}
    )  # fmt: skip
    once = replay(again, "thread", cpus=1, profile=free_profile(**costs))
    assert once.meta["done"]["at_ns"] == 3000 + 500 + 500  # one mapping, two ends
    crowd = replay(many, "thread", cpus=1, profile=free_profile(**costs))
    assert crowd.meta["done"]["at_ns"] == 5 * 3000 + 5 * 500 + 5000  # five mappings and ends, one unmapped by who joins


FULL = {"thread_spawn_ns": 3, "thread_map_ns": 3, "thread_unmap_ns": 5000, "thread_exit_ns": 5000}


def _waits(run: Run) -> list[tuple[int, int, int, str]]:
    rows = run.frame("intervals").filter(state="BLOCKED").rows(named=True)
    return [(row["task_id"], row["start_ns"], row["end_ns"], row["reason"]) for row in rows]


def test_a_thread_sleeps_while_another_unmaps_with_the_lock_of_the_cache() -> None:
    # Creating takes 3 ns: threads begin at 3, 6 ... 18. Four end and fill the cache. The fifth ends at 5015, has the
    # lock, and unmaps a stack until 10015: the mapping for 1 ns, the pages with the lock of the address space shared.
    # So the sixth, at 5018, gets through madvise; it sleeps in futex_wait, 100 ns later, until the fifth lets go, and
    # then unmaps a stack itself. The fifth pays 200 ns for waking it.
    made = program(
        {
            "main": [*(("spawn", name) for name in "abcdef"), ("compute", 30_000)],
            **{name: [("compute", 1000)] for name in "abcd"},
            "e": [("compute", 5000)],
            "f": [("compute", 5000)],
        }
    )
    run = replay(made, "thread", cpus=7, profile=free_profile(**FULL, thread_block_ns=100, thread_wake_ns=200))
    assert _waits(run) == [(6, 5118, 10_015, "lock")]
    ends = dict(run.frame("tasks").select("task_id", "end_ns").iter_rows())
    assert (ends[5], ends[6]) == (10_215, 15_015)


def test_a_creator_sleeps_too_while_an_ended_thread_unmaps() -> None:
    # As above, but the creator looks into the cache at 6015, and gets a stack from it at 10015.
    made = program(
        {
            "main": [*(("spawn", name) for name in "abcde"), ("compute", 6000), ("spawn", "f"), ("compute", 30_000)],
            **{name: [("compute", 1000)] for name in "abcd"},
            "e": [("compute", 5000)],
            "f": [("compute", 1)],
        }
    )
    run = replay(made, "thread", cpus=7, profile=free_profile(**FULL))
    assert _waits(run) == [(0, 6015, 10_015, "lock")]
    assert _runs(run, 6)[0][0] == 10_015
    assert run.frame("operations").filter(task_id=0, kind="spawn").height == 6


def test_other_cpus_are_told_of_an_unmapped_stack() -> None:
    # The fifth to end unmaps a stack for 5 us, and waits 2 us for the answer of the CPU that computes, whose thread
    # misses 700 ns.
    made = program(
        {
            "main": [*(("spawn", name) for name in "abcdef"), ("sleep", 40_000)],
            **{name: [("compute", 1000)] for name in "abcd"},
            "e": [("compute", 5000)],
            "f": [("compute", 20_000)],
        }
    )
    costs = FULL | {"shootdown_ns": 2000, "shootdown_answer_ns": 700}
    run = replay(made, "thread", cpus=7, profile=free_profile(**costs))
    ends = dict(run.frame("tasks").select("task_id", "end_ns").iter_rows())
    assert ends[5] == 15 + 5000 + 5000 + 2000
    assert ends[6] == 18 + 20_000 + 700 + 5000  # nobody computes when it unmaps one itself


def test_a_reader_takes_a_free_lock_before_a_writer_that_was_woken_for_it() -> None:
    # Everybody begins 20 us late, on a CPU that idled. From 50003 `a` gives pages back for 15 us. Main wants to map at
    # 50010, spins for 10 us, and is woken at 65003; before it runs, at 85003, `b` has taken the lock, at 70006. Main,
    # which spins no more, sleeps until 85006.
    made = program(
        {
            "main": [("spawn", "a"), ("spawn", "b"), ("compute", 30_004), ("spawn", "c"), ("compute", 90_000)],
            "a": [("compute", 10_000)],
            "b": [("compute", 30_000)],
            "c": [],
        }
    )
    costs = {"thread_spawn_ns": 3, "thread_map_ns": 3, "thread_advise_ns": 15_000, "thread_exit_ns": 15_000}
    run = replay(made, "thread", cpus=4, profile=free_profile(**costs, idle_exit_ns=20_000))
    assert _waits(run)[:2] == [(0, 60_010, 65_003, "uninterruptible"), (0, 85_003, 85_006, "uninterruptible")]
    assert dict(run.frame("tasks").select("task_id", "end_ns").iter_rows())[2] == 85_006


def test_waits_for_these_locks_are_no_steps_of_a_program() -> None:
    work = scenario_program("spawn_storm", seed=0, overrides={"tasks": 60})
    run = replay(work, "thread", cpus=2, profile=load_profile())
    assert {"lock", "uninterruptible"} <= set(run.frame("intervals").filter(state="BLOCKED")["reason"])
    assert extract(run).tables["segments"].equals(normal_form(work).tables["segments"])


def test_a_run_tells_when_the_last_step_was_done() -> None:
    made = program({"main": [("compute", 1000)]})
    run = replay(made, "thread", cpus=1, profile=free_profile(thread_exit_ns=700))
    assert (run.meta["done"]["at_ns"], run.meta["end_ns"]) == (1000, 1700)
