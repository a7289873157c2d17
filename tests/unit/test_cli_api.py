"""tracekit from Python: what the README shows works, and agrees with the command line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import tracekit
from tracekit.errors import UsageError
from tracekit.tables.bundle import Program, Run, Trace
from tracekit.tables.checks import check

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def trace(traces: Path) -> Trace:
    return tracekit.ingest(traces / "go-forkjoin.trace")


@pytest.fixture(scope="module")
def program(trace: Trace) -> Program:
    return tracekit.extract(trace)


def test_the_readme_s_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traces: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shutil.copy(traces / "messaging-thread.data", tmp_path / "perf.data")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(example, names)
    assert [run.meta["model"] for run in names["runs"]] == ["process", "thread", "goroutine"]  # type: ignore[attr-defined]
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!")


def test_every_bundle_keeps_the_laws(trace: Trace, program: Program) -> None:
    runs = tracekit.replay(trace, ["goroutine", "recorded"])
    assert [check(bundle) for bundle in (trace, program, *runs)] == [[], [], [], []]


def test_a_trace_and_its_program_replay_the_same(trace: Trace, program: Program) -> None:
    [one], [other] = tracekit.replay(trace, ["goroutine"]), tracekit.replay(program, ["goroutine"])
    assert one.meta == other.meta
    assert tracekit.measure(one).equals(tracekit.measure(other))


def test_the_same_seed_gives_the_same_run(program: Program) -> None:
    one, other = (tracekit.replay(program, ["goroutine"], seed=3)[0] for _ in range(2))
    assert {name: t.to_pylist() for name, t in one.tables.items()} == {
        name: t.to_pylist() for name, t in other.tables.items()
    }


def test_synth_takes_a_scenario_or_a_file(tmp_path: Path) -> None:
    by_name = tracekit.synth("fork_join", parameters={"width": 3})
    assert by_name.tables["tasks"].num_rows == 16
    with pytest.raises(UsageError, match="fork_join"):
        tracekit.synth("fork_jon")


def test_recorded_needs_a_recording(program: Program) -> None:
    with pytest.raises(UsageError, match="needs a recording"):
        tracekit.replay(program, ["recorded"])


def test_runs_are_saved_and_loaded(tmp_path: Path, trace: Trace) -> None:
    [run] = tracekit.replay(trace, ["recorded"])
    loaded = tracekit.load(tracekit.save(run, tmp_path / "r.tracekit"))
    assert isinstance(loaded, Run)
    assert tracekit.compare([loaded]).equals(tracekit.compare([run]))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tracekit.nonsense
    assert set(tracekit.__all__) <= set(dir(tracekit))
