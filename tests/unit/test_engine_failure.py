"""What a crash takes with it, worked out by hand on a machine where nothing costs anything, and main's return."""

from __future__ import annotations

from typing import Any

import pytest

from tests.programs import free_profile, program
from tracekit.engine.failure import Crash
from tracekit.engine.replay import replay
from tracekit.errors import UsageError
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import parse_workload
from tracekit.tables.bundle import Program, Run
from tracekit.tables.checks import ensure
from tracekit.vocabulary import FORMS

MS = 1_000_000
SHARED = ("thread", "goroutine")


def run(made: Program, form: str, crash: Crash | None = None, cpus: int = 4) -> Run:
    done = replay(made, form, cpus=cpus, profile=free_profile(), crash=crash)
    ensure(done)
    return done


def radius(done: Run, *names: str) -> tuple[Any, ...]:
    found = done.meta["failure"]
    return tuple(found[name] for name in names)


def ends(done: Run) -> dict[str, tuple[int | None, str | None]]:
    tasks = done.frame("tasks")
    return {name: (end, how) for name, end, how in tasks.select("name", "end_ns", "exit_reason").iter_rows()}


BESIDE = program({
    "faulty": [("compute", 2 * MS), ("crash",), ("compute", 7 * MS), ("request",)],
    "other": [("compute", 5 * MS), ("request",)],
})  # fmt: skip


def test_a_process_crashes_alone() -> None:
    done = run(BESIDE, "process")
    assert ends(done) == {"faulty": (2 * MS, "crash"), "other": (5 * MS, "exit")}
    # what came after the fault is lost: 7 ms and a request
    assert radius(done, "tasks_ended", "tasks_waiting", "work_lost_ns", "requests_lost") == (1, 0, 7 * MS, 1)
    assert done.meta["outcome"] == "crashed"


@pytest.mark.parametrize("form", SHARED)
def test_a_shared_address_space_goes_as_a_whole(form: str) -> None:
    done = run(BESIDE, form)
    assert ends(done) == {"faulty": (2 * MS, "crash"), "other": (2 * MS, "killed")}
    # the other had 3 of its 5 ms left
    assert radius(done, "tasks_ended", "work_lost_ns", "requests_lost") == (2, 10 * MS, 2)


PIPE = {"pipe": ("channel", 1)}


def test_a_reader_sees_its_pipe_closed_when_the_writer_is_gone() -> None:
    made = program({
        "writer": [("send", "pipe", 8), ("compute", 2 * MS), ("crash",), ("send", "pipe", 8)],
        "reader": [("recv", "pipe"), ("recv", "pipe"), ("compute", 3 * MS)],
    }, PIPE)  # fmt: skip
    done = run(made, "process")
    assert ends(done)["reader"] == (2 * MS, "exit")  # end of file: nothing more to do
    assert radius(done, "tasks_ended", "tasks_waiting", "work_lost_ns") == (2, 0, 3 * MS)


def test_a_writer_is_killed_when_nobody_reads_its_pipe_any_more() -> None:
    made = program({
        "writer": [("send", "pipe", 1 << 20), ("send", "pipe", 1 << 20), ("send", "pipe", 1 << 20)],
        "reader": [("compute", 2 * MS), ("crash",), ("recv", "pipe"), ("recv", "pipe"), ("recv", "pipe")],
    }, PIPE)  # fmt: skip
    done = run(made, "process")
    assert ends(done)["writer"] == (2 * MS, "killed")  # it waited for room; SIGPIPE


def test_who_waits_for_a_lock_of_the_dead_waits_for_ever() -> None:
    made = program({
        "holder": [("lock", "m"), ("compute", 2 * MS), ("crash",), ("unlock", "m")],
        "waiter": [("compute", 1 * MS), ("lock", "m"), ("unlock", "m")],
    }, {"m": ("mutex", None)})  # fmt: skip
    done = run(made, "process")
    assert radius(done, "tasks_ended", "tasks_waiting") == (1, 1)


def test_who_joins_the_dead_goes_on() -> None:
    made = program({"main": [("spawn", "child"), ("join", "child"), ("compute", 1 * MS)], "child": [("crash",)]})
    assert ends(run(made, "process"))["main"] == (1 * MS, "exit")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("state", ["running", "queued", "asleep", "waiting for a message", "joining"])
def test_a_crash_from_outside_strikes_in_any_state(form: str, state: str) -> None:
    steps = {
        "running": [("compute", 9 * MS)], "queued": [("compute", 9 * MS)], "asleep": [("sleep", 9 * MS)],
        "waiting for a message": [("recv", "pipe")], "joining": [("join", "other")],
    }[state]  # fmt: skip
    made = program({
        "other": [("compute", 6 * MS), *([("send", "pipe", 8)] if ("recv", "pipe") in steps else [])],
        "target": steps,
    }, {"pipe": ("channel", 4)})  # fmt: skip
    done = run(made, form, Crash("target", 3 * MS), cpus=1 if state == "queued" else 2)
    end, how = ends(done)["target"]
    assert how == "crash"
    assert end is not None
    # a process dies when it next has a CPU; waking up is free here, so only the one in a queue has to wait
    assert end == 3 * MS or (state == "queued" and form == "process" and 3 * MS <= end <= 9 * MS)
    alone = form == "process" and state != "waiting for a message"  # then nobody reads what the other writes
    assert ends(done)["other"][1] == ("exit" if alone else "killed")


def test_a_crash_aimed_at_nothing_says_why() -> None:
    made = program({"main": [("sleep", 5 * MS), ("spawn", "late"), ("join", "late")], "late": [("compute", 1 * MS)]})
    for crash, words in (
        (Crash("nobody", 1), "no task 'nobody' to crash; there are main, late"),
        (Crash(7, 1), "no task 7 to crash; ids go from 0 to 1"),
        (Crash("main", 60 * MS), "main (task 0) can't crash at 60.0 ms: the run ends at 6.00 ms"),
        (Crash("late", 1 * MS), "late (task 1) can't crash at 1.00 ms: it is created at 5.00 ms"),
    ):
        with pytest.raises(UsageError) as error:
            run(made, "process", crash)
        assert words in str(error.value)


EARLY = """
main_returns = true
[tasks.main]
start = "0ms"
steps = [{ spawn = "child" }, { compute = "1ms" }]
[tasks.child]
count = 2
steps = [{ compute = "3ms" }, "request"]
"""


@pytest.mark.parametrize("form", FORMS)
def test_when_main_returns_only_processes_run_on(form: str) -> None:
    done = run(synthesize(parse_workload(EARLY, where="early.toml")), form)
    assert done.meta["outcome"] == "completed"
    if form == "process":
        assert ends(done)["child[0]"] == (3 * MS, "exit")
        assert radius(done, "orphans", "tasks_ended", "work_lost_ns") == (2, 0, 0)
    else:
        assert ends(done)["child[0]"] == (1 * MS, "main_returned")
        assert radius(done, "orphans", "tasks_ended", "requests_lost") == (0, 2, 2)
        assert 4 * MS <= radius(done, "work_lost_ns")[0] < 4.1 * MS  # a thief's nap of 53 us delays one goroutine
