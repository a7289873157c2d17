"""Workloads unrolled by arrays, held against unrolling them step by step; and what a seed promises."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.program.check import check
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import parse_workload
from tracekit.tables.bundle import Program

NAMES = "abcdefgh"
CHANNEL = 60  # its id: events come first
leaf = st.one_of(
    st.tuples(st.just("compute"), st.sampled_from(["5", "i * 7", "1us", "(i + n) * 3", "LOOPS", "size - i"])),
    st.tuples(st.just("sleep"), st.sampled_from(["2us", "i", "size % 7"])),
    st.tuples(st.just("signal"), st.sampled_from(["e[i]", "e[(i + 1) % n]", "e[0]", "e[LOOPS % n]"])),
    st.tuples(st.just("send"), st.just("c")),
    st.just(("yield", "")),
)
tree = st.recursive(
    st.lists(leaf, max_size=4),
    lambda body: st.lists(st.one_of(leaf, st.tuples(st.just("repeat"), st.integers(0, 4), body)), max_size=4),
    max_leaves=12,
)


def toml(steps: list[Any], depth: int = 0) -> str:
    """The steps as TOML; LOOPS is the sum of the loop variables around."""
    loops = f"({' + '.join(NAMES[:depth]) or '0'})"
    parts = []
    for kind, argument, *body in steps:
        if kind == "repeat":
            parts.append(f'{{ repeat = {argument}, as = "{NAMES[depth]}", steps = {toml(body[0], depth + 1)} }}')
        elif kind == "yield":
            parts.append('"yield"')
        else:
            parts.append(f'{{ {kind} = "{argument.replace("LOOPS", loops)}" }}')
    return f"[{', '.join(parts)}]"


def walk(steps: list[Any], names: dict[str, int], depth: int = 0) -> list[tuple[str, int | None, int | None]]:
    """The same steps, one at a time: (kind, duration, object) of each segment."""
    found: list[tuple[str, int | None, int | None]] = []
    i, n, size, loops = names["i"], names["n"], names["size"], sum(names[name] for name in NAMES[:depth])
    values = {"5": 5, "i * 7": i * 7, "1us": 1000, "(i + n) * 3": (i + n) * 3, "LOOPS": loops,
              "size - i": size - i, "2us": 2000, "i": i, "size % 7": size % 7}  # fmt: skip
    events = {"e[i]": i, "e[(i + 1) % n]": (i + 1) % n, "e[0]": 0, "e[LOOPS % n]": loops % n}
    for kind, argument, *body in steps:
        if kind == "repeat":
            for count in range(argument):
                found += walk(body[0], {**names, NAMES[depth]: count}, depth + 1)
        elif kind == "signal":
            found.append((kind, None, events[argument]))
        else:
            found.append((kind, values.get(argument), CHANNEL if kind == "send" else None))
    return found


@settings(max_examples=80)
@given(tree, st.integers(1, 5), st.integers(50, 60))
def test_unrolling_is_that_of_a_step_by_step_reading(steps: list[Any], n: int, size: int) -> None:
    text = f"""
    leaves_waiting = true
    parameters = {{ size = 1 }}
    objects = {{ e = {{ kind = "event", count = {CHANNEL} }}, c = {{ kind = "channel" }} }}
    [tasks.t]
    start = "i * 1us"
    count = {n}
    steps = {toml(steps)}
    """
    program = synthesize(parse_workload(text, where="w"), overrides={"size": size})
    check(program)
    rows = program.frame("segments").select("task_id", pl.col("kind").cast(pl.String), "duration_ns", "object_id")
    for i in range(n):
        mine = rows.filter(pl.col("task_id") == i).drop("task_id").rows()
        assert mine == walk(steps, {"i": i, "n": n, "size": size})
    assert program.frame("tasks")["start_ns"].to_list() == [1000 * i for i in range(n)]


DRAWS = """
seed = 7
[tasks.main]
start = "0ms"
steps = [{ spawn = "a" }, { spawn = "b" }]
EXTRA
[tasks.a]
count = COUNT
steps = [{ repeat = 5, steps = [
  { compute = { exponential = "50us" } }, { sleep = { uniform = ["1us", "2us"] } }, { io = { lognormal = "1ms" } },
] }]
[tasks.b]
steps = [{ repeat = 9, steps = [{ compute = { choice = ["1us", "5us"], weights = [3, 1] } }] }]
"""


def _drawn(extra: str = "", count: int = 3, seed: int | None = None) -> dict[str, list[int]]:
    text = DRAWS.replace("EXTRA", extra).replace("COUNT", str(count))
    return durations(synthesize(parse_workload(text, where="w"), seed=seed))


def durations(program: Program) -> dict[str, list[int]]:
    """The durations of each task by name."""
    named = program.frame("segments").join(program.frame("tasks").select("task_id", "name"), on="task_id")
    named = named.filter(pl.col("duration_ns").is_not_null())
    return {name: part["duration_ns"].to_list() for (name,), part in named.group_by("name")}


@settings(max_examples=20)
@given(st.integers(0, 2**63 - 1), st.integers(3, 20))
def test_a_seed_is_a_program_and_more_tasks_change_nothing_for_the_others(seed: int, count: int) -> None:
    drawn = _drawn(seed=seed)
    assert drawn == _drawn(seed=seed)
    assert drawn["a[0]"] != drawn["a[1]"]
    assert drawn != _drawn(seed=seed ^ 1)
    more = _drawn('[tasks.early]\nstart = 0\nsteps = [{ compute = { exponential = "9us" } }]', count, seed)
    assert {name: more[name] for name in drawn} == drawn


def test_draws_have_the_means_they_are_asked_for() -> None:
    drawn = _drawn(count=4000)
    each = [drawn[f"a[{i}]"] for i in range(4000)]
    computes = [value for one in each for value in one[0::3]]
    sleeps = [value for one in each for value in one[1::3]]
    waits = sorted(value for one in each for value in one[2::3])
    assert abs(sum(computes) / len(computes) - 50_000) < 1_500  # 20000 draws: four standard errors
    assert min(sleeps) >= 1000
    assert max(sleeps) <= 2000
    assert abs(sum(sleeps) / len(sleeps) - 1500) < 10
    assert abs(waits[len(waits) // 2] - 1_000_000) < 40_000
    assert set(drawn["b"]) == {1000, 5000}


def test_arrivals_follow_each_other() -> None:
    text = """
    [tasks.client]
    count = 2000
    start = { poisson = "10us" }
    steps = [{ repeat = 3, steps = [{ arrival = { poisson = "1ms" } }] }]
    """
    program = synthesize(parse_workload(text, where="w"))
    starts = program.frame("tasks")["start_ns"]
    assert starts.is_sorted()
    assert abs(starts[-1] / 2000 - 10_000) < 1_000
    arrivals = program.frame("segments")["duration_ns"].to_numpy().reshape(2000, 3)
    assert (arrivals[:, 1:] >= arrivals[:, :-1]).all()
    assert abs(arrivals[:, 2].mean() - 3_000_000) < 160_000
