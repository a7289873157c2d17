"""Bad input, case by case: one clear line on stderr, the exit code, and nothing half written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tracekit.cli.main import run

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Runs one command line in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def assert_refused(result: tuple[int, str, str], code: int, *parts: str) -> None:
    """One line, from us, with all the parts; and the exit code."""
    got, out, err = result
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("tracekit: ")
    for part in parts:
        assert part in err


def left_in(folder: Path, *made_by_the_test: str) -> set[str]:
    return {path.name for path in folder.iterdir()} - set(made_by_the_test)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


CASES: dict[str, tuple[Callable[[Path], bytes], tuple[str, ...]]] = {
    "empty": (lambda _: b"", ("the file is empty", "record again")),
    "text": (lambda _: b"dear diary\n", ("it looks like a text file", "perf sched record", "runtime/trace")),
    "binary": (lambda _: b"\x01\xfe" * 99, ("binary data beginning with 01 fe", "perf sched record")),
    "packed": (lambda traces: gzip.compress(b"x"), ("it looks like a text file, packed with gzip",)),
    "packed twice": (
        lambda traces: gzip.compress(gzip.compress(b"x")),
        ("something packed with gzip, packed with gzip",),
    ),
    "packed and cut": (lambda traces: gzip.compress(b"x" * 99)[:10], ("gzip data with nothing in it that can be",)),
    "packed by zip": (lambda traces: b"PK\x03\x04" + b"x" * 99, ("it looks like a zip archive; unpack it first",)),
    "cut before the first record": (lambda traces: perf(traces)[:100], ("ends at byte 100",)),
    "flipped in the header": (lambda traces: flipped(perf(traces), 20), ("byte",)),
    "no sched events": (
        lambda traces: perf(traces).replace(b"sched_", b"schod_"),
        ("no scheduling events", "perf sched record"),
    ),
    "a Go trace without events": (lambda traces: go(traces)[:16], ("no events", "record again")),
}


def perf(traces: Path) -> bytes:
    return (traces / "messaging-thread.data").read_bytes()


def go(traces: Path) -> bytes:
    return (traces / "go-forkjoin.trace").read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_a_recording_that_can_not_be_read(cli: Cli, tmp_path: Path, traces: Path, case: str) -> None:
    content, parts = CASES[case]
    (tmp_path / "it").write_bytes(content(traces))
    assert_refused(cli("ingest", "it", "-o", "out.tracekit"), 1, "it", *parts)
    assert left_in(tmp_path, "it") == set()


@pytest.mark.parametrize("at", [9_000, 20_000, 33_333])
def test_a_flipped_byte_is_read_or_refused_but_never_a_traceback(
    cli: Cli, tmp_path: Path, traces: Path, at: int
) -> None:
    (tmp_path / "it").write_bytes(flipped(go(traces), at))
    code, out, err = cli("ingest", "it", "-o", "out.tracekit")
    assert "unexpected" not in err and "broken laws" not in out
    assert left_in(tmp_path, "it") == ({"out.tracekit"} if code == 0 else set())


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "No such file"), (".", "a directory, not a recording"), ("/dev/null", "not a regular file")],
)
def test_what_is_no_file(cli: Cli, tmp_path: Path, name: str, message: str) -> None:
    assert_refused(cli("ingest", name, "-o", "out.tracekit"), 1, name, message)
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("command", ["ingest", "synth", "replay"])
def test_an_output_folder_that_can_not_be_written(cli: Cli, tmp_path: Path, traces: Path, command: str) -> None:
    what = traces / "go-forkjoin.trace" if command == "ingest" else "fork_join"
    more = ["--model", "thread"] if command == "replay" else []
    (tmp_path / "file").touch()
    assert_refused(cli(command, what, *more, "-o", "file/out"), 1, "file/out", "can't write")
    assert left_in(tmp_path, "file") == set()


def test_what_exists_is_not_overwritten(cli: Cli, tmp_path: Path) -> None:
    assert cli("synth", "fork_join", "-o", "p.tracekit")[0] == 0
    assert_refused(cli("synth", "mutex", "-o", "p.tracekit"), 1, "p.tracekit: exists already", "--force")
    assert cli("synth", "mutex", "-o", "p.tracekit", "--force")[0] == 0
    (tmp_path / "notes").mkdir()
    assert_refused(cli("synth", "mutex", "-o", "notes", "--force"), 1, "no tracekit bundle")


WORKLOAD = """
[tasks.main]
start = "0ms"
steps = [{ compute = "1ms" }, { %s = "x" }]
"""


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("replay", "fork_join", "--model", "tread"), ("no model 'tread'", "did you mean 'thread'?", "goroutine")),
        (("replay", "fork_join", "--model", ","), ("names no model",)),
        (("replay", "fork_join", "--model", "no.such:MODEL"), ("no.such:MODEL",)),
        (("replay", "fork_join", "--model", "recorded"), ("needs a recording",)),
        (("replay", "fork_join", "--cpus", "0"), ("--cpus",)),
        (("replay", "fork_join", "--cpus", "two"), ("--cpus",)),
        (("replay", "fork_join", "--seed", "-1"), ("--seed",)),
        (("replay", "fork_join", "--kernel", "eevd"), ("eevd", "eevdf")),
        (("replay", "fork_join", "--set", "speed"), ("--set 'speed' is not NAME=VALUE",)),
        (("replay", "fork_join", "--set", "thread.min_capacty=1"), ("did you mean 'thread.min_capacity'?",)),
        (("replay", "fork_join", "--set", "thread.min_capacity=much"), ("thread.min_capacity=much",)),
        (("replay", "fork_join", "--process", "7"), ("--process", "a program already")),
        (("replay", "fork_join", "--profile", "nowhere.toml"), ("nowhere.toml", "profile")),
        (("replay", "fork_jion"), ("fork_jion", "fork_join")),
        (("synth", "typo.toml"), ("typo.toml:4", "sleap")),
        (("synth", "nowhere.toml"), ("nowhere.toml",)),
        (("synth", "fork_join", "--set", "widht=3"), ("widht", "width")),
        (("models", "tread"), ("did you mean 'thread'?",)),
        (("scenarios", "srver"), ("did you mean 'server'?",)),
        (("replya",), ("replay",)),
        (("ingest",), ("file",)),
        (("ingest", "x", "--wakeup", "never"), ("--wakeup",)),
    ],
)
def test_a_wrong_call(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    (tmp_path / "typo.toml").write_text(WORKLOAD % "sleap")
    assert_refused(cli(*arguments), 2, *parts)
    assert left_in(tmp_path, "typo.toml") == set()


def test_a_folder_of_bundles_is_not_one(cli: Cli) -> None:
    assert cli("replay", "fork_join", "--model", "thread", "-o", "f.runs")[0] == 0
    assert_refused(cli("inspect", "f.runs"), 2, "f.runs: a folder of bundles", "program.tracekit, thread.tracekit")
    assert_refused(cli("replay", "f.runs/thread.tracekit"), 2, "a run is a replay's result")


def test_report_wants_runs(cli: Cli, tmp_path: Path) -> None:
    assert cli("synth", "fork_join", "-o", "p.tracekit")[0] == 0
    assert_refused(cli("report", "p.tracekit"), 2, "no run among these bundles", "tracekit replay")
    assert_refused(cli("report", "nowhere"), 1, "nowhere", "not a tracekit bundle")
    (tmp_path / "page.html").write_text("mine")
    assert_refused(cli("report", "p.tracekit", "-o", "page.html"), 1, "exists already", "--force")
    assert left_in(tmp_path, "p.tracekit", "page.html") == set()
