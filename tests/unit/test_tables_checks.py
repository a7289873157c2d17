"""Each law: a sound bundle passes, and one broken on purpose is named with table, law and row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tracekit.errors import TableError
from tracekit.tables.build import empty, table
from tracekit.tables.bundle import Program, Trace
from tracekit.tables.checks import check, ensure
from tracekit.tables.order import canonical
from tracekit.tables.schema import BUNDLES

# Two tasks share cpu 0: A runs, B waits its turn and runs, A is woken by B and runs on.
INTERVALS: dict[str, Any] = {
    "task_id": [0, 1, 0, 1, 0, 0],
    "state": ["RUNNING", "RUNNABLE", "BLOCKED", "RUNNING", "RUNNABLE", "RUNNING"],
    "start_ns": [0, 10, 50, 50, 80, 100],
    "end_ns": [50, 50, 80, 100, 100, 120],
    "cpu": [0, 0, None, 0, 0, 0],
}


def trace(intervals: dict[str, Any] = INTERVALS, **tables: dict[str, Any]) -> Trace:
    columns: dict[str, dict[str, Any]] = {
        "tasks": {"task_id": [0, 1], "name": ["A", "B"], "start_ns": [0, 10], "end_ns": [120, None]},
        "intervals": intervals,
        "wakeups": {"at_ns": [80], "wakee_id": [0], "waker_id": [1]},
        "gaps": {"start_ns": [5], "end_ns": [5], "cause": ["truncated"]},
    } | tables
    return Trace({name: table(name, columns[name]) for name in BUNDLES["trace"] if name in columns})


def program(segments: dict[str, Any], **tables: dict[str, Any]) -> Program:
    columns: dict[str, dict[str, Any]] = {
        "program_tasks": {
            "task_id": [0, 1],
            "name": ["main", "child"],
            "start_ns": [0, None],
            "converted": [True, True],
        },
        "objects": {"object_id": [0], "kind": ["mutex"]},
    } | tables
    return Program(
        {
            "tasks": table("program_tasks", columns["program_tasks"]),
            "segments": table("segments", segments),
            "objects": table("objects", columns["objects"]),
        }
    )


SEGMENTS: dict[str, Any] = {
    "task_id": [0, 0, 0, 1],
    "ordinal": [0, 1, 2, 0],
    "kind": ["lock", "spawn", "unlock", "compute"],
    "object_id": [0, None, 0, None],
    "target_id": [None, 1, None, None],
    "duration_ns": [None, None, None, 5],
}


def with_cell(columns: dict[str, Any], name: str, row: int, value: object) -> dict[str, Any]:
    changed = list(columns[name])
    changed[row] = value
    return {**columns, name: changed}


def laws(bundle: Trace | Program) -> set[tuple[str, str, int]]:
    return {(f.table, f.law, f.row) for f in check(bundle)}


def test_stacks_and_ranges_refer_to_rows_before_them() -> None:
    stacks = {"stack_id": [0, 1], "caller_id": [None, 0], "function": ["main.main", "main.f"]}
    ranges = {"range_id": [0], "kind": ["region"], "start_ns": [3], "end_ns": [9], "stack_id": [1], "task_id": [1]}
    assert check(trace(stacks=stacks, ranges=ranges)) == []
    assert laws(trace(stacks=with_cell(stacks, "caller_id", 0, 1), ranges=ranges)) == {("stacks", "order", 0)}
    assert laws(trace(stacks=stacks, ranges=with_cell(ranges, "stack_id", 0, 2))) == {("ranges", "ids", 0)}
    assert laws(trace(ranges={**ranges, "stack_id": [None], "enclosing_id": [1]})) == {("ranges", "ids", 0)}


def test_sound_bundles_have_no_findings() -> None:
    assert check(trace()) == []
    assert check(program(SEGMENTS)) == []
    assert check(Trace({name: empty(name) for name in BUNDLES["trace"]})) == []


@pytest.mark.parametrize(
    ("column", "row", "value", "expected"),
    [
        ("end_ns", 0, 60, ("intervals", "one_task_per_cpu", 3)),
        ("end_ns", 1, 55, ("intervals", "one_state_per_task", 3)),
        ("end_ns", 2, 50, ("intervals", "times", 2)),
        ("start_ns", 0, -1, ("intervals", "times", 0)),
        ("start_ns", 3, 49, ("intervals", "order", 2)),
        ("task_id", 5, 2, ("intervals", "ids", 5)),
        ("cpu", 1, -7, ("intervals", "ids", 1)),
        ("end_ns", 5, 121, ("intervals", "lifetime", 5)),
    ],
)
def test_a_broken_interval_is_found(column: str, row: int, value: object, expected: tuple[str, str, int]) -> None:
    columns = with_cell(INTERVALS, column, row, value)
    if value == -7:  # -1 in lists stays -1; only numpy arrays have a null sentinel
        columns["cpu"] = pa.array(columns["cpu"], pa.int32())
    assert expected in laws(trace(columns))


def test_a_wakeup_of_a_running_task_is_found_unless_its_interval_is_inferred() -> None:
    late = {"at_ns": [90], "wakee_id": [1], "waker_id": [None]}
    assert ("wakeups", "wakeup_first", 0) in laws(trace(wakeups=late))
    inferred = INTERVALS | {"inferred": [False, False, False, True, False, False]}
    assert laws(trace(inferred, wakeups=late)) == set()


def test_a_wakeup_may_begin_or_end_an_interval() -> None:
    assert laws(trace(wakeups={"at_ns": [50, 100], "wakee_id": [1, 0]})) == set()


def test_a_wakeup_of_nobody_is_found() -> None:
    assert ("wakeups", "ids", 0) in laws(trace(wakeups={"at_ns": [80], "wakee_id": [9]}))


def test_nulls_and_foreign_types_break_the_schema() -> None:
    bundle = trace()
    names = bundle.tables["tasks"].set_column(1, "name", pa.array([None, "B"], pa.string()))
    bundle.tables["tasks"] = names
    assert [str(f) for f in check(bundle)] == ["tasks: schema: name is null (1 row, first 0)"]
    bundle.tables["tasks"] = names.set_column(1, "name", pa.array([1, 2]))
    assert [f.law for f in check(bundle)] == ["schema"]
    bundle.tables["tasks"] = names.drop_columns(["name"])
    assert [f.law for f in check(bundle)] == ["schema"]


def test_words_outside_the_vocabulary_break_the_schema() -> None:
    bundle = trace()
    foreign = pa.DictionaryArray.from_arrays(pa.array([0] * 6, pa.int8()), pa.array(["NAPPING"]))
    column = bundle.tables["intervals"].column_names.index("state")
    bundle.tables["intervals"] = bundle.tables["intervals"].set_column(column, "state", foreign)
    assert [(f.law, f.detail) for f in check(bundle)] == [("schema", "state holds words not in its vocabulary")]


@pytest.mark.parametrize(
    ("column", "row", "value", "expected"),
    [
        ("ordinal", 1, 2, ("segments", "order", 1)),
        ("duration_ns", 0, 5, ("segments", "arguments", 0)),
        ("duration_ns", 3, None, ("segments", "arguments", 3)),
        ("duration_ns", 3, -5, ("segments", "times", 3)),
        ("kind", 0, "send", ("segments", "arguments", 0)),
        ("object_id", 0, 1, ("segments", "ids", 0)),
        ("target_id", 1, 0, ("tasks", "spawned_once", 0)),
    ],
)
def test_a_broken_segment_is_found(column: str, row: int, value: object, expected: tuple[str, str, int]) -> None:
    columns = with_cell(SEGMENTS, column, row, value)
    for name in ("duration_ns", "object_id", "target_id"):
        columns[name] = pa.array(columns[name], pa.int64())
    assert expected in laws(program(columns))


def test_ensure_names_the_first_findings_in_one_line() -> None:
    ensure(trace())
    with pytest.raises(TableError, match=r"^intervals: times: .*first 2\)") as caught:
        ensure(trace(with_cell(INTERVALS, "end_ns", 2, 50)))
    assert "\n" not in str(caught.value)


def test_canonical_sorts_stably() -> None:
    shuffled = table("wakeups", {"at_ns": np.array([9, 1, 9]), "wakee_id": np.array([3, 2, 1])})
    assert canonical("wakeups", shuffled).column("wakee_id").to_pylist() == [2, 3, 1]
    backwards = table("intervals", {k: v[::-1] for k, v in INTERVALS.items()})
    assert canonical("intervals", backwards).to_pylist() == table("intervals", INTERVALS).to_pylist()
