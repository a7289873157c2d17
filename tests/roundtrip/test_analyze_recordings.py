"""Every `--what` on a real perf recording, a real Go trace and a run, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tracekit.analysis.catalog import ANALYSES, analyze
from tracekit.cli.main import app, run
from tracekit.engine.replay import replay
from tracekit.machine.profile import REFERENCE, load_profile
from tracekit.program.catalog import scenario_program
from tracekit.sources.base import ReadOptions
from tracekit.sources.registry import ingest
from tracekit.tables.store import save

RECORDINGS = Path(__file__).parents[2] / ".." / "shared" / "recordings"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason="needs ../shared/recordings"),
]
PERF, GO = "perf/messaging-proc.data", "go/div-1.27.3.trace"
SAYS_WHAT_IS_MISSING = {PERF: {"gc", "memory", "races", "failure"}, GO: {"races", "failure"}}


@pytest.mark.parametrize("what", ANALYSES)
@pytest.mark.parametrize("name", [PERF, GO])
def test_answers_or_says_what_is_missing(name: str, what: str) -> None:
    path = str(RECORDINGS / name)
    text = CliRunner().invoke(app, ["analyze", path, "--what", what, "--top", "3"])
    assert text.exit_code == 0, text.output
    assert max(map(len, text.stdout.splitlines())) < 260
    found = json.loads(CliRunner().invoke(app, ["analyze", path, "--what", what, "--json"]).stdout)
    assert found["what"] == what
    if what in SAYS_WHAT_IS_MISSING[name]:
        assert found["missing"] and f"Missing: {found['missing'][0]}" in text.stdout
    else:
        assert any(table["rows"] for table in found["tables"].values())


@pytest.mark.parametrize("what", ANALYSES)
def test_a_run_is_asked_the_same(what: str, tmp_path: Path) -> None:
    made = replay(scenario_program("pipeline"), "goroutine", cpus=2, profile=load_profile(REFERENCE))
    folder = tmp_path / "run.tracekit"
    save(made, folder)
    found = json.loads(CliRunner().invoke(app, ["analyze", str(folder), "--what", what, "--json"]).stdout)
    assert found["missing"] if what in ("gc", "races", "failure") else found["tables"]


@pytest.mark.parametrize("version", ["1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3"])
def test_the_leak_of_every_go_version_that_can_be_read_is_found_and_named(version: str) -> None:
    """main.leak starts five goroutines that receive from a channel nobody sends to, and one that blocks for ever."""
    found = analyze(ingest([RECORDINGS / f"go/div-{version}.trace"], ReadOptions()), "leaks")
    leaked = [row for row in found.tables["asleep"].rows.iter_rows(named=True) if row["verdict"] == "leaked"]
    named = [row for row in leaked if row["task"].startswith("main.leak")]
    assert len(named) == 6
    assert sum(row["reason"] == "channel_recv" for row in named) == 5
    others = {row["task"].split(" [")[0] for row in leaked} - {"main.leak.func1", "main.leak.func2"}
    assert not any(name.startswith("main.") for name in others), others


def test_collection_is_charged_to_those_who_allocate() -> None:
    found = analyze(ingest([RECORDINGS / GO], ReadOptions()), "gc")
    assert found.facts["collections"] >= 5
    worst = [row["task"] for row in found.tables["tasks"].rows.head(4).iter_rows(named=True)]
    assert all(name.startswith("main.gc") for name in worst), worst


def test_a_wrong_name_and_a_program_are_refused_in_a_line(capsys: Any, tmp_path: Path) -> None:
    assert run(["analyze", str(RECORDINGS / GO), "--what", "leeks"]) == 2
    assert "did you mean 'leaks'" in capsys.readouterr().err
    folder = tmp_path / "program.tracekit"
    save(scenario_program("pipeline"), folder)
    assert run(["analyze", str(folder), "--what", "tasks"]) == 2
    assert "has not happened yet" in capsys.readouterr().err
