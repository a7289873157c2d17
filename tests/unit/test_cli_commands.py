"""What the commands print and leave behind, on small inputs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tracekit.cli.main import COMMANDS, run
from tracekit.tables import store
from tracekit.tables.bundle import Program, Trace

Cli = Callable[..., str]
HEAVY = ("numba", "numpy", "pandas", "plotly", "polars", "pyarrow", "rich")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Runs one command line in an empty folder and gives its output; it must succeed in silence on stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> str:
        assert run([str(a) for a in arguments]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return call


def last_line(text: str) -> str:
    return text.rstrip().splitlines()[-1]


def test_ingest_names_what_it_wrote(cli: Cli, tmp_path: Path, traces: Path) -> None:
    out = cli("ingest", traces / "go-forkjoin.trace")
    assert last_line(out) == "Wrote go-forkjoin.tracekit"
    assert "broken laws" not in out
    trace = store.load(tmp_path / "go-forkjoin.tracekit")
    assert isinstance(trace, Trace)
    assert f"{trace.tables['tasks'].num_rows:,} tasks" in out


def test_inspect_says_the_same_of_a_recording_and_of_its_bundle(cli: Cli, traces: Path) -> None:
    recording = traces / "go-forkjoin.trace"
    cli("ingest", recording, "-o", "t.tracekit")
    assert json.loads(cli("inspect", "t.tracekit", "--json")) == json.loads(cli("inspect", recording, "--json"))
    assert cli("inspect", "t.tracekit") == cli("inspect", recording)


def test_inspect_counts(cli: Cli, traces: Path) -> None:
    known = json.loads(cli("inspect", traces / "go-forkjoin.trace", "--json"))
    assert known["kind"] == "trace"
    assert known["broken_laws"] == []
    assert known["busiest"][0]["running_ns"] >= known["busiest"][-1]["running_ns"] > 0
    assert sum(known["kinds"].values()) == known["rows"]["tasks"]


def test_synth_takes_parameters_and_a_seed(cli: Cli, tmp_path: Path) -> None:
    assert last_line(cli("synth", "fork_join", "--set", "width=3", "--set", "rounds=2")) == "Wrote fork_join.tracekit"
    program = store.load(tmp_path / "fork_join.tracekit")
    assert isinstance(program, Program)
    assert program.tables["tasks"].num_rows == 7
    assert json.loads(cli("synth", "server", "--seed", "5", "-o", "s.tracekit", "--json"))["meta"]["seed"] == 5


def test_a_scenario_can_be_copied_and_edited(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(cli("scenarios", "fork_join").replace("width = 500", "width = 4"))
    cli("synth", "mine.toml", "-o", "mine.tracekit")
    assert store.load(tmp_path / "mine.tracekit").tables["tasks"].num_rows == 21


def test_replay_saves_the_runs_with_what_they_come_from(cli: Cli, tmp_path: Path, traces: Path) -> None:
    recording = traces / "go-forkjoin.trace"
    out = cli("replay", recording, "--model", "goroutine,recorded", "-o", "fj.runs")
    assert last_line(out) == "Wrote fj.runs"
    assert "makespan" in out and "coverage" in out
    bundles = store.load_all(tmp_path / "fj.runs")
    assert {name: bundle.kind for name, bundle in bundles.items()} == {
        "goroutine": "run", "program": "program", "recorded": "run", "trace": "trace"
    }  # fmt: skip
    assert bundles["goroutine"].meta["cpus"] == bundles["trace"].meta["cpus"]
    assert "makespan" in cli("inspect", "fj.runs/goroutine.tracekit")
    assert last_line(cli("report", "fj.runs")) == "Wrote fj.html"
    assert (tmp_path / "fj.html").read_text(encoding="utf-8").startswith("<!")


def test_replay_of_a_bundle_a_workload_and_a_scenario_agree(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(cli("scenarios", "fork_join"))
    cli("synth", "fork_join", "-o", "p.tracekit")
    makespans = {
        json.loads(cli("replay", what, "--model", "goroutine", "-o", f"{number}.runs", "--json"))["runs"][0]["end_ns"]
        for number, what in enumerate(["fork_join", "mine.toml", "p.tracekit"])
    }
    assert len(makespans) == 1


def test_runs_can_be_replayed_from_what_they_come_from(cli: Cli, tmp_path: Path) -> None:
    cli("replay", "fork_join", "--model", "thread")
    known = json.loads(cli("replay", "fork_join.runs", "--model", "goroutine", "-o", "again.runs", "--json"))
    assert known["program"] == store.load(tmp_path / "fork_join.runs" / "program.tracekit").meta


def test_replay_obeys_cpus_and_parameters(cli: Cli) -> None:
    known = json.loads(
        cli(
            "replay",
            "fork_join",
            "--model",
            "goroutine",
            "--cpus",
            "4",
            "--set",
            "goroutine.lock_handoff_ns=2ms",
            "--json",
        )
    )
    assert known["runs"][0]["cpus"] == 4
    assert known["runs"][0]["parameters"]["goroutine.lock_handoff_ns"] == 2_000_000
    assert known["wrote"] == "fork_join.runs"
    assert known["comparison"][0]["metric"] == "makespan"


def test_demo_replays_the_shipped_recording(cli: Cli, tmp_path: Path) -> None:
    out = cli("demo")
    assert last_line(out) == "Wrote reports/demo.html"
    header = next(line for line in out.splitlines() if line.startswith("metric"))
    assert header.split()[1:] == ["recording", "process", "thread", "goroutine"]
    assert {path.name for path in tmp_path.iterdir()} == {"reports"}
    assert (tmp_path / "reports" / "demo.html").stat().st_size > 100_000


def test_lists(cli: Cli) -> None:
    assert "perf sched record" in cli("sources")
    assert {model["name"] for model in json.loads(cli("models", "--json"))} >= {"process", "thread", "goroutine"}
    assert "goroutine.lock_handoff_ns" in cli("models", "goroutine")
    assert len(json.loads(cli("scenarios", "--json"))) >= 6
    assert cli("--version").startswith("tracekit ")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]])
def test_help_explains_every_option(cli: Cli, arguments: list[str]) -> None:
    out = cli(*arguments)
    rows = [line.split() for line in out.splitlines() if line.startswith("  -")]
    assert all(len(row) > 2 or row[-1].startswith("-") for row in rows)


def in_a_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys; from tracekit.cli.main import run; run(['--help']); print([m for m in {HEAVY} if m in sys.modules])"
    assert last_line(in_a_process(code).stdout) == "[]"


def test_import_tracekit_imports_nothing_heavy() -> None:
    code = f"import sys, tracekit; tracekit.__version__; print([m for m in {HEAVY} if m in sys.modules], callable(tracekit.ingest))"
    assert in_a_process(code).stdout == "[] True\n"


def stopped_by(error: str) -> subprocess.CompletedProcess[str]:
    """`tracekit sources` in a process of its own, in which listing the sources raises."""
    return in_a_process(
        "import sys\nfrom tracekit.sources import registry\nfrom tracekit.cli.main import main\n"
        f"def stop(): raise {error}\nregistry.sources = stop\nsys.argv = ['tracekit', 'sources']\nmain()"
    )


def test_ctrl_c_is_one_line_and_130() -> None:
    done = stopped_by("KeyboardInterrupt")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tracekit: interrupted\n")


def test_an_unexpected_error_asks_to_be_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    done = stopped_by("ZeroDivisionError('a\\nb')")
    assert done.returncode == 1
    assert done.stderr.startswith("tracekit: unexpected ZeroDivisionError: a b; please report it")
    assert done.stderr.count("\n") == 1
    monkeypatch.setenv("TRACEKIT_DEBUG", "1")
    assert "Traceback" in stopped_by("ZeroDivisionError()").stderr


def test_a_closed_pipe_is_quiet() -> None:
    tracekit = [sys.executable, "-m", "tracekit.cli.main", "scenarios", "server"]
    with subprocess.Popen(tracekit, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_a_folder_of_runs_is_reported_in_the_order_of_the_forms(tmp_path: Path) -> None:
    from tracekit.cli.inputs import reportable
    from tracekit.tables.build import empty
    from tracekit.tables.bundle import Run
    from tracekit.tables.schema import BUNDLES
    from tracekit.tables.store import save_all

    tables = {name: empty(declared) for name, declared in BUNDLES["run"].items()}
    names = ("goroutine", "mine", "process", "thread")
    save_all({name: Run(dict(tables), {"model": name}) for name in names}, tmp_path / "x.runs")
    found = reportable([tmp_path / "x.runs"])
    assert [run.meta["model"] for run in found.runs] == ["process", "thread", "goroutine", "mine"]
