"""What is packed or piped is read as what is in it, under the name that was given; and what a reader makes goes to a sink."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tests.fuzz.perf_files import perf_file
from tests.unit.test_cli_sources import Diary, Entry, install
from tracekit.cli import inputs
from tracekit.cli.main import run
from tracekit.errors import SourceError, UsageError
from tracekit.sources import wrapped
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.merging import of_one_run
from tracekit.sources.registry import identify, ingest, ingest_pipe
from tracekit.tables import store
from tracekit.tables.bundle import Trace
from tracekit.tables.stream import Collector

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": lambda data: bytes(pa.compress(data, "zstd", asbytes=True)),
}


def rows(trace: Trace) -> dict[str, list[dict[str, object]]]:
    return {name: table.to_pylist() for name, table in trace.tables.items()}


@pytest.fixture
def recording(traces: Path) -> Path:
    return traces / "messaging-thread.data"


@pytest.mark.parametrize("wrapper", PACKERS)
def test_a_packed_recording_is_read_as_what_is_in_it(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapper: str
) -> None:
    monkeypatch.setattr(wrapped.tempfile, "tempdir", str(tmp_path))
    packed = tmp_path / "perf.data.packed"
    packed.write_bytes(PACKERS[wrapper](recording.read_bytes()))
    assert identify(packed).name == "perf.data"
    plain, trace = ingest(recording), ingest(packed)
    assert rows(trace) == rows(plain)
    source = trace.meta["source"]
    assert (source["path"], source["wrapper"], source["size_bytes"]) == (str(packed), wrapper, packed.stat().st_size)
    assert source["sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert source["unpacked_bytes"] == recording.stat().st_size
    assert list(tmp_path.iterdir()) == [packed]


@pytest.mark.parametrize("wrapper", PACKERS)
def test_of_a_cut_one_the_beginning_is_read_and_the_loss_is_said(recording: Path, tmp_path: Path, wrapper: str) -> None:
    packed = tmp_path / "cut"
    whole = PACKERS[wrapper](recording.read_bytes())
    packed.write_bytes(whole[: len(whole) * 3 // 4])
    trace = ingest(packed)
    assert trace.tables["intervals"].num_rows > 0
    assert any(wrapper in str(policy["policy"]) for policy in trace.meta["policies"])


def test_an_error_names_the_file_that_was_given(recording: Path, tmp_path: Path) -> None:
    packed = tmp_path / "short.gz"
    packed.write_bytes(gzip.compress(recording.read_bytes()[:100]))
    with pytest.raises(SourceError, match=r"short\.gz: .*byte 100") as caught:
        ingest(packed)
    assert "tracekit-" not in str(caught.value)


def test_no_room_to_unpack_is_said_with_what_to_do(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "p.gz"
    packed.write_bytes(gzip.compress(recording.read_bytes()))
    usage = shutil.disk_usage(tmp_path)._replace(free=wrapped._LEFT_BYTES + 1000)
    monkeypatch.setattr(wrapped.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(SourceError, match=r"p\.gz: it is larger than the room in .*TMPDIR"):
        ingest(packed)


def test_a_pipe_is_read_whole_first(recording: Path) -> None:
    trace = ingest_pipe(io.BytesIO(recording.read_bytes()), "standard input", ReadOptions())
    assert rows(trace) == rows(ingest(recording))
    assert trace.meta["source"]["path"] == "standard input"
    with pytest.raises(SourceError, match=r"^standard input: the file is empty"):
        ingest_pipe(io.BytesIO(b""), "standard input", ReadOptions())


def test_ingest_reads_standard_input(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stdin:
        buffer = io.BytesIO(gzip.compress(recording.read_bytes()))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inputs.sys, "stdin", Stdin)
    assert run(["ingest", "-"]) == 0
    assert "Wrote stdin.tracekit" in capsys.readouterr().out
    loaded = store.load(tmp_path / "stdin.tracekit")
    assert isinstance(loaded, Trace)
    assert rows(loaded) == rows(ingest(recording))
    with pytest.raises(UsageError, match="standard input is a whole recording"):
        inputs.recordings([Path("-"), recording], "waking")


def test_rows_go_to_the_sink_whether_or_not_the_source_knows_of_it(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Collector()
    trace = ingest(recording, ReadOptions(sink=kept))
    assert all(table.num_rows == 0 for table in trace.tables.values())
    assert rows(Trace(kept.tables())) == rows(ingest(recording))

    class Full(Diary):
        def read(self, path: Path, options: ReadOptions) -> Trace:
            return Trace(kept.tables(), {"from": path.name})

    install(monkeypatch, Entry("diary", Full()))
    (tmp_path / "today").write_text("dear diary")
    again = Collector()
    assert ingest(tmp_path / "today", ReadOptions(sink=again)).meta == {"from": "today"}
    assert rows(Trace(again.tables())) == rows(Trace(kept.tables()))


def test_files_that_are_no_one_run_are_refused(recording: Path, traces: Path) -> None:
    go = traces / "go-forkjoin.trace"
    with pytest.raises(SourceError, match=r"go-forkjoin\.trace: it is .*, and .*messaging-thread\.data is perf\.data"):
        ingest([recording, go])
    with pytest.raises(SourceError, match=r"several files of .* are not one run; ingest each by itself"):
        ingest([go, go])


def by_cpu(text: str, cpus: int) -> list[str]:
    """A text's events apart by CPU, as a recorder with a file for each CPU writes them; comments in each."""
    lines = text.splitlines(keepends=True)
    return ["".join(line for line in lines if line.startswith("#") or f"[{cpu:03d}]" in line) for cpu in range(cpus)]


def test_a_file_for_each_cpu_is_one_run(recordings: Path, tmp_path: Path) -> None:
    packed = recordings / "perf" / "messaging-proc.script.txt.gz"
    paths = []
    for cpu, text in enumerate(by_cpu(gzip.decompress(packed.read_bytes()).decode(), 2)):
        path = tmp_path / f"cpu{cpu}.txt"
        path.write_text(text)
        paths.append(path)
    apart, whole = ingest(paths), ingest(packed)
    assert apart.meta["events"] == whole.meta["events"]
    assert sorted(map(str, rows(apart)["wakeups"])) == sorted(map(str, rows(whole)["wakeups"]))
    assert rows(apart)["intervals"] == rows(whole)["intervals"]
    source = apart.meta["source"]
    assert [part["path"] for part in source["files"]] == [str(path) for path in paths]
    assert source["path"] == f"{paths[0]}, {paths[1]}"


RUN = """
    1000 cpu0 1 switch S 2
    1100 cpu1 7 switch S 8
    1200 cpu0 2 waking 1 cpu1
    1300 cpu1 8 switch R+ 1
    1400 cpu0 2 switch D 0
    1500 cpu1 1 waking 2 cpu0
    1600 cpu0 0 switch R 2
"""


def test_perf_files_of_one_run_are_read_as_one(tmp_path: Path) -> None:
    texts = {"whole": RUN} | {
        f"cpu{cpu}": "\n".join(x for x in RUN.splitlines() if f" cpu{cpu} " in x[:14]) for cpu in (0, 1)
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(perf_file(text))
    apart, whole = ingest([tmp_path / "cpu0", tmp_path / "cpu1"]), ingest(tmp_path / "whole")
    assert rows(apart)["intervals"] == rows(whole)["intervals"]
    assert rows(apart)["wakeups"] == rows(whole)["wakeups"]
    assert (apart.meta["events"], apart.meta["cpus"]) == (whole.meta["events"], whole.meta["cpus"])


def test_files_of_two_clocks_are_no_run() -> None:
    metas = [
        {
            "clock": {"name": name}, "host": None, "kernel": "6.18", "cpus": 1,
            "source": {"path": name, "sha256": "", "size_bytes": 1},
        }
        for name in ("mono", "boot")
    ]  # fmt: skip
    with pytest.raises(SourceError, match=r"^boot: its clock is boot, that of mono is mono; only files of one run"):
        of_one_run(metas)
    assert of_one_run([metas[0], metas[0]])["source"]["size_bytes"] == 2
