"""What the built-in scenarios show, in the direction and size that the models give, and why."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from tracekit.engine.replay import replay
from tracekit.metrics.measure import measure
from tracekit.program.catalog import scenario_program, scenarios
from tracekit.report.claims import CLAIMS
from tracekit.report.judging import BOUND, FAILS, HOLDS, NOTHING, Claim, Figures, Part, judge
from tracekit.tables.bundle import Run
from tracekit.tables.checks import ensure

FORMS = ("process", "thread", "goroutine")


@cache
def runs(name: str) -> dict[str, Run]:
    work = scenario_program(name, seed=0)
    return {form: replay(work, form, cpus=CLAIMS[name].cpus) for form in FORMS}


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
    assert run.meta["outcome"] == ("crashed" if name == "crash" else "completed"), run.meta["outcome_detail"]
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


def metric(run: Run, name: str, label: str = "") -> float:
    found = measure(run).filter((pl.col("metric") == name) & (pl.col("label") == label))["value"]
    return float(found[0]) if len(found) else 0.0


def test_context_switch_costs_a_goroutine_a_fraction() -> None:
    # a hand-over is a block, a wakeup and a switch: 3.1 us through the kernel and 0.25 us in the Go runtime by the
    # profile; processes add the mapping and its TLB misses, 0.35 us and up to 0.6 us a switch, and the pipe's 0.3 us
    process, thread, goroutine = (makespan(runs("context_switch")[form]) for form in FORMS)
    assert process > 1.02 * thread
    assert thread > 2 * goroutine
    assert process < 10 * thread


def test_thread_memory_is_mostly_reserved() -> None:
    # 5,000 tasks at 128, 46 and 2.6 KiB resident; an 8 MiB stack is reserved for each thread and 46 KiB of it used
    process, thread, goroutine = (peak(runs("thread_memory")[form]) for form in FORMS)
    assert process > 2 * thread > 20 * goroutine
    assert metric(runs("thread_memory")["thread"], "peak_virtual") > 100 * thread


def test_work_stealing_halves_the_time_of_work_made_in_one_place() -> None:
    # all pieces are queued on main's P; with a second P that steals, two CPUs share what else one would do alone
    stolen = runs("work_stealing")["goroutine"]
    alone = replay(scenario_program("work_stealing", seed=0), "goroutine", cpus=2, parameters={"goroutine.steal": 0})
    assert stolen.meta["counters"]["steals"] > 0 == alone.meta["counters"]["steals"]
    assert 1.3 * makespan(stolen) < makespan(alone) <= 2.2 * makespan(stolen)


def test_early_exit_loses_the_work_of_what_shares_main_s_process() -> None:
    # 4 workers of 40 ms on 2 CPUs need 80 ms; main stays 15 ms, and waits for a CPU before and after
    process, thread, goroutine = (runs("early_exit")[form] for form in FORMS)
    assert process.meta["failure"]["orphans"] == 4
    assert process.meta["failure"]["work_lost_ns"] == 0
    assert makespan(process) >= 80_000_000 > makespan(thread)
    for run in (thread, goroutine):
        assert run.meta["failure"]["orphans"] == 0
        assert run.meta["failure"]["work_lost_ns"] > 20_000_000


def test_crash_takes_one_process_and_all_that_share_an_address_space() -> None:
    # 16 workers and main; the faulty one has 20 of its 40 requests still to do
    process, thread, goroutine = (runs("crash")[form].meta["failure"] for form in FORMS)
    assert (process["tasks_ended"], process["requests_lost"], process["work_lost_ns"]) == (1, 20, 1_000_000)
    for shared in (thread, goroutine):
        assert shared["tasks_ended"] == 17
        assert shared["requests_lost"] > 5 * process["requests_lost"]


def variables(run: Run) -> dict[str, int]:
    return {variable["name"]: variable["lost"] for variable in run.meta["variables"]}


def test_data_race_loses_updates_until_mended() -> None:
    # 4 x 1,500 increments. Between read and write lie one access, 1 ns, or 61 ns when the other CPU wrote last: an
    # update is lost when the other CPU's write falls in it, some of every hundred. A process counts in its own copy.
    process, thread, goroutine = (variables(runs("data_race")[form]) for form in FORMS)
    for shared in (thread, goroutine):
        assert 0 < shared["counter"] < 6_000
        assert shared["with_mutex"] == shared["with_atomic"] == shared["with_channel"] == 0
    assert process["counter"] == process["with_mutex"] == process["with_atomic"] == 6_000
    assert process["with_channel"] == 0  # one process owns it: messages cross, memory does not


def mended_by(part: str, form: str) -> int:
    kept = {name: int(name == part) for name in ("plain", "locked", "stepped", "sent")}
    return makespan(replay(scenario_program("data_race", 0, {**kept, "increments": 5000}), form, cpus=2))


@pytest.mark.parametrize("form", ["thread", "goroutine"])
def test_mending_a_data_race_costs_least_with_an_atomic(form: str) -> None:
    # an atomic is 6 ns and the line's 60; a mutex is two such steps, and who finds it taken waits; a channel adds the
    # hand-over to the owner, who does all the counting
    plain, locked, stepped, sent = (mended_by(part, form) for part in ("plain", "locked", "stepped", "sent"))
    assert stepped < 1.2 * plain
    assert stepped < locked
    assert stepped < sent


def test_ipc_pays_by_size_and_shared_memory_does_not() -> None:
    # two copies at 110 ns a KiB: 64 KiB cost 14 us a message, 16 B next to nothing
    times = {
        size: [makespan(replay(scenario_program("ipc_or_shared", 0, {"size": size, "messages": 300}), form, cpus=2))
               for form in FORMS]
        for size in ("16B", "64KiB")
    }  # fmt: skip
    small, large = times["16B"], times["64KiB"]
    assert large[0] > 3 * small[0]
    assert large[1] == small[1]
    assert large[2] == small[2]
    assert large[0] > 3 * large[1]


def test_stack_growth_copies_for_goroutines_and_faults_for_threads() -> None:
    # 64 KiB: five doublings from 2 KiB, 0.7 us each and 62 KiB copied at 60 ns, are 7.2 us a goroutine; 15 pages beyond
    # the first, at 0.7 us, are 10.5 us a thread. Processes also fault on pages shared with their parent.
    thread, goroutine = runs("stack_growth")["thread"], runs("stack_growth")["goroutine"]
    assert overhead(goroutine, "stack_growth") == 1000 * (5 * 700 + 62 * 60)
    assert overhead(thread, "stack_growth") == 1000 * 15 * 700


def test_global_queue_starves_nobody() -> None:
    # 2,000 runnable at once and rings of 256: the rest stands in the global queue, looked at every 61st schedtick; each
    # worker has 5 turns, so the longest single wait is well under half of the whole
    run = runs("global_queue")["goroutine"]
    assert run.meta["counters"]["steals"] > 0
    assert 0 < metric(run, "run_queue_delay", "max") < makespan(run) / 2


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_every_scenario_has_a_claim_that_can_be_judged_and_a_short_file(name: str) -> None:
    scenario, claim = scenarios()[name], CLAIMS[name]
    lines = scenario.path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40
    assert lines[0].startswith("# ")
    assert scenario.claim and scenario.look_for
    known = {**runs(name), **{subject: runs(name)["goroutine"] for subject in claim.variants}}
    judged = judge(claim, Figures(known))
    assert len(judged.parts) == len(claim.parts)
    assert len(claim.why) > 100


def test_a_claim_is_judged_by_its_parts() -> None:
    figures = Figures(runs("spawn_storm"))
    true = Part("threads take longer", "thread makespan", "goroutine makespan", 2)
    false = Part("goroutines take longer", "goroutine makespan", "thread makespan", 2)
    for parts, verdict in (((true,), HOLDS), ((true, false), BOUND), ((true, false, false), FAILS), ((false,), FAILS)):
        assert judge(Claim("", parts), figures).verdict == verdict
    assert (
        judge(Claim("", (Part("nothing is copied", "thread overhead_time:ipc_copy", NOTHING),)), figures).verdict
        == HOLDS
    )


def test_what_was_found_and_what_is_needed_read_as_a_sentence() -> None:
    figures = Figures(runs("crash"))
    parts = (
        Part("many", "thread tasks_cut_off", "process tasks_cut_off", 10),
        Part("some", "thread tasks_cut_off", 1),
        Part("none", "process tasks_left_waiting", NOTHING),
        Part("no more than 20 times", "process tasks_cut_off", "thread tasks_cut_off", 0.05),
    )
    judged = judge(Claim("", parts), figures).parts
    assert [(part.found, part.needs, part.holds) for part in judged] == [
        ("17 (threads) to 1 (processes): ×17", "×10 or more", True),
        ("17 (threads)", "1 or more", True),
        ("0 (processes)", NOTHING, True),
        ("17 (threads) to 1 (processes): ×17", "×20 or less", True),
    ]


def test_a_mutex_does_not_cost_goroutines_less_on_two_cpus() -> None:
    # 50 workers, 2 us under the lock and 5 us beside it: while one holds it the others wait, and the second P, with
    # nothing to run, lets its thread sleep; waking that is as dear as waking a thread. So most of the gain is lost,
    # and it takes them no tenth less time.
    figures = Figures(runs("mutex"))
    assert judge(CLAIMS["mutex"], figures).verdict != HOLDS
    assert makespan(runs("mutex")["thread"]) < 1.1 * makespan(runs("mutex")["goroutine"])


def test_the_netpoller_saves_the_threads_that_system_calls_hold() -> None:
    # 100 callers wait 500 us at a time: in a system call each holds an M, on a socket it is parked and none waits
    calls = runs("blocking_syscalls")["goroutine"]
    sockets = replay(scenario_program("blocking_syscalls", 0, {"polled": 1}), "goroutine", cpus=2)
    assert calls.meta["counters"]["threads"] > 5 * sockets.meta["counters"]["threads"]
    assert sockets.meta["counters"]["handoffs"] == 0
    assert makespan(sockets) < makespan(calls) / 2


def test_a_million_increments_without_a_lock() -> None:
    # each form is asked for a million; threads and goroutines keep some, and main sees none of the processes'
    work = scenario_program("data_race", 0, {"increments": 250_000, "locked": 0, "stepped": 0, "sent": 0})
    ends = {form: replay(work, form, cpus=2).meta["variables"][0] for form in FORMS}
    assert {value["asked"] for value in ends.values()} == {1_000_000}
    assert ends["process"]["value"] == 0
    assert set(ends["process"]["by_task"].values()) == {0, 250_000}
    assert 0 < ends["thread"]["value"] < 1_000_000
    assert 0 < ends["goroutine"]["value"] < 1_000_000
