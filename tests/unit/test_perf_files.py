"""perf.data from bytes: every layout gives the same events, and what is wrong with a file is said in one line."""

from __future__ import annotations

import struct
from pathlib import Path

import polars as pl
import pytest

from tests.fuzz.perf_files import Shape, perf_file
from tests.unit.kernel_text import built
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions, Source
from tracekit.sources.perf_data import SOURCE
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

STORY = """
    0 - 1 known 1 of 1
    0 - 0 comm 1 main
    1000 cpu0 1 stat_runtime 1 50
    1100 - 1 fork 2 of 1
    1110 cpu0 1 fork 2
    1120 cpu0 1 wakeup_new 2 cpu1
    1200 cpu1 3 switch S 2
    1250 - 0 comm 2 worker
    1300 cpu1 2 waking 3 cpu0 irq
    1310 cpu1 2 migrate 3 cpu1
    1400 cpu0 1 switch D 0
    1500 cpu1 2 switch R+ 3
    1600 cpu1 3 switch S 2
    1650 - 0 exit 2
    1700 cpu1 2 switch Z 0
    1800 cpu0 1 waking 3 cpu1
"""

TRACED_ONLY = "\n".join(line for line in STORY.splitlines() if " - " not in line)


def read(data: bytes, folder: Path, options: ReadOptions | None = None) -> Trace:
    path = folder / "perf.data"
    path.write_bytes(data)
    trace = SOURCE.read(path, options or ReadOptions())
    assert check(trace) == []
    return trace


def refusal(data: bytes, folder: Path) -> str:
    with pytest.raises(SourceError) as error:
        read(data, folder)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(str(folder / "perf.data"))
    assert error.value.remedy
    return line


SHAPES = {
    "plain": Shape(),
    "other byte order": Shape(big=True),
    "pipe": Shape(pipe=True),
    "pipe of the other byte order": Shape(pipe=True, big=True),
    "callchains": Shape(callchains=True),
    "12 common bytes": Shape(common_size=12),
    "unfinished": Shape(finished=False),
    "compressed": Shape(packed=81),
    "compressed pipe": Shape(packed=81, pipe=True),
    "compressed, aligned": Shape(packed=83),
    "compressed, aligned, pipe of the other byte order": Shape(packed=83, pipe=True, big=True),
    "compressed and unfinished": Shape(packed=83, finished=False),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_layout_gives_the_tables_of_its_events(shape: Shape, tmp_path: Path) -> None:
    trace, expected = read(perf_file(STORY, shape), tmp_path), built(STORY)
    for name, table in expected.tables.items():
        assert trace.tables[name].to_pylist() == table.to_pylist(), name


def test_the_source_is_found_by_content() -> None:
    assert isinstance(SOURCE, Source)
    assert SOURCE.matches(perf_file(STORY)[:64])
    assert SOURCE.matches(perf_file(STORY, Shape(pipe=True, big=True)))
    assert not SOURCE.matches(b"PERFILE1 and more")


def test_meta(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    data = perf_file(STORY)
    meta = read(data, tmp_path, ReadOptions(progress=lambda done, total: seen.append((done, total)))).meta
    assert (meta["host"], meta["kernel"], meta["cpus"]) == ("here", "6.18", 2)
    assert meta["clock"] == {"name": "CLOCK_MONOTONIC", "origin_ns": 1000, "wall_origin_ns": None}
    assert (meta["events"], meta["end_ns"]) == (11, 800)
    assert meta["source"]["size_bytes"] == len(data)
    assert seen[-1] == (len(data), len(data))
    assert seen == sorted(seen)


def test_records_are_put_in_order_of_time(tmp_path: Path) -> None:
    by_cpu = sorted(STORY.strip().splitlines(), key=lambda line: line.split()[1].replace("-", "last"))
    trace = read(perf_file("\n".join(by_cpu)), tmp_path)
    assert trace.tables["intervals"].to_pylist() == built(STORY).tables["intervals"].to_pylist()


def test_notes_of_another_pid_namespace_are_left_out(tmp_path: Path) -> None:
    trace = read(perf_file(STORY, Shape(namespace=1000)), tmp_path)
    assert trace.tables["intervals"].to_pylist() == built(TRACED_ONLY).tables["intervals"].to_pylist()
    assert any("other task ids" in policy["policy"] for policy in trace.meta["policies"])


def _with_record(data: bytes, record: bytes, before: int) -> bytes:
    """`record` put into a pipe's output before its `before`-th sample."""
    at, seen = 16, 0
    while True:
        kind, _, size = struct.unpack_from("<IHH", data, at)
        if kind == 9 and (seen := seen + 1) > before:
            return data[:at] + record + data[at:]
        at += size + (struct.unpack_from("<I", data, at + 8)[0] if kind == 66 else 0)


def test_lost_records_are_a_gap_with_their_number(tmp_path: Path) -> None:
    lost = struct.pack("<IHHQQ", 2, 0, 56, 1, 17) + struct.pack("<iiQIIQ", 1, 1, 1390, 0, 0, 0)
    trace = read(_with_record(perf_file(STORY, Shape(pipe=True)), lost, 6), tmp_path)
    rows = trace.frame("gaps").filter(pl.col("cause") == "lost_records").to_dicts()
    assert [(row["cpu"], row["start_ns"], row["end_ns"], row["lost_events"]) for row in rows] == [(0, 120, 390, 17)]


def test_bytes_that_make_no_sense_are_skipped_and_marked(tmp_path: Path) -> None:
    trace = read(_with_record(perf_file(STORY, Shape(pipe=True)), b"\xff" * 24, 5), tmp_path)
    assert trace.tables["intervals"].to_pylist() == built(STORY).tables["intervals"].to_pylist()
    row = trace.frame("gaps").filter(pl.col("cause") == "corrupt").to_dicts()[0]
    assert (row["start_ns"], row["end_ns"]) == (300, 310)
    assert row["stream"].startswith("bytes ")


def test_a_time_that_can_not_be_is_left_out(tmp_path: Path) -> None:
    text = STORY.replace("1310 cpu1", "9000000001310 cpu1")
    trace = read(perf_file(text), tmp_path)
    assert trace.meta["end_ns"] == 800
    row = trace.frame("gaps").filter(pl.col("cause") == "corrupt").to_dicts()[0]
    assert (row["cpu"], row["start_ns"], row["lost_events"]) == (1, 300, 1)


def test_a_cut_file_gives_what_it_holds(tmp_path: Path) -> None:
    whole = perf_file(STORY, Shape(pipe=True))
    trace = read(whole[:-40], tmp_path)
    assert trace.meta["events"] == 10
    assert trace.frame("gaps")["cause"].to_list()[-1] == "truncated"


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    data = perf_file(STORY)
    records_at = struct.unpack_from("<Q", data, 40)[0]
    assert "ends at byte 50" in refusal(data[:50], tmp_path)
    assert "ends at byte 12" in refusal(data[:12], tmp_path)
    assert "formats of its events are lost" in refusal(data[: records_at + 200], tmp_path)
    assert "empty" in refusal(b"", tmp_path)
    assert "no scheduling events" in refusal(data.replace(b"name: sched_", b"name: other_"), tmp_path)
    assert "impossible size 3" in refusal(data[:8] + struct.pack("<Q", 3) + data[16:], tmp_path)
    assert "first format (PERFFILE)" in refusal(b"PERFFILE" + data[8:], tmp_path)
    in_folder = data[:75] + bytes([data[75] | 1]) + data[76:]  # HEADER_DIR_FORMAT is the bitmap's 24th
    assert "several files beside it" in refusal(in_folder, tmp_path)
    only_notes = "\n".join(line for line in STORY.splitlines() if " - " in line)
    assert "no scheduling events" in refusal(perf_file(only_notes), tmp_path)
