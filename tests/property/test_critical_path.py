"""What the critical path promises, on generated programs: work on it moves the end, work off it does not.

In the first family of programs every task has a CPU of its own and what it waits for is one other task: then the end is
the longest chain of work and sleeps, and nothing else (a max-plus system). Durations come from a seed, so that no two
chains are equally long. In the second all share one CPU and nobody sleeps: then everything is on the path.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs import free_profile, program
from tests.property.test_engine_laws import programs
from tracekit.analysis.blame import blame
from tracekit.analysis.critical_path import critical_path, slacks
from tracekit.analysis.history import RUNNABLE, RUNNING, history
from tracekit.analysis.queues import queues
from tracekit.analysis.tasks import tasks
from tracekit.engine.replay import replay
from tracekit.tables.build import table
from tracekit.tables.bundle import Program, Run

Steps = list[tuple[Any, ...]]
MODELS = ("thread", "goroutine")


def chains(seed: int, *, sleeps: bool) -> Program:
    """Main spawns workers; each works, takes from the one before it and gives to the next; main joins them all."""
    chance = random.Random(seed)
    count = chance.randint(1, 5)

    def work() -> Steps:
        kinds = ("compute", "compute", "sleep") if sleeps else ("compute",)
        steps = chance.randint(0 if sleeps else 1, 3)  # where tasks share a CPU, none does a step in no time at all
        return [(chance.choice(kinds), chance.randint(1_000, 3_000_000)) for _ in range(steps)]

    steps: dict[str, Steps] = {"main": []}
    messages = [chance.randint(0, 4) for _ in range(count)]
    for i in range(count):
        own = work()
        for _ in range(messages[i - 1] if i else 0):
            own += [("recv", f"c{i - 1}"), *work()]
        for _ in range(messages[i] if i + 1 < count else 0):
            own += [*work(), ("send", f"c{i}", 8)]
        steps[f"w{i}"] = [*own, *work(), ("wait_group_done", "g")]
    main = [("wait_group_add", "g", count)]
    for i in range(count):
        main += [*work(), ("spawn", f"w{i}")]
    steps["main"] = [*main, *work(), ("wait_group_wait", "g"), *(("join", f"w{i}") for i in range(count)), *work()]
    objects: dict[str, tuple[str, int | None]] = {"g": ("wait_group", None)}
    return program(steps, objects | {f"c{i}": ("channel", 1000) for i in range(count)})


def shortened(work: Program, row: int, by_ns: int) -> Program:
    segments = work.frame("segments").with_row_index("row")
    cut = pl.when(pl.col("row") == row).then(pl.col("duration_ns") - by_ns).otherwise("duration_ns")
    frame = segments.with_columns(duration_ns=cut).drop("row")
    changed = table("segments", {name: frame[name].to_arrow() for name in frame.columns})
    return Program(work.tables | {"segments": changed}, work.meta)


def end_of(run: Run) -> int:
    assert run.meta["outcome"] == "completed"
    return int(run.meta["end_ns"])


def computed(work: Program, run: Run) -> list[tuple[int, int, int, int]]:
    """(segment row, task, from, until): in between, the task's RUNNING time is that one compute step."""
    places = []
    done = {
        (task, ordinal): at
        for task, ordinal, at in run.frame("operations").select("task_id", "ordinal", "at_ns").iter_rows()
    }
    rows = work.frame("segments").with_row_index("row").with_columns(pl.col("kind").cast(pl.String))
    for row, task, ordinal, kind, duration in rows.select(
        "row", "task_id", "ordinal", "kind", "duration_ns"
    ).iter_rows():
        lone = (task, ordinal - 1) in done or ordinal == 0
        if kind == "compute" and duration > 1 and lone and (task, ordinal + 1) in done:
            places.append((row, task, done.get((task, ordinal - 1), 0), done[task, ordinal + 1]))
    return places


def on_path(run: Run, task: int, since: int, until: int) -> int:
    """How many ns of the task's compute between the two times are on the path."""
    pieces = critical_path(history(run)).tables["segments"].rows
    pieces = pieces.filter((pl.col("task_id") == task) & (pl.col("kind") == "compute"))
    end = pl.col("start_ns") + pl.col("duration_ns")
    shared = pieces.select(pl.min_horizontal(end, pl.lit(until)) - pl.max_horizontal("start_ns", pl.lit(since)))
    return int(shared.to_series().clip(lower_bound=0).sum())


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=40)
@given(seed=st.integers(0, 1 << 30), pick=st.integers(0, 1 << 30))
def test_shortening_moves_the_end_exactly_if_it_is_on_the_path(model: str, seed: int, pick: int) -> None:
    work = chains(seed, sleeps=True)
    run = replay(work, model, cpus=8, profile=free_profile())
    places = computed(work, run)
    if not places or (history(run).lives.state == RUNNABLE).any():
        return  # the law is about programs in which nobody waits for a CPU
    row, task, since, until = places[pick % len(places)]
    shared = on_path(run, task, since, until)
    after = end_of(replay(shortened(work, row, 1), model, cpus=8, profile=free_profile()))
    assert after == end_of(run) - (shared > 0)
    if not shared:  # however much it is shortened
        duration = int(work.frame("segments")["duration_ns"][row])
        assert end_of(replay(shortened(work, row, duration - 1), model, cpus=8, profile=free_profile())) == end_of(run)


@settings(max_examples=25)
@given(seed=st.integers(0, 1 << 30), pick=st.integers(0, 1 << 30), share=st.floats(0.1, 1))
def test_on_one_cpu_without_sleeps_all_is_on_the_path(seed: int, pick: int, share: float) -> None:
    work = chains(seed, sleeps=False)
    run = replay(work, "thread", cpus=1, profile=free_profile())
    places = computed(work, run)
    found = critical_path(history(run)).facts
    assert found["compute_ns"] == found["end_ns"] == end_of(run)
    if places:
        row = places[pick % len(places)][0]
        less = max(1, int(share * (int(work.frame("segments")["duration_ns"][row]) - 1)))
        after = end_of(replay(shortened(work, row, less), "thread", cpus=1, profile=free_profile()))
        assert after == end_of(run) - less


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=30)
@given(work=programs(), cpus=st.integers(1, 3))
def test_laws_of_every_run(model: str, work: Program, cpus: int) -> None:
    """The path fills the time, has no slack, and blame and queues account for every nanosecond of waiting."""
    seen = history(replay(work, model, cpus=cpus))
    found = critical_path(seen)
    pieces = found.tables["segments"].rows
    ends = pieces["start_ns"] + pieces["duration_ns"]
    assert pieces["start_ns"].to_list() == [0, *ends.to_list()[:-1]]
    assert not len(ends) or ends[-1] == seen.end_ns
    check_slack(seen, pieces)
    check_waits(seen)


def check_slack(seen: Any, pieces: pl.DataFrame) -> None:
    lives, slack = seen.lives, slacks(seen, seen.end_ns)
    running = lives.state == RUNNING
    assert (slack[running] >= 0).all()
    of = {(int(lives.task[i]), int(lives.start[i])): int(slack[i]) for i in np.flatnonzero(running)}
    starts = pieces.filter(pl.col("kind") == "compute").select("task_id", "start_ns").rows()
    assert all(of[start] == 0 for start in starts)


def check_waits(seen: Any) -> None:
    rows = tasks(seen).tables["tasks"].rows
    accused = blame(seen)
    queued = accused.tables["queued"].rows.group_by("waiter_id").agg(pl.col("runnable_ns").sum())
    both = rows.join(queued, left_on="task_id", right_on="waiter_id", how="left")
    assert both["runnable_ns"].to_list() == both["runnable_ns_right"].fill_null(0).to_list()
    assert accused.facts["blocked_ns"] == int(rows["blocked_ns"].sum())
    counted = queues(seen)
    levels = counted.tables["levels"].rows.filter(pl.col("what") == "running")
    within = int((levels["level"] * levels["time_ns"]).sum())
    assert within == int(rows["running_ns"].sum())
