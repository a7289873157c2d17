"""The laws of design: what must hold for every program, under every model, on any number of CPUs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.machine.profile import load_profile
from tracekit.program.catalog import scenario_program
from tracekit.program.extract import extract
from tracekit.program.normal_form import normal_form
from tracekit.tables.bundle import Program, Run
from tracekit.tables.checks import ensure
from tracekit.vocabulary import OFF_TASK_OVERHEADS

MODELS = ("process", "thread", "goroutine")
ROOT = Path(__file__).parents[2]

durations = st.integers(0, 30_000_000)
own_steps = st.one_of(
    st.tuples(st.just("compute"), durations),
    st.tuples(st.sampled_from(("sleep", "io", "network", "syscall")), st.integers(0, 3_000_000)),
    st.tuples(st.just("yield")),
    st.tuples(st.just("request")),
    st.tuples(st.just("stack"), st.integers(1, 100_000)),
)
critical = durations.map(lambda ns: [("lock", "m"), ("compute", ns), ("unlock", "m")])
reading = durations.map(lambda ns: [("read_lock", "rw"), ("compute", ns), ("read_unlock", "rw")])
writing = durations.map(lambda ns: [("lock", "rw"), ("compute", ns), ("unlock", "rw")])
blocks = st.lists(st.one_of(own_steps.map(lambda step: [step]), critical, reading, writing), max_size=6)


@st.composite
def programs(draw: Any) -> Program:
    """Main spawns workers; messages flow from each worker to the next; a wait group and joins end it. Nothing can
    deadlock: every receive has its send, or the close, in an earlier worker, and locks do not nest."""
    count = draw(st.integers(1, 6))
    names = [f"w{i}" for i in range(count)]
    tasks: dict[str, list[tuple[Any, ...]]] = {"main": []}
    sizes = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    closed = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    for i, name in enumerate(names):
        steps = [step for block in draw(blocks) for step in block]
        received = [("recv", f"c{i - 1}")] * (sizes[i - 1] + closed[i - 1]) if i else []
        sent = [("send", f"c{i}", draw(st.integers(0, 5000)))] * (sizes[i] if i < count - 1 else 0)
        sent += [("close", f"c{i}")] * closed[i]
        tasks[name] = [*received, *steps, *sent, ("signal", "e"), ("wait_group_done", "g")]
    main = [("wait_group_add", "g", count), *(("spawn", name) for name in names)]
    main += [step for block in draw(blocks) for step in block]
    main += [("wait", "e")] * count + [("wait_group_wait", "g")] + [("join", name) for name in names]
    tasks["main"] = main
    objects = {
        "m": ("mutex", None),
        "rw": ("rwmutex", None),
        "e": ("event", None),
        "g": ("wait_group", None),
        **{f"c{i}": ("channel", draw(st.integers(0, 2))) for i in range(count)},
    }
    return program(tasks, objects)


def _total(frame: pl.DataFrame, column: str) -> int:
    return int(frame[column].sum() or 0)


def _compute_asked(work: Program) -> int:
    return _total(work.frame("segments").filter(pl.col("kind") == "compute"), "duration_ns")


def _on_cpu(run: Run) -> int:
    running = run.frame("intervals").filter(pl.col("state") == "RUNNING")
    return _total(running.select(ns=pl.col("end_ns") - pl.col("start_ns")), "ns")


def _on_task_overhead(run: Run) -> int:
    overheads = run.frame("overheads").with_columns(pl.col("kind").cast(pl.String))
    charged = overheads.filter(pl.col("task_id").is_not_null() & ~pl.col("kind").is_in(OFF_TASK_OVERHEADS))
    return _total(charged, "duration_ns")


def digest(run: Run) -> str:
    """One number for all tables of a run."""
    state = hashlib.sha256()
    for name in sorted(run.tables):
        state.update(_text(run, name))
    return state.hexdigest()


def _text(run: Run, name: str) -> bytes:
    return run.frame(name).with_columns(pl.col(pl.Categorical).cast(pl.String)).write_csv().encode()


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=60)
@given(work=programs(), cpus=st.integers(1, 4), seed=st.integers(0, 1000))
def test_runs_keep_the_laws(model: str, work: Program, cpus: int, seed: int) -> None:
    run = replay(work, model, cpus=cpus, seed=seed)
    assert run.meta["outcome"] == "completed"
    ensure(run)  # no task on two CPUs, no CPU with two tasks, sorted, half open, ids resolve …
    assert run.frame("tasks")["end_ns"].null_count() == 0
    # work is conserved: compute in = on-CPU time out - overhead
    assert _on_cpu(run) - _on_task_overhead(run) == _compute_asked(work)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=40)
@given(work=programs(), cpus=st.integers(1, 3))
def test_extracting_a_replay_gives_the_program_back(model: str, work: Program, cpus: int) -> None:
    wanted, found = normal_form(work), normal_form(extract(replay(work, model, cpus=cpus)))
    assert found.frame("segments").equals(wanted.frame("segments"))
    assert found.frame("tasks").drop("name").equals(wanted.frame("tasks").drop("name"))


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_run(model: str) -> None:
    work = scenario_program("server", seed=7, overrides={"connections": 50})
    assert digest(replay(work, model, seed=3)) == digest(replay(work, model, seed=3))


SETTINGS: dict[str, tuple[str, dict[str, int]]] = {
    "hz": ("eevdf", {"eevdf.hz": 1000, "eevdf.tick_phase_ns": 300_000, "eevdf.skew_tick": 1}),
    "quota": ("eevdf", {"eevdf.quota_ns": 10_000_000, "eevdf.period_ns": 20_000_000}),
    "cfs quota": ("cfs", {"cfs.quota_ns": 10_000_000, "cfs.period_ns": 20_000_000}),
    "6.19": ("eevdf", {"eevdf.version": 619, "eevdf.clip_delayed": 1}),
    "6.6": ("eevdf", {"eevdf.version": 606, "eevdf.delay_dequeue": 0}),
    "footprints": ("eevdf", {"process.cache_model": 2, "process.footprint_bytes": 100_000}),
    "no caches": ("eevdf", {"process.cache_model": 0}),
    "round robin": ("round_robin", {"round_robin.slice_ns": 4_000_000}),
}


def niced(work: Program, values: list[int]) -> Program:
    """The program with nice values given out in turn."""
    table = work.tables["tasks"]
    column = pa.array([values[i % len(values)] for i in range(table.num_rows)], table.schema.field("nice").type)
    table = table.set_column(table.column_names.index("nice"), table.schema.field("nice"), column)
    return Program({**work.tables, "tasks": table}, work.meta)


@pytest.mark.parametrize("name", list(SETTINGS))
@settings(max_examples=8)
@given(work=programs(), cpus=st.integers(1, 3), nice=st.lists(st.integers(-20, 19), min_size=1, max_size=4))
def test_runs_keep_the_laws_whatever_is_set(name: str, work: Program, cpus: int, nice: list[int]) -> None:
    policy, values = SETTINGS[name]
    run = replay(niced(work, nice), "process", cpus=cpus, kernel=policy, parameters=values)  # and tests/checker.py
    assert run.meta["outcome"] == "completed"
    ensure(run)
    assert _on_cpu(run) - _on_task_overhead(run) == _compute_asked(work)


SMALL = {
    "fork_join": {"width": 20, "rounds": 2},
    "server": {"connections": 20},
    "mutex": {"workers": 4},
    "pipeline": {"messages": 40},
    "spawn_storm": {"tasks": 50},
    "blocking_syscalls": {"workers": 4},
}

UNJITTED = """
import json, sys
from tests.property.test_engine_laws import digests
print(json.dumps(digests()))
"""


def _small(name: str) -> Program:
    from tracekit.program.catalog import scenarios
    from tracekit.program.workload import load_workload

    known = load_workload(scenarios()[name].path).parameters
    return scenario_program(name, seed=1, overrides={k: v for k, v in SMALL[name].items() if k in known})


def digests() -> dict[str, str]:
    """Of the six scenarios, small, under each model and each kernel policy."""
    out = {f"{name} {model}": digest(replay(_small(name), model, seed=5)) for name in SMALL for model in MODELS}
    for policy in ("fifo", "round_robin", "cfs"):
        out[policy] = digest(replay(_small("fork_join"), "thread", kernel=policy))
    weighted = niced(_small("mutex"), [-5, 0, 3])
    for name, (policy, values) in SETTINGS.items():
        out[name] = digest(replay(weighted, "process", kernel=policy, parameters=values))
    return out


def test_without_the_jit_the_same_bytes() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", UNJITTED], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == digests()


@settings(max_examples=30)
@given(work=programs())
def test_one_cpu_without_costs_takes_the_sum_of_all_computing_and_idling(work: Program) -> None:
    run = replay(work, "thread", cpus=1, profile=free_profile())
    assert _on_cpu(run) == _compute_asked(work)
    assert run.meta["end_ns"] >= _compute_asked(work)


def test_memory_returns_to_where_it_began() -> None:
    run = replay(scenario_program("spawn_storm", seed=0), "thread", profile=load_profile())
    assert run.frame("memory")["resident_bytes"][-1] == 0
    assert run.frame("memory")["virtual_bytes"][-1] == 0
