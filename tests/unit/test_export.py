"""Everything tracekit makes can be read by others, and by itself again."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tracekit import api
from tracekit.cli.main import run as tracekit
from tracekit.tables.bundle import Trace

RECORDING = "div-1.27.3.trace"


@pytest.fixture(scope="module")
def trace() -> Trace:
    run = api.replay(api.synth("mutex"), ["thread"], cpus=2)[0]
    tables = {name: run.tables[name] for name in ("tasks", "intervals", "wakeups", "gaps")}
    return Trace(tables, {"cpus": 2, "end_ns": run.meta["end_ns"], "form": "thread"})


def test_json_and_back_is_the_same(trace: Trace, tmp_path: Path) -> None:
    path = api.export(trace, tmp_path / "x.json")
    again = api.ingest(path)
    for name in ("tasks", "intervals", "gaps"):
        assert again.tables[name].equals(trace.tables[name]), name
    key = ["at_ns", "wakee_id"]
    assert again.frame("wakeups").sort(key).equals(trace.frame("wakeups").sort(key))
    assert again.meta["end_ns"] == trace.meta["end_ns"]


def test_json_has_what_a_timeline_needs(trace: Trace, tmp_path: Path) -> None:
    events = json.loads(api.export(trace, tmp_path / "x.json").read_text())["traceEvents"]
    rows = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert {"CPU 0", "CPU 1", *trace.frame("tasks")["name"]} <= rows
    flows = [sorted(event["id"] for event in events if event["ph"] == phase) for phase in "sf"]
    assert flows[0] == flows[1]
    running = [event for event in events if event.get("cat") == "cpu"]
    assert len(running) == trace.frame("intervals").filter(trace.frame("intervals")["state"] == "RUNNING").height
    assert all(event["dur"] > 0 and isinstance(event["tid"], int) for event in running)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".arrow"])
def test_a_table_and_back_is_the_same(trace: Trace, tmp_path: Path, suffix: str) -> None:
    again = api.ingest(api.export(trace, tmp_path / f"x{suffix}"))
    mine, theirs = trace.frame("intervals"), again.frame("intervals")
    assert theirs.equals(mine)
    assert again.frame("tasks")["name"].equals(trace.frame("tasks")["name"])


def test_a_bundle_is_plain_parquet(trace: Trace, tmp_path: Path) -> None:
    folder = api.save(trace, tmp_path / "x.tracekit")
    plain = pq.read_table(folder / "intervals.parquet").to_pylist()
    assert plain == trace.tables["intervals"].to_pylist()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tracekit(["synth", "mutex", "-o", str(tmp_path / "p.tracekit")]) == 0
    program = str(tmp_path / "p.tracekit")
    out = str(tmp_path / "out.parquet")
    assert tracekit(["export", program, "-o", out]) == 0
    assert tracekit(["export", program, "-o", out]) == 2
    assert tracekit(["export", program, "-o", out, "--force"]) == 0
    assert tracekit(["export", program, "-o", str(tmp_path / "x.json")]) == 2
    assert tracekit(["export", program, "-o", str(tmp_path / "x.txt")]) == 2
    assert tracekit(["export", program, "-o", str(tmp_path / "x.csv"), "--table", "wakeups"]) == 2
    printed = capsys.readouterr()
    assert "has no timeline" in printed.err
    assert "no format goes by the suffix '.txt'" in printed.err
    assert "has no table 'wakeups'" in printed.err


def test_recordings_survive_the_way_through_json(recordings: Path, tmp_path: Path) -> None:
    for name in (f"go/{RECORDING}", "perf/v-lost.data"):
        trace = api.ingest(recordings / name)
        again = api.ingest(api.export(trace, tmp_path / f"{Path(name).name}.json"))
        for table in ("tasks", "intervals", "wakeups", "gaps"):
            mine = trace.tables[table]
            kept = [column for column in mine.column_names if column != "stack_id"]
            assert again.tables[table].select(kept).equals(mine.select(kept)), (name, table)
