"""What the built-in scenarios show, in the direction and size that the models give, and why."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from tracekit.engine.replay import replay
from tracekit.program.catalog import scenario_program, scenarios
from tracekit.tables.bundle import Run
from tracekit.tables.checks import ensure

FORMS = ("process", "thread", "goroutine")


@cache
def runs(name: str) -> dict[str, Run]:
    work = scenario_program(name, seed=0)
    return {form: replay(work, form, cpus=2) for form in FORMS}


def makespan(run: Run) -> int:
    return int(run.meta["end_ns"])


def peak(run: Run) -> int:
    return int(run.frame("memory")["resident_bytes"].max() or 0)


def overhead(run: Run, kind: str) -> int:
    rows = run.frame("overheads").filter(pl.col("kind").cast(pl.String) == kind)
    return int(rows["duration_ns"].sum() or 0)


@pytest.mark.parametrize("name", sorted(scenarios()))
@pytest.mark.parametrize("form", FORMS)
def test_every_scenario_completes_and_keeps_the_laws(name: str, form: str) -> None:
    run = runs(name)[form]
    assert run.meta["outcome"] == "completed", run.meta["outcome_detail"]
    ensure(run)


def test_spawn_storm_processes_cost_most_and_goroutines_least() -> None:
    # fork builds an address space, clone a kernel thread, `go` 2 KiB of stack: 110, 24 and 0.35 us in the profile
    process, thread, goroutine = (runs("spawn_storm")[form] for form in FORMS)
    assert overhead(process, "spawn") > 3 * overhead(thread, "spawn") > 30 * overhead(goroutine, "spawn")
    assert peak(process) > peak(thread) > peak(goroutine)
    assert makespan(process) > makespan(thread) > makespan(goroutine)


def test_fork_join_orders_the_forms_as_measured() -> None:
    # measured on the reference machine: 490, 435 and 256 ms on two CPUs for the same work
    process, thread, goroutine = (makespan(runs("fork_join")[form]) for form in FORMS)
    assert process > thread > goroutine


def test_pipeline_pays_for_copies_only_between_address_spaces() -> None:
    process, thread, goroutine = (runs("pipeline")[form] for form in FORMS)
    assert overhead(process, "ipc_copy") > 0
    assert overhead(thread, "ipc_copy") == overhead(goroutine, "ipc_copy") == 0
    assert makespan(process) > makespan(goroutine)


def test_server_goroutines_need_a_handful_of_kernel_threads() -> None:
    # a thread per connection against Ms that a poller feeds: 1001 threads against a few
    thread, goroutine = runs("server")["thread"], runs("server")["goroutine"]
    assert goroutine.meta["counters"]["threads"] < 10 < 1000 < thread.meta["counters"]["threads"]
    assert peak(goroutine) < peak(thread) / 4


def test_mutex_waits_go_through_the_kernel_only_outside_the_go_runtime() -> None:
    thread, goroutine = runs("mutex")["thread"], runs("mutex")["goroutine"]
    assert goroutine.meta["counters"]["task_switches"] > 0
    assert thread.meta["counters"]["context_switches_voluntary"] > 0
    assert overhead(thread, "address_space") == 0 < overhead(runs("mutex")["process"], "address_space")


def test_blocking_syscalls_make_the_go_runtime_hand_its_ps_on() -> None:
    # each call that outlasts sysmon's two looks costs a hand-off, and Ms pile up behind the callers
    goroutine = runs("blocking_syscalls")["goroutine"]
    assert goroutine.meta["counters"]["handoffs"] > 1000
    assert goroutine.meta["counters"]["threads"] > 5
    assert makespan(goroutine) > makespan(runs("blocking_syscalls")["thread"])
