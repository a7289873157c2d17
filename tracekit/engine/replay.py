"""Replay: a program under a model on a machine gives a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from tracekit import __version__
from tracekit.engine import blast, failure, kernel, loop, setup, variables
from tracekit.engine import state as st
from tracekit.engine.bounds import ensure_within
from tracekit.engine.recorder import BUFFERS, Chunks, Recorder, Sink, task_table
from tracekit.errors import ModelError, UsageError
from tracekit.jit import cached_njit
from tracekit.machine.profile import Profile, load_profile
from tracekit.models.catalog import find_kernel, find_model
from tracekit.models.model import KernelPolicy, Model, Sizes, foreign_files, own, resolve
from tracekit.tables.build import empty
from tracekit.tables.bundle import Program, Run
from tracekit.vocabulary import REASONS

MAX_CPUS = 4096
ERRORS = {
    kernel.BAD_CPU: "select_cpu chose CPU {value} for task {task}, which does not exist",
    kernel.BAD_PICK: "pick_next chose thread {value} (task {task}), which is not runnable",
    kernel.BAD_PULL: "balance chose thread {value} (task {task}), which is not runnable",
    kernel.BAD_PUSH: "rebalance chose thread {value} (task {task}), which is not runnable",
    kernel.BAD_PUSH_CPU: "rebalance moved task {task} to CPU {value}, which does not exist",
    kernel.OVERFLOW: "simulated time went beyond 2^52 ns (52 days)",
    kernel.FORGOTTEN: "pick_next on CPU {value} and balance left task {task} runnable for 1 s while a CPU idles",
    kernel.LEFT_BEHIND: "pick_next on CPU {value} and balance left task {task} runnable, and nothing else happens",
    kernel.STARVED: "pick_next found no thread on CPU {value} although some are queued there",
    kernel.BAD_TASK: "next_task chose task {task} for thread {value}, which is not a runnable task of the runtime",
    kernel.NOT_HELD: "task {task} unlocks {thing}, which it does not hold",
    kernel.NEGATIVE: "task {task} takes wait group {thing} below zero",
    kernel.NO_THREADS: "the runtime needs more than {value} kernel threads, which is its limit",
    kernel.NOT_BLOCKED: "thread {value} was woken although it was not blocked",
}
Progress = Callable[[int, int], None]  # (tasks ended, tasks in all)


@cache
def compiled_run(model: Model, policy: KernelPolicy) -> Callable[..., int]:
    """The loop, compiled for one runtime and one policy; cached by their sources."""
    return cached_njit(loop.run, extra=foreign_files(model, policy))


def replay(
    program: Program,
    model: str = "thread",
    *,
    cpus: int = 2,
    profile: Profile | None = None,
    seed: int = 0,
    kernel: str | None = None,
    parameters: Mapping[str, int] | None = None,
    crash: failure.Crash | None = None,
    progress: Progress | None = None,
    sink: Sink | None = None,
) -> Run:
    """Replay a program under a model.

    `kernel` swaps the kernel policy; `parameters` by full name, such as goroutine.preempt_ns. The same arguments
    give the same run on every machine. Raises UsageError (model, CPUs, parameters) and ModelError (a rule broken
    by the program or the model, with the event's number and time). A deadlock is a result: see meta["outcome"].
    `crash` is a fault from outside; UsageError if there is nothing that it could hit. What a crash took with it is in
    meta["failure"] (blast.radius), what became of variables in meta["variables"] (variables.outcome).

    With a `sink`, such as tables.stream.BundleWriter(folder, "run"), rows go there while the run lasts and are not
    kept: the run that is returned has its tasks and its meta (for the writer's `finish`), and no other rows.
    """
    if not 1 <= cpus <= MAX_CPUS:
        raise UsageError(f"{cpus} CPUs", remedy=f"give 1 to {MAX_CPUS}")
    chosen = find_model(model)
    policy = find_kernel(kernel) if kernel else chosen.kernel
    profile = profile or load_profile()
    values = resolve(chosen, policy, parameters or {})
    struck = failure.target(program, crash) if crash else st.NONE
    sim, starts, fan_out, runtime_state, kernel_state = _states(
        program, chosen, policy, cpus, profile, seed, values, struck
    )
    if crash:
        sim.world.crash_task[:], sim.world.crash_at[:] = struck, crash.at_ns
    kept = Chunks()
    recorder = Recorder(sim, starts, sink or kept)
    run = compiled_run(chosen, policy)
    status = loop.FLUSH
    while status == loop.FLUSH:
        status = int(run(runtime_state, kernel_state, sim, fan_out))
        recorder.flush()
        if progress:
            progress(len(sim.tasks) - int(sim.world.live[0]), len(sim.tasks))
    if status == loop.FAILED:
        _raise(sim, program)
    _close(sim, status)
    recorder.flush()
    if crash and not sim.world.struck[0]:
        raise failure.missed(program, sim, struck, crash.at_ns)
    if sim.world.cut[0]:
        blast.close(sim)
    meta = _meta(program, chosen, policy, cpus, seed, profile, values, sim, status)
    meta |= {"failure": blast.radius(program, sim), "variables": variables.outcome(program, sim, starts)}
    tasks = task_table(program, chosen.form, sim)
    if sink:
        sink.append("tasks", tasks)
    tables = {"tasks": tasks, "gaps": empty("gaps"), **{name: kept.whole(name) for name in BUFFERS}}
    return Run(tables, meta)


def _states(
    program: Program,
    model: Model,
    policy: KernelPolicy,
    cpus: int,
    profile: Profile,
    seed: int,
    values: dict[str, int],
    struck: int = st.NONE,
) -> tuple[st.Sim, Any, int, Any, Any]:
    runtime_values = own(values, model.name)
    hosted = model.runtime.hosted
    count = int(np.count_nonzero(program.tables["tasks"]["converted"].to_numpy(zero_copy_only=False)))
    own_threads = model.runtime.threads(count, cpus, runtime_values) if hosted else 0
    figures = {name: profile.value(name) for name in profile.costs}
    policy_values = own(values, policy.name)
    if policy_values.get("hz"):
        figures["tick_period_ns"] = 1_000_000_000 // policy_values["hz"]
    policy_values |= {name: figures[name] for name in ("tick_period_ns", "wakes_spread", "newidle_pulls")}
    cost_rows = setup.costs(figures, model.form)
    if model.runtime.costs:
        model.runtime.costs(cost_rows, runtime_values)
    sim, starts, fan_out = setup.new_sim(
        program, cpus=cpus, cost_rows=cost_rows, hosted=hosted,
        own_space=model.own_space, own_threads=own_threads, seed=seed,
        crashes=struck >= 0, min_capacity=runtime_values.get("min_capacity", 0),
    )  # fmt: skip
    ensure_within(program, sim.segments, starts)
    world = sim.world
    setup.machine_rules(sim, policy_values)
    world.cache_model[:] = runtime_values.get("cache_model", st.CACHE_MIGRATION)
    setup.footprints(sim, program, runtime_values.get("footprint_bytes", 0) or figures["footprint_bytes"])
    world.lock_handoff_ns[:] = runtime_values.get("lock_handoff_ns", 0)
    world.main_returns[:] = bool(program.meta.get("main_returns"))
    if model.own_space:
        world.resident[:] = setup.pipe_memory(program)
    if model.form == "goroutine":
        world.resident[:] = figures["go_runtime_resident_bytes"]
        world.virtual[:] = figures["go_runtime_virtual_bytes"]
    sizes = Sizes(len(sim.tasks), len(sim.threads), own_threads, cpus)
    return sim, starts, fan_out, model.runtime.state(sizes, runtime_values), policy.state(sizes, policy_values)


def _raise(sim: st.Sim, program: Program) -> None:
    world = sim.world[0]
    task = int(world.error_task)
    names = program.tables["tasks"]["name"]
    named = f"{task} ({names[task].as_py()})" if 0 <= task < len(names) else str(task) if task >= 0 else "none"
    value = int(world.error_value)
    what = ERRORS[int(world.error)].format(task=named, value=value, thing=_thing(program, value))
    raise ModelError(what, where=f"event {int(world.events)} at {int(world.now)} ns")


def _thing(program: Program, thing: int) -> str:
    """An object by its name in the workload, or else by its id."""
    names = program.tables["objects"]["name"]
    return str((names[thing].as_py() if 0 <= thing < len(names) else None) or f"object {thing}")


def _awaited(program: Program, sim: st.Sim, task: int) -> str:
    target = int(sim.tasks.waits_on[task])
    if sim.tasks.reason[task] == st.R_JOIN:
        return f"{program.tables['tasks']['name'][target].as_py()} (task {target})"
    return _thing(program, target)


def _close(sim: st.Sim, status: int) -> None:
    """The intervals that were open when the run ended."""
    world = sim.world[0]
    if status == loop.FINISHED:
        end = int(world.end_ns)
    else:
        end = int(world.now)
        world.end_ns = end
    open_ones = np.flatnonzero((sim.tasks.state != st.NEW) & (sim.tasks.state != st.EXITED) & (sim.tasks.since < end))
    rows = sim.intervals[: len(open_ones)]
    for field, source in (("start_ns", "since"), ("cpu", "cpu"), ("thread_id", "thread"), ("state", "state"),
                          ("reason", "reason")):  # fmt: skip
        rows[field][:] = sim.tasks[source][open_ones]
    rows.task_id[:] = open_ones
    rows.end_ns[:] = end
    world.intervals = len(rows)
    _free_the_ended(sim)


def _free_the_ended(sim: st.Sim) -> None:
    """What ended tasks held, and the kernel still had when the run ended."""
    world = sim.world[0]
    task = int(world.freed_head)
    held = 0
    while task >= 0:
        held += int(sim.tasks.resident[task])
        task = int(sim.tasks.next[task])
    if held:
        world.resident -= held
        sim.memory[0] = (max(int(world.end_ns), int(world.memory_at)), world.resident, world.virtual)
        world.memory = 1


def _outcome(program: Program, sim: st.Sim, status: int) -> tuple[str, str]:
    if sim.world.crashed[0]:
        return "crashed", blast.told(program, sim)
    if status == loop.FINISHED:
        return "completed", ""
    stuck = np.flatnonzero((sim.tasks.state == st.BLOCKED) & (sim.tasks.converted == 1))
    names = program.tables["tasks"]["name"]
    told = [
        f"{names[int(task)].as_py()} (task {task}) waits for {REASONS.names[int(sim.tasks.reason[task])]}"
        f" on {_awaited(program, sim, int(task))}"
        for task in stuck[:5]
    ]
    never = int(np.count_nonzero((sim.tasks.state == st.NEW) & (sim.tasks.converted == 1)))
    more = [f"and {len(stuck) - 5} more"] if len(stuck) > 5 else []
    queued = int(np.count_nonzero((sim.tasks.state == st.RUNNABLE) & (sim.tasks.converted == 1)))
    if queued:
        more.append(f"{queued} wait for a thread to run on")
    if never:
        more.append(f"{never} {'tasks were' if never > 1 else 'task was'} never spawned")
    return "deadlock", "; ".join(told + more)


def _meta(
    program: Program, model: Model, policy: KernelPolicy, cpus: int, seed: int, profile: Profile,
    values: dict[str, int], sim: st.Sim, status: int,
) -> dict[str, Any]:  # fmt: skip
    world = sim.world[0]
    outcome, detail = _outcome(program, sim, status)
    counted = ("migrations", "steals", "handoffs", "threads", "task_switches")
    return {
        "model": model.name,
        "kernel_policy": policy.name,
        "runtime": model.runtime.name,
        "form": model.form,
        "cpus": cpus,
        "seed": seed,
        "profile": profile.meta(),
        "parameters": values,
        "program": program.meta,
        "end_ns": int(world.end_ns),
        "done": {"at_ns": int(world.done_ns), "context_switches": int(world.done_switches)},
        "events": int(world.events),
        "outcome": outcome,
        "outcome_detail": detail,
        "counters": {
            "context_switches_voluntary": int(world.voluntary),
            "context_switches_involuntary": int(world.involuntary),
            **{name: int(world[name]) for name in counted},
        },
        "tool_version": __version__,
    }
