"""Every mistake in a workload file is one line that names the file, the line, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.errors import WorkloadError
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import load_workload, parse_workload

FILE = """\
# lock = "nothing": a comment is no step
name = "mistakes"
[parameters]
rounds = 3
[objects.jobs]
kind = "channel"
capacity = 4
[objects.m]
kind = "mutex"
count = 2
[objects.all]
kind = "wait_group"
[tasks.main]
start = "0ms"
steps = [
  { spawn = "worker" }, # { lock = "m" }
  { compute = "10us" },
  STEP,
  "yield",
]
[tasks.worker]
count = 3
steps = [{ sleep = "1ms" }]
"""
LINE = 18  # of STEP
# A step without a word to look for is placed at the step before it, a wrong number of repeats at its task.
ELSEWHERE = {"7": 17, '{ repeat = "rounds - 4", steps = ["yield"] }': 13}

STEPS = {
    '{ computee = "1us" }': "unknown step 'computee'; did you mean 'compute'?",
    '"yeld"': "unknown step 'yeld'; did you mean 'yield'?",
    '"lock"': "lock needs an argument; write { lock = ... }",
    '{ yield = 1 }': 'yield takes no argument; write "yield"',
    "7": 'a step is a table such as { compute = "1ms" } or a word; got 7',
    '{ compute = "1us", lock = "m[0]" }': "a step does one thing; got compute and lock",
    '{ compute = "1us", bytes = 3 }': "unknown option of compute 'bytes'",
    '{ lock = "mm" }': "unknown object 'mm'; did you mean 'm'?",
    '{ lock = "m" }': "there are 2 of 'm'; say which, for example \"m[i]\"",
    '{ lock = "m[i + 2]" }': "m[i + 2] is m[2] in instance 0 of main, and there are 2",
    '{ lock = "m[rouns]" }': "unknown name 'rouns'; did you mean 'rounds'?",
    '{ lock = "m(0)" }': "'m(0)' is no name of an object",
    '{ send = "m[0]" }': "send needs a channel; 'm' is a mutex",
    '{ send = "jobs", bytes = "1XB" }': "'1XB' is not a size",
    '{ join = "workers" }': "unknown task 'workers'; did you mean 'worker'?",
    '{ spawn = "worker[1]" }': "worker[1] is spawned a second time",
    '{ spawn = "main" }': "main is spawned but has a start",
    '{ unlock = "m[0]" }': "unlock of m[0] without having taken it",
    '{ lock = "m[0]" }, { lock = "m[0]" }': "lock of m[0] which it already holds: it would wait for itself",
    '{ read = "counter" }': "unknown object 'counter'; declare it: [objects.counter] with its kind",
    '{ write = "jobs" }': "write needs a variable; 'jobs' is a channel",
    '{ crash = 1 }': 'crash takes no argument; write "crash"',
    '{ join = "main" }': "join of main, by itself",
    '{ recv = "jobs" }': "recv of jobs waits for ever: 1 receive, 0 send; or write leaves_waiting = true",
    '{ repeat = 5, steps = [{ send = "jobs" }] }': "send of jobs waits for ever: 5 send, 0 receive, room for 4",
    '{ wait_group_done = "all" }': "all goes below zero: 1 done, 0 added",
    '{ wait_group_add = "all" }, { wait_group_wait = "all" }': "wait_group_wait of all waits for ever: fewer are done",
    '{ compute = "3 parsecs" }': "'3 parsecs' is not a duration",
    '{ compute = "2us - 3us" }': "'2us - 3us' gives -1000; it must not be negative",
    '{ compute = "1us / (rounds - 3)" }': "divides by zero",
    '{ compute = "1us +" }': "ends where a number or a name is expected",
    '{ compute = "(1us" }': "a parenthesis is not closed",
    '{ compute = "1us ; 2us" }': "unexpected ';'",
    '{ compute = -5 }': "-5 is out of range",
    '{ compute = "4000000000s * 1000" }': "is out of range",
    '{ compute = true }': "True is neither a number nor a text",
    '{ compute = { normal = "1us" } }': "a distribution is one of constant, uniform",
    '{ compute = { uniform = "1us" } }': "uniform takes [low, high]",
    '{ compute = { uniform = ["5us", "1us"] } }': "uniform has its low above its high",
    '{ compute = { exponential = "1us", sigma = 2 } }': "exponential takes no 'sigma'",
    '{ compute = { choice = ["1us", "2us"], weights = [1] } }': "choice needs one weight for each of its 2 values",
    '{ compute = { choice = ["1us"], weights = [0] } }': "the weights of choice add up to zero",
    '{ compute = { lognormal = "1s", sigma = 1e9 } }': "a draw from lognormal is out of range",
    '{ compute = { poisson = "1us" } }': "poisson gives times of arrival",
    '{ repeat = "i", steps = ["yield"] }': "repeat can't depend on i",
    '{ repeat = 2, as = "k", steps = [{ repeat = "k", steps = ["yield"] }] }': "repeat can't depend on a loop variable",
    '{ repeat = 3, as = "i", steps = [] }': "the name 'i' is taken",
    '{ repeat = 3, as = "2", steps = [] }': "as names a loop variable; got '2'",
    '{ repeat = 3, step = [] }': "unknown option of repeat 'step'; did you mean 'steps'?",
    '{ repeat = 3, steps = "yield" }': "steps must be a list",
    '{ repeat = "rounds - 4", steps = ["yield"] }': "repeat is -1",
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_wrong_step(step: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        synthesize(parse_workload(FILE.replace("STEP", step), where="w.toml"))
    assert STEPS[step] in str(caught.value)
    assert caught.value.where == f"w.toml:{ELSEWHERE.get(step, LINE)}"
    assert "\n" not in str(caught.value)


OTHERS = {
    ("[objects.jobs]\nkind", "[objects.jobs]\nkindd"): (6, "unknown key of an object 'kindd'; did you mean 'kind'?"),
    ('"channel"', '"chanel"'): (6, "unknown kind of object 'chanel'; did you mean 'channel'?"),
    ('kind = "mutex"', 'kind = "mutex"\ncapacity = 2'): (10, "a mutex has no capacity; only channel and semaphore"),
    ("rounds = 3", 'rounds = "many"'): (4, "parameter rounds: 'many' is no number, duration or size"),
    ("rounds = 3", "i = 3"): (4, "a parameter can't be called 'i'"),
    ("[parameters]", "[parameter]"): (3, "unknown key 'parameter'; did you mean 'parameters'?"),
    ('start = "0ms"', 'begin = "0ms"'): (14, "unknown key of a task 'begin'"),
    ('start = "0ms"', ""): (13, "main never starts: it has no start, and nothing spawns it"),
    ('{ spawn = "worker" },', ""): (20, "worker[0] never starts: it has no start, and nothing spawns it"),
    ("count = 3", 'count = "rounds - 5"'): (20, "count of worker is -2; it must be from 0"),
    ("count = 3", "count = 300000000"): (20, "count of worker is 300000000; it must be from 0 to"),
    ("count = 3", "count = 3\ncount = 4"): (22, "not TOML: Cannot overwrite a value"),
    ('name = "mistakes"', "name = 3"): (2, "name is 3; a text is expected"),
    ('name = "mistakes"', "seed = -1"): (2, "seed is -1; a whole number from 0 is expected"),
}  # fmt: skip


@pytest.mark.parametrize("change", OTHERS)
def test_a_mistake_elsewhere(change: tuple[str, str]) -> None:
    line, text = OTHERS[change]
    written = FILE.replace("  STEP,\n", "").replace(*change, 1)
    with pytest.raises(WorkloadError) as caught:
        synthesize(parse_workload(written, where="w.toml"))
    assert text in str(caught.value)
    assert caught.value.where == f"w.toml:{line}"


def test_a_cycle_of_spawns_never_starts() -> None:
    text = '[tasks.main]\nstart = 0\n[tasks.a]\nsteps = [{ spawn = "b" }]\n[tasks.b]\nsteps = [{ spawn = "a" }]\n'
    with pytest.raises(WorkloadError, match=r"w:3: a never starts: it is spawned by a task that it spawns"):
        synthesize(parse_workload(text, where="w"))


def test_too_many_segments_are_refused_with_their_count() -> None:
    text = '[tasks.main]\nstart = 0\nsteps = [{ repeat = 100000, steps = [{ repeat = 100000, steps = ["yield"] }] }]\n'
    with pytest.raises(WorkloadError, match=r"10,000,000,000 segments .* at most 200,000,000"):
        synthesize(parse_workload(text, where="w"))


@pytest.mark.parametrize("steps", ["[" * 60 + "]" * 60, "[" * 5000 + "]" * 5000])
def test_deep_nesting_is_refused(steps: str) -> None:
    with pytest.raises(WorkloadError):
        parse_workload(f"[tasks.main]\nstart = 0\nsteps = {steps}\n", where="w")
    nested = "{ repeat = 1, steps = [" * 40 + "] }" * 40
    with pytest.raises(WorkloadError, match="nested deeper than 20"):
        parse_workload(f"[tasks.main]\nstart = 0\nsteps = [{nested}]\n", where="w")


def test_a_file_that_is_no_workload(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="can't read the workload"):
        load_workload(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkloadError, match="not UTF-8"):
        load_workload(tmp_path / "binary.toml")
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(WorkloadError, match="no tasks"):
        load_workload(tmp_path / "empty.toml")


def test_waiting_for_ever_can_be_meant() -> None:
    text = "leaves_waiting = true\n" + FILE.replace("STEP", '{ recv = "jobs" }')
    program = synthesize(parse_workload(text, where="w"))
    assert "recv of jobs waits for ever" in program.meta["policies"][0]["choice"]


def test_a_join_of_a_task_that_nothing_spawns_is_named_where_it_is() -> None:
    text = FILE.replace("STEP", '{ join = "lost" }') + '[tasks.lost]\nsteps = ["yield"]\n'
    with pytest.raises(WorkloadError) as error:
        synthesize(parse_workload(text, where="w.toml"))
    assert str(error.value).startswith(f"w.toml:{LINE}: join of lost, which nothing spawns")
