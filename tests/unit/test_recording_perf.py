"""Recording a command: what is asked of perf, what is missing, and one real recording where that is allowed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tracekit.errors import TracekitError, UsageError
from tracekit.recording import perf, privilege
from tracekit.sources.base import ReadOptions
from tracekit.sources.perf_data import SOURCE
from tracekit.sources.perf_data.callchains import KALLSYMS, symbols_in
from tracekit.tables.checks import check


@pytest.fixture
def sched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tracefs with three of the scheduler's events, and a process that may use it."""
    folder = tmp_path / "events" / "sched"
    for event in ("sched_switch", "sched_waking", "sched_unheard_of"):
        (folder / event).mkdir(parents=True)
    paranoid = tmp_path / "paranoid"
    paranoid.write_text("2\n")
    monkeypatch.setattr(privilege, "TRACEFS", (tmp_path,))
    monkeypatch.setattr(privilege, "PARANOID", paranoid)
    monkeypatch.setattr(privilege, "capable", lambda: True)
    return folder


def events(call: list[str]) -> list[str]:
    return [call[at + 1] for at, word in enumerate(call) if word == "-e"]


def test_only_events_that_the_kernel_has_are_asked_for(sched: Path) -> None:
    call = perf.arguments("perf", Path("x.data"), ["make", "-j2"], max_bytes=1000, whole=True)
    assert events(call) == ["sched:sched_switch/call-graph=fp,max-stack=5/", "sched:sched_waking"]
    plain = perf.arguments("perf", Path("x.data"), ["make"], max_bytes=None, whole=True, callchains=False)
    assert events(plain) == ["sched:sched_switch", "sched:sched_waking"]
    assert call[call.index("-k") + 1] == "CLOCK_MONOTONIC"
    assert call[call.index("--max-size") + 1] == "1000B"
    assert call[-3:] == ["--", "make", "-j2"]
    assert "-a" in call


def test_without_privilege_the_commands_own_switches_are_asked_for(sched: Path) -> None:
    call = perf.arguments("perf", Path("x.data"), ["ls"], max_bytes=None, whole=False)
    assert {"--switch-events", "-T", "--sample-cpu"} <= set(call)  # a switch without time or CPU says nothing
    assert "-a" not in call
    assert "--max-size" not in call


def test_a_kernel_without_scheduler_events_is_named(sched: Path) -> None:
    (sched / "sched_switch").rmdir()
    with pytest.raises(TracekitError, match="no scheduler tracepoints"):
        perf.present()


def test_what_is_lacking_is_said_with_the_way_out(sched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert privilege.lacking() is None
    monkeypatch.setattr(privilege, "capable", lambda: False)
    assert "perf_event_paranoid is 2" in (privilege.lacking() or "")
    assert "CAP_PERFMON" in (privilege.lacking() or "")
    privilege.PARANOID.write_text("-1")
    assert privilege.lacking() is None
    shutil.rmtree(sched.parent)
    privilege.PARANOID.unlink()
    privilege.PARANOID.with_name("other").write_text("")
    with pytest.raises(TracekitError, match="no perf events"):
        privilege.lacking()


def test_a_tracefs_that_is_not_mounted_is_told_from_a_closed_one(
    sched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privilege, "TRACEFS", (tmp_path / "empty",))
    (tmp_path / "empty").mkdir()
    assert "mount -t tracefs" in (privilege.lacking() or "")
    (tmp_path / "empty" / "events").mkdir()
    assert "no right to read" in (privilege.lacking() or "")


def test_even_ones_own_command_may_be_closed(sched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "capable", lambda: False)
    privilege.PARANOID.write_text("4")
    with pytest.raises(TracekitError, match="perf_event_paranoid is 4"):
        privilege.refuse_closed()


def test_missing_perf_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TracekitError, match="linux-perf"):
        privilege.perf_command()


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no-such-command: no such command"):
        perf.record(["no-such-command"], tmp_path / "x.data")


@pytest.mark.reference
def test_a_command_is_recorded(tmp_path: Path) -> None:
    if shutil.which("perf") is None or privilege.lacking():
        pytest.skip(privilege.lacking() or "perf is not installed")
    recorded = perf.record(["sleep", "0.05"], tmp_path / "x.data")
    assert (recorded.exit_code, recorded.reduced) == (0, None)
    trace = SOURCE.read(recorded.path, ReadOptions())
    assert trace.meta["clock"]["name"] == "CLOCK_MONOTONIC"
    assert "sleep" in trace.frame("tasks")["name"].to_list()


WAITS = """
import os, select, time
open("/proc/self/comm", "w").write("waits")
time.sleep(0.05)
pipe, end = os.pipe()
if not (child := os.fork()):
    time.sleep(0.05); os.write(end, b"x"); time.sleep(0.05); os._exit(0)
os.read(pipe, 1)
os.waitpid(child, 0)
select.poll().poll(50)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
open("/proc/self/comm", "w").write("yields")
child = os.fork()
for _ in range(200):
    os.sched_yield()
if child:
    os.waitpid(child, 0)
"""


def _record(path: Path, command: list[str]) -> None:
    perf.record(command, path)


def _plain_perf(path: Path, command: list[str]) -> None:
    """As README says."""
    call = ["perf", "record", "-q", "-a", "-g", "-k", "CLOCK_MONOTONIC", "-e", "sched:sched_switch"]
    subprocess.run([*call, "-o", str(path), *command], check=True, capture_output=True)


def _perf_sched(path: Path, command: list[str]) -> None:
    call = ["perf", "sched", "record", "-g", "-k", "CLOCK_MONOTONIC", "-o", str(path), *command]
    subprocess.run(call, check=True, capture_output=True)


@pytest.mark.reference
@pytest.mark.parametrize("recorder", [_record, _plain_perf, _perf_sched])
def test_what_a_command_waits_for_is_recorded(recorder: Callable[[Path, list[str]], None], tmp_path: Path) -> None:
    if shutil.which("perf") is None or privilege.lacking():
        pytest.skip(privilege.lacking() or "perf is not installed")
    if not symbols_in(KALLSYMS.read_text())[0]:
        pytest.skip(f"{KALLSYMS} shows no addresses (kernel.kptr_restrict)")
    recorder(tmp_path / "x.data", [sys.executable, "-c", WAITS])
    trace = SOURCE.read(tmp_path / "x.data", ReadOptions())
    assert check(trace) == []
    assert trace.meta["callchains"]
    tasks = trace.frame("tasks").filter(pl.col("name").is_in(["waits", "yields"])).sort("task_id")
    parent, child, other = tasks["task_id"].to_list()
    off = trace.frame("intervals").filter(pl.col("state").is_in(["BLOCKED", "RUNNABLE"]), pl.col("reason") != "io")
    long = off.filter(pl.col("end_ns") - pl.col("start_ns") > 4e7, state="BLOCKED")
    assert long.filter(task_id=parent)["reason"].to_list() == ["sleep", "channel_recv", "join", "network"]
    assert long.filter(task_id=child)["reason"].to_list() == ["sleep", "sleep"]
    yields = off.filter(reason="yield").group_by("task_id").len()
    assert {parent, other} <= set(yields.filter(pl.col("len") > 10)["task_id"])


@pytest.mark.reference
def test_without_privilege_a_command_is_recorded_by_its_own_switches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("perf") is None:
        pytest.skip("perf is not installed")
    monkeypatch.setattr(privilege, "lacking", lambda: "no right to record the whole machine")
    try:
        recorded = perf.record(["sh", "-c", "sleep 0.05; sleep 0.05"], tmp_path / "x.data")
    except TracekitError as error:
        pytest.skip(str(error))
    assert recorded.reduced == "no right to record the whole machine"
    trace = SOURCE.read(recorded.path, ReadOptions())
    assert check(trace) == []
    assert {"sh", "sleep"} <= set(trace.frame("tasks")["name"])
    slept = trace.frame("intervals").filter(pl.col("state") == "BLOCKED", pl.col("end_ns") - pl.col("start_ns") > 4e7)
    assert len(slept) >= 3  # two commands, and the shell that waits for them
    [chosen] = [p["choice"] for p in trace.meta["policies"] if p["policy"] == "the event that makes a task runnable"]
    assert chosen == "none: the recording has no wakeups"


@pytest.mark.reference
def test_time_bound_ends_the_command_and_keeps_the_recording(tmp_path: Path) -> None:
    if shutil.which("perf") is None or privilege.lacking():
        pytest.skip(privilege.lacking() or "perf is not installed")
    recorded = perf.record(["sleep", "60"], tmp_path / "x.data", duration_s=0.3)
    assert recorded.exit_code != 0
    assert SOURCE.read(recorded.path, ReadOptions()).meta["events"] > 0
