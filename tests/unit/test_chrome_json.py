"""Chrome trace-event JSON made by hand: rows, times, flows, damage."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.chrome_json import SOURCE, windows
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check


def read(text: str | bytes, folder: Path) -> Trace:
    path = folder / "trace.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    trace = SOURCE.read(path, ReadOptions())
    assert check(trace) == []
    return trace


def slice_(ts: object, dur: object, tid: object = 1, **more: Any) -> dict[str, Any]:
    return {"name": "work", "ph": "X", "pid": 1, "tid": tid, "ts": ts, "dur": dur, **more}


def named(what: str, name: str, tid: int, pid: int = 1) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}


def intervals(trace: Trace) -> list[tuple[Any, ...]]:
    frame = trace.frame("intervals").select("task_id", "state", "start_ns", "end_ns", "reason")
    return frame.rows()


def policy(trace: Trace, name: str) -> int:
    return sum(p["count"] for p in trace.meta["policies"] if p["policy"] == name)


def test_nested_slices_are_one_and_what_is_between_is_unknown(tmp_path: Path) -> None:
    events = [
        {"ph": "B", "pid": 1, "tid": 1, "ts": 1, "name": "outer"},
        {"ph": "B", "pid": 1, "tid": 1, "ts": 2, "name": "inner"},
        {"ph": "E", "pid": 1, "tid": 1, "ts": 3},
        {"ph": "E", "pid": 1, "tid": 1, "ts": 4.5},
        {"ph": "E", "pid": 1, "tid": 1, "ts": 5},
        slice_(7, 3), slice_(8, 1),
    ]  # fmt: skip
    for form in (json.dumps(events), json.dumps({"a": {"b": ["]}", 1]}, "traceEvents": events, "z": 1})):
        trace = read(form, tmp_path)
        assert intervals(trace) == [
            (0, "RUNNING", 0, 3500, None), (0, "UNKNOWN", 3500, 6000, None), (0, "RUNNING", 6000, 9000, None),
        ]  # fmt: skip
        assert trace.frame("tasks")["kind"].to_list() == ["process"]
        assert policy(trace, "ends without a beginning") == 1


def test_a_slice_without_an_end_is_inferred(tmp_path: Path) -> None:
    trace = read(json.dumps([{"ph": "B", "pid": 1, "tid": 1, "ts": 1, "name": "x"}, slice_(2, 9, 2)]), tmp_path)
    rows = trace.frame("intervals").select("task_id", "end_ns", "inferred").rows()
    assert rows == [(0, 10_000, True), (1, 10_000, False)]


@given(st.integers(-(10**14), 10**14), st.integers(0, 12), st.integers(-6, 6))
def test_times_are_exact(tmp_path_factory: pytest.TempPathFactory, digits: int, places: int, exponent: int) -> None:
    folder = tmp_path_factory.mktemp("times")
    text = f"{Decimal(digits).scaleb(-places):f}" + (f"e{exponent:+d}" if exponent else "")
    exact = Decimal(digits).scaleb(-places) * 10**3 * Decimal(10) ** exponent
    events = f'[{{"ph":"X","pid":1,"tid":1,"name":"a","ts":{text},"dur":1}}]'
    origin = read(events, folder).meta["clock"]["origin_ns"]
    assert abs(Decimal(origin) - exact) <= Decimal("0.5")
    quoted = events.replace(f'"ts":{text}', f'"ts": "{text}"')
    assert read(quoted, folder).meta["clock"]["origin_ns"] == origin


def test_a_float_would_lose_these(tmp_path: Path) -> None:
    trace = read('[{"ph":"X","pid":1,"tid":1,"ts":9007199254740.993,"dur":0.001}]', tmp_path)
    assert trace.meta["clock"]["origin_ns"] == 9007199254740993
    assert trace.meta["end_ns"] == 1


def test_flows_of_both_versions_are_wakeups(tmp_path: Path) -> None:
    one = [
        slice_(0, 10, 1), {"ph": "s", "pid": 1, "tid": 1, "ts": 4, "id": 7, "name": "go", "cat": "c"},
        slice_(0, 2, 2), slice_(6, 3, 2), {"ph": "f", "pid": 1, "tid": 2, "ts": 6, "id": "7", "name": "go", "cat": "c"},
    ]  # fmt: skip
    two = [slice_(0, 4, 1), slice_(4, 6, 1, bind_id="0x7", flow_out=True), slice_(0, 2, 2),
           slice_(6, 3, 2, bind_id="0x7", flow_in=True)]  # fmt: skip
    for events in (one, two):
        trace = read(json.dumps(events), tmp_path)
        assert trace.frame("wakeups").select("at_ns", "waker_id", "wakee_id").rows() == [(4000, 0, 1)]
        assert [row for row in intervals(trace) if row[0] == 1] == [
            (1, "RUNNING", 0, 2000, None), (1, "BLOCKED", 2000, 4000, "event"), (1, "RUNNABLE", 4000, 6000, "wakeup"),
            (1, "RUNNING", 6000, 9000, None), (1, "UNKNOWN", 9000, 10000, None),
        ]  # fmt: skip


def test_a_flow_to_a_running_thread_wakes_nobody(tmp_path: Path) -> None:
    flow = {"pid": 1, "id": 7, "name": "go", "cat": "c"}
    events = [slice_(0, 10, 1), slice_(0, 10, 2), {"ph": "s", "tid": 1, "ts": 4, **flow},
              {"ph": "f", "tid": 2, "ts": 6, **flow}]  # fmt: skip
    trace = read(json.dumps(events), tmp_path)
    assert trace.tables["wakeups"].num_rows == 0
    assert policy(trace, "flows to a task already RUNNING or RUNNABLE") == 1


@pytest.mark.parametrize("process", ["Kernel", "anything"])
def test_rows_of_cpus_say_who_runs(tmp_path: Path, process: str) -> None:
    on = lambda cpu, ts, dur, name, **more: slice_(ts, dur, cpu, name=name, **more)  # noqa: E731
    events = [
        on(0, 0, 5, "nginx-101"), on(1, 0, 3, "swapper/1"), on(1, 3, 4, "G7 main.work"), on(0, 5, 2, "bash [9]"),
        on(1, 7, 2, "worker", args={"tid": 101}), named("process_name", process, 0), named("thread_name", "CPU 0", 0),
        named("thread_name", "cpu1", 1), slice_(0, 9, 101, pid=5), named("thread_name", "app", 101, 5),
    ]  # fmt: skip
    if process == "Kernel":
        events.append(named("thread_name", "Network", 77))
    trace = read(json.dumps(events), tmp_path)
    tasks = trace.frame("tasks").select("name", "source_id").rows()
    assert tasks == [("nginx", 101), ("G7 main.work", 7), ("bash", 9)]
    running = trace.frame("intervals").filter(trace.frame("intervals")["state"] == "RUNNING")
    assert running.select("task_id", "cpu", "start_ns", "end_ns").rows() == [
        (0, 0, 0, 5000), (1, 1, 3000, 7000), (2, 0, 5000, 7000), (0, 1, 7000, 9000),
    ]  # fmt: skip
    assert trace.meta["cpus"] == 2
    assert policy(trace, "the idle task") == 1


def test_rows_of_states(tmp_path: Path) -> None:
    state = lambda ts, dur, name: slice_(ts, dur, 1, name=name)  # noqa: E731
    trace = read(json.dumps([state(0, 2, "Running"), state(2, 3, "S"), state(5, 1, "Runnable (Preempted)"),
                             state(6, 1, "D")]), tmp_path)  # fmt: skip
    assert [(row[1], row[4]) for row in intervals(trace)] == [
        ("RUNNING", None), ("BLOCKED", None), ("RUNNABLE", "preempted"), ("BLOCKED", "uninterruptible"),
    ]  # fmt: skip


def test_a_cut_anywhere_keeps_what_is_whole(tmp_path: Path) -> None:
    events = [slice_(i * 10, 5, i % 3, args={"deep": [{"x": "}"}]}) for i in range(8)]
    text = "[\n" + ",\n".join(json.dumps(event) for event in events) + "\n]"
    whole = [text.index(json.dumps(event)) + len(json.dumps(event)) for event in events]
    for cut in range(len(text)):
        kept = sum(end <= cut for end in whole)
        if not kept:
            with pytest.raises(SourceError, match=r"byte|no trace event"):
                read(text[:cut] or " ", tmp_path)
            continue
        trace = read(text[:cut], tmp_path)
        assert trace.meta["events"] == kept
        assert trace.frame("gaps")["cause"].to_list() == ["truncated"]


@pytest.mark.parametrize("damage", ['{"ph":"X",,}', '{"ph":"X","pid":1,"tid":1,"ts":1x,"dur":2}', "}}", '{"ph" "X"}'])
def test_damage_costs_what_it_hit(tmp_path: Path, damage: str) -> None:
    before, after = json.dumps(slice_(0, 5)), json.dumps(slice_(10, 5))
    trace = read(f"[{before},{damage},{after}]", tmp_path)
    assert trace.meta["events"] == 2
    gap = trace.frame("gaps").row(0, named=True)
    assert gap["cause"] == "corrupt"
    assert gap["stream"].startswith(f"byte {len(before) + 2}:")
    assert (gap["start_ns"], gap["end_ns"]) == (0, 10_000)


@pytest.mark.parametrize("size", [64, 100, 257])
def test_windows_of_any_size_read_the_same(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [slice_(i * 10, 5, i % 70, name=f"n{i}" * (i % 40), args={"reason": f"r{i}"}) for i in range(6000)]
    text = json.dumps({"otherData": "x" * 1000, "traceEvents": many, "metadata": {"a": ['\\"}']}})
    expected = read(text, tmp_path)
    monkeypatch.setattr(windows, "WINDOW_BYTES", size)
    found = read(text, tmp_path)
    assert found.meta == expected.meta
    for name, table in expected.tables.items():
        assert found.tables[name].equals(table), name


def test_an_event_without_pid_and_tid_has_a_row_of_its_own(tmp_path: Path) -> None:
    bare = {"name": "work", "ph": "X", "ts": 0, "dur": 1}
    trace = read(json.dumps([bare, slice_(0, 2), bare | {"ts": 5}]), tmp_path)
    running = trace.frame("intervals").filter(state="RUNNING").select("task_id", "start_ns", "end_ns").rows()
    assert running == [(0, 0, 1000), (1, 0, 2000), (0, 5000, 6000)]


def test_names_with_escapes_and_other_alphabets(tmp_path: Path) -> None:
    text = json.dumps([slice_(0, 1), named("thread_name", 'a "b" \\ ü 漢', 1)])
    assert read(text, tmp_path).frame("tasks")["name"].to_list() == ['a "b" \\ ü 漢']
    assert read(b"\xef\xbb\xbf" + text.encode(), tmp_path).tables["tasks"].num_rows == 1


def test_what_is_and_is_not_of_this_format() -> None:
    yes = (
        b'[{"ph":"B","ts":1}]',
        b'{"traceEvents" : [',
        b' {"displayTimeUnit":"ns","traceEvents":[',
        b'[ {"a":1,"ph":"M"}',
    )
    no = (b'{"tasks":{"a":{"run":1}},"global":{}}', b'[{"a":1}]', b"[]", b"{}", b'{"events":[{"ts":1}]}', b"PERFILE2")
    assert all(map(SOURCE.matches, yes))
    assert not any(map(SOURCE.matches, no))


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"traceEvents":[]}', "no trace event"), ("nonsense", "byte 0"), ('{"traceEvents":[{"ph":"C","ts":1}]}', "no slice"),
     ('{"traceEvents":[{"ph"}]}', "byte 16")],
)  # fmt: skip
def test_errors_name_the_byte(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read(text, tmp_path)
