"""What of a recording belongs to the execution that it was made of."""

from __future__ import annotations

import os

import pytest

from tests.golden.program_text import trace_of
from tracekit.tables.bundle import Trace
from tracekit.verify.recording import cut, without_bystanders


def recorded(cpu_of_other: int) -> Trace:
    tasks = [
        {"task_id": 0, "name": "runner", "kind": "process", "end_ns": None, "parent_id": None},
        {"task_id": 1, "name": "runner", "kind": "process", "end_ns": 130, "parent_id": 0},
        {"task_id": 2, "name": "kworker", "kind": "kernel", "end_ns": None, "parent_id": None},
    ]
    intervals = [
        {"task_id": 0, "cpu": 0, "state": "RUNNING", "start_ns": 0, "end_ns": 20},
        {"task_id": 0, "cpu": 0, "state": "RUNNING", "start_ns": 140, "end_ns": 150},
        {"task_id": 1, "cpu": 0, "state": "RUNNING", "start_ns": 30, "end_ns": 130},
        {"task_id": 2, "cpu": cpu_of_other, "state": "RUNNING", "start_ns": 40, "end_ns": 60},
    ]
    return trace_of(tasks, intervals, [])


def rows(trace: Trace) -> list[tuple[str, int, int]]:
    named = trace.frame("intervals").join(trace.frame("tasks"), on="task_id")
    return sorted(named.select("name", "start_ns", "end_ns").rows(), key=lambda row: row[1])


def test_a_recording_is_cut_at_the_last_tasks_way_out_and_the_runner_at_the_makespan() -> None:
    """The program began at 10 and its last step was done 100 later; its task was gone at 130, when the runner woke."""
    assert rows(cut(recorded(0), 10, 100)) == [("runner", 0, 10), ("runner", 20, 120), ("kworker", 30, 50)]


@pytest.mark.parametrize(("cpu", "competes"), [(0, True), (1, False)])
def test_who_only_had_other_cpus_did_not_compete(monkeypatch: pytest.MonkeyPatch, cpu: int, competes: bool) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    assert ("kworker", 40, 60) in rows(recorded(cpu))
    assert (("kworker", 40, 60) in rows(without_bystanders(recorded(cpu), 1))) is competes
