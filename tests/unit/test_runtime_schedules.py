"""Schedules of the event loop and the thread pool, worked out by hand from the sources that their files name. Nothing
costs anything unless a test says so."""

from __future__ import annotations

import polars as pl
import pytest

from tests.checker import check
from tests.programs import free_profile, program
from tests.unit.pictures import MS, compute, free, picture, sleep
from tracekit.engine.replay import replay
from tracekit.program.catalog import scenario_program, scenarios
from tracekit.tables.bundle import Program, Run
from tracekit.tables.checks import ensure

EXACT = {"event_loop.callback_ns": 0, "event_loop.poll_ns": 0}


def loop(work: Program, cpus: int = 1, **parameters: int) -> Run:
    chosen = EXACT | {f"event_loop.{name}": value for name, value in parameters.items()}
    return free(work, "event_loop", cpus=cpus, parameters=chosen)


def pool(work: Program, workers: int, cpus: int = 1) -> Run:
    return free(work, "thread_pool", cpus=cpus, parameters={"thread_pool.workers": workers})


def threads(run: Run) -> int:
    return int(run.meta["counters"]["threads"])


# ---- event loop ----------------------------------------------------------------------------------------------


def test_one_loop_uses_one_cpu_and_nobody_is_taken_off_it() -> None:
    # base_events.py: _run_once; no time slice anywhere
    run = loop(program({"a": [compute(20)], "b": [compute(3)]}), cpus=2)
    assert picture(run, 2) == ["a" * 20 + "b" * 3, "." * 23]
    assert threads(run) == 1


def test_who_yields_comes_behind_those_that_are_ready() -> None:
    turns = [compute(1), ("yield",), compute(1), ("yield",), compute(1)]
    assert picture(loop(program({"a": turns, "b": turns}))) == ["ababab"]


def test_a_round_runs_exactly_what_was_there_when_it_began() -> None:
    # round 1: a, which makes c ready, then b. What is ready by then waits for round 2, where timers due come behind it:
    # s slept until 1 ms, c was spawned at 0 ms, a yielded after it (_run_once: ntodo = len(self._ready))
    work = program({
        "s": [sleep(1), compute(1)],
        "a": [("spawn", "c"), compute(2), ("yield",), compute(1)],
        "b": [compute(1)],
        "c": [compute(1)],
    })  # fmt: skip
    assert picture(loop(work)) == ["aabcas"]


def test_sockets_come_before_timers() -> None:
    # both are due while a computes (_run_once: _process_events(event_list), then _scheduled)
    work = program({"t": [sleep(1), compute(1)], "n": [("network", 2 * MS), compute(1)], "a": [compute(3)]})
    assert picture(loop(work)) == ["aaant"]


def test_computing_stalls_who_only_wanted_to_sleep() -> None:
    work = program({"s": [sleep(1), compute(1)], "a": [compute(9)]})
    assert picture(loop(work)) == ["a" * 9 + "s"]


def test_a_sleep_ends_at_a_whole_millisecond_when_the_loop_polls_and_a_socket_at_once() -> None:
    # selectors.py: EpollSelector.select rounds the timeout up
    work = program({"s": [("sleep", 50_000), compute(1)]})
    assert loop(work).meta["end_ns"] == 2 * MS
    assert loop(work, poll_resolution_ns=1).meta["end_ns"] == 50_000 + MS
    assert loop(program({"n": [("network", 50_000), compute(1)]})).meta["end_ns"] == 50_000 + MS


def test_blocking_calls_go_to_the_pool_and_the_loop_goes_on() -> None:
    work = program({"i": [("io", 4 * MS), compute(1)], "a": [compute(2), sleep(1), compute(3)]})
    run = loop(work)
    assert picture(run) == ["aa.aaai"]  # i's call is over at 4 ms, a computes until 6 ms
    assert threads(run) == 2


def test_a_full_pool_makes_calls_wait() -> None:
    # three calls of 2 ms: at once with three threads, one after the other with one
    work = program({name: [("syscall", 2 * MS), compute(1)] for name in "abc"})
    wide, narrow = loop(work, pool=3), loop(work, pool=1)
    assert picture(wide) == ["..abc"] and threads(wide) == 4
    assert picture(narrow) == ["..a.b.c"] and threads(narrow) == 2


def test_waits_for_sockets_need_no_threads() -> None:
    assert threads(loop(program({f"n{i}": [("network", 5 * MS), compute(1)] for i in range(50)}))) == 1


def test_callbacks_and_polls_cost_what_is_set() -> None:
    # two rounds with work (a and b, then a again), a poll before each, and one that the end of the work cuts off
    work = program({"a": [compute(1), ("yield",), compute(1)], "b": [compute(1)]})
    run = loop(work, callback_ns=1000, poll_ns=300)
    kinds = run.frame("overheads").group_by(pl.col("kind").cast(pl.String)).agg(pl.col("duration_ns").sum())
    assert dict(kinds.iter_rows()) == {"switch": 3000, "runtime": 900}
    assert run.meta["end_ns"] == 3 * MS + 3600


# ---- thread pool ---------------------------------------------------------------------------------------------


def test_jobs_start_in_order_on_as_many_workers_as_there_are() -> None:
    work = program({"a": [compute(3)], "b": [compute(1)], "c": [compute(2)], "d": [compute(1)]})
    run = pool(work, 2, cpus=2)
    assert picture(run, 2) == ["aaad", "bcc."]
    assert threads(run) == 2


def test_a_blocked_worker_is_lost_capacity() -> None:
    # the only worker waits with its job, though the others could use the CPU
    work = program({"s": [compute(1), sleep(3), compute(1)], "b": [compute(2)], "c": [("network", MS), compute(1)]})
    assert picture(pool(work, 1)) == ["s...sbb.c"]
    assert picture(pool(work, 3)) == ["sbb.sc"]  # c's worker first gets the CPU at 3 ms, and waits until 4 ms


def test_workers_are_kernel_threads_and_take_turns() -> None:
    # two workers on a CPU: eevdf alternates them at ticks, and the third job waits for one of them to end
    work = program({name: [compute(8)] for name in "abc"})
    assert picture(pool(work, 2)) == ["aaaabbbbaaaabbbb" + "c" * 8]


def test_a_job_that_yields_keeps_its_worker() -> None:
    work = program({"a": [compute(1), ("yield",), compute(1)], "b": [compute(1)]})
    assert picture(pool(work, 1)) == ["aab"]


def test_jobs_that_wait_for_queued_jobs_deadlock_the_pool() -> None:
    work = program({"a": [("spawn", "b"), ("join", "b")], "b": [compute(1)]})
    run = pool(work, 1)
    assert run.meta["outcome"] == "deadlock"
    assert "a (task 0) waits for join on b (task 1)" in run.meta["outcome_detail"]
    assert "1 wait for a thread to run on" in run.meta["outcome_detail"]
    assert pool(work, 2).meta["outcome"] == "completed"


def test_a_lock_wakes_the_worker_that_waits_for_it() -> None:
    held = [("lock", "m"), compute(1), sleep(1), compute(1), ("unlock", "m"), compute(1)]
    work = program({"a": held, "b": held}, {"m": ("mutex", None)})
    assert picture(pool(work, 2, cpus=2), 2) == ["a.aa...", "...b.bb"]


def test_no_more_workers_than_tasks_are_made() -> None:
    run = replay(program({"a": [compute(1)]}), "thread_pool", cpus=2, profile=free_profile())
    assert threads(run) == 1


# ---- both ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["event_loop", "thread_pool"])
@pytest.mark.parametrize("name", list(scenarios()))
def test_every_scenario(name: str, model: str) -> None:
    work = scenario_program(name)
    run = replay(work, model, cpus=2)
    ensure(run)
    if model == "event_loop":
        assert run.meta["outcome"] == ("crashed" if name == "crash" else "completed")
    if run.frame("intervals").height < 20_000:
        check(run, work)
