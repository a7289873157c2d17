"""Perfetto traces from bytes: every layout gives the tables of its events, and what is missing is a gap or an error."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.fuzz.perfetto_damage import STORY
from tests.fuzz.perfetto_files import MONOTONIC_NS, WALL_NS, Shape, Writer, block, number, packet, perfetto_file
from tests.unit.kernel_text import built, events_of
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions, Source
from tracekit.sources.kernel.events import PREV_STATE_CODES
from tracekit.sources.perfetto import SOURCE
from tracekit.sources.perfetto.recording import states_of
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

TRACED = "\n".join(line for line in STORY.splitlines() if " comm " not in line)
SHAPES = {
    "plain": Shape(),
    "compact": Shape(compact=True),
    "deflate": Shape(compress="deflate"),
    "compact zstd": Shape(compress="zstd", compact=True),
    "small bundles": Shape(bundle_events=1, previous_end=True),
    "one bundle a CPU": Shape(bundle_events=100, compact=True, previous_end=True),
}


def read(data: bytes, folder: Path, options: ReadOptions | None = None) -> Trace:
    path = folder / "trace"
    path.write_bytes(data)
    trace = SOURCE.read(path, options or ReadOptions())
    assert check(trace) == []
    return trace


def refusal(data: bytes, folder: Path) -> str:
    with pytest.raises(SourceError) as error:
        read(data, folder)
    assert error.value.remedy
    assert "\n" not in str(error.value)
    return str(error.value)


def gaps(trace: Trace, cause: str) -> list[tuple[object, ...]]:
    rows = trace.frame("gaps").filter(pl.col("cause") == cause).to_dicts()
    return [(row["cpu"], row["start_ns"], row["end_ns"], row["lost_events"]) for row in rows]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_layout_gives_the_tables_of_its_events(shape: Shape, tmp_path: Path) -> None:
    text = (
        TRACED
        if not shape.compact
        else TRACED.replace("1000 cpu0 0", "1000 cpu0 -1").replace("1005 cpu1 0", "1005 cpu1 -1")
    )
    trace, expected = read(perfetto_file(TRACED, shape), tmp_path), built(text)
    for name, table in expected.tables.items():
        assert trace.tables[name].to_pylist() == table.to_pylist(), name


def test_names_are_those_of_the_events(tmp_path: Path) -> None:
    for shape in (Shape(), Shape(compact=True)):
        names = read(perfetto_file(STORY, shape), tmp_path).frame("tasks").select("source_id", "name").rows()
        assert dict(names)[1] == "main"
        assert dict(names)[3] == "other"


def test_the_source_is_found_by_content() -> None:
    assert isinstance(SOURCE, Source)
    data = perfetto_file(STORY)
    assert SOURCE.matches(data)
    assert SOURCE.matches(data[:40])
    assert not SOURCE.matches(b"\n\n# tracer: nop\n")
    assert not SOURCE.matches(b"")


def test_meta(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    data = perfetto_file(STORY)
    meta = read(data, tmp_path, ReadOptions(progress=lambda done, total: seen.append((done, total)))).meta
    assert (meta["kernel"], meta["cpus"], meta["source"]["version"]) == ("6.1.0", 2, "v1")
    assert meta["clock"] == {
        "name": "CLOCK_BOOTTIME", "origin_ns": 1000, "wall_origin_ns": WALL_NS + 1000,
        "monotonic_origin_ns": MONOTONIC_NS + 1000,
    }  # fmt: skip
    assert seen[-1] == (len(data), len(data))
    assert seen == sorted(seen)


def test_the_local_clock_is_told_in_boottime(tmp_path: Path) -> None:
    clock = read(perfetto_file(STORY, Shape(clock=3)), tmp_path).meta["clock"]
    assert (clock["name"], clock["origin_ns"]) == ("CLOCK_BOOTTIME", 1000 + 700)  # the bundles say 1000 is 1700


def _bundles(extra: list[bytes], shape: Shape) -> bytes:
    """CPU 0's first two events and its last two, as bundles of which the second says `extra[1]` and so on."""
    events, names = events_of(
        "1000 cpu0 0 switch R 1\n1100 cpu0 1 switch S 2\n2000 cpu0 2 switch S 3\n2100 cpu0 3 switch S 1"
    )
    writer = Writer(lambda tid: names.get(tid, ""), shape)
    parts = [[events[0], events[1]], [events[2], events[3]]]
    made = [writer.bundle(0, part, more) for part, more in zip(parts, extra, strict=True)]
    return b"".join(packet(block(1, content)) for content in made)


@pytest.mark.parametrize("compact", [False, True], ids=["plain", "compact"])
def test_lost_events_are_a_gap_and_nobody_runs_through_it(compact: bool, tmp_path: Path) -> None:
    stats = packet(block(34, number(1, 2) + block(2, number(1, 0) + number(3, 17))))
    trace = read(_bundles([b"", number(3, 1)], Shape(compact=compact)) + stats, tmp_path)
    assert gaps(trace, "lost_records") == [(0, 100, 1000, 17)]
    rows = trace.frame("intervals").filter(pl.col("state") == "RUNNING").rows(named=True)
    seen_last = [row for row in rows if row["task_id"] == 1]
    if compact:  # plain events say that 2 left at last
        assert all(row["end_ns"] <= 100 for row in seen_last)


def test_bundles_that_are_missing_are_a_gap(tmp_path: Path) -> None:
    trace = read(_bundles([b"", number(10, 1900)], Shape(compact=True)), tmp_path)
    assert gaps(trace, "lost_records") == [(0, 100, 1000, None)]


def test_a_cpu_is_whole_only_from_where_the_recorder_says(tmp_path: Path) -> None:
    events, names = events_of("1000 cpu0 0 switch R 1\n5000 cpu1 0 switch R 2\n6000 cpu0 1 switch S 0")
    writer = Writer(lambda tid: names.get(tid, ""), Shape())
    made = [
        writer.bundle(0, [events[0]], number(10, 0)),
        writer.bundle(1, [events[1]], number(10, 4000)),
        writer.bundle(0, [events[2]], number(10, 1000)),
    ]
    trace = read(b"".join(packet(block(1, content)) for content in made), tmp_path)
    assert gaps(trace, "lost_records") == [(1, 0, 3000, None)]


def test_arrays_that_do_not_fit_are_marked(tmp_path: Path) -> None:
    data = perfetto_file(STORY, Shape(compact=True, bundle_events=100))
    broken = data.replace(b'"\x05xxxxx', b'"\x05xxxx\xf8')
    trace = read(broken, tmp_path)
    assert broken != data
    assert gaps(trace, "corrupt")
    assert trace.meta["events"] < read(data, tmp_path).meta["events"]


def test_a_cut_file_gives_what_it_holds(tmp_path: Path) -> None:
    data = perfetto_file(STORY)
    trace = read(data[:-30], tmp_path)
    assert 0 < trace.meta["events"] < read(data, tmp_path).meta["events"]
    assert gaps(trace, "truncated")


def test_bytes_that_make_no_packet_are_skipped_and_marked(tmp_path: Path) -> None:
    data = perfetto_file(STORY)
    at = data.index(packet(b"")[-2:] + b"\n", 200) + 2  # a packet ends with its sequence, and the next begins
    trace = read(data[:at] + b"\xff" * 20 + data[at:], tmp_path)
    assert trace.meta["events"] == read(data, tmp_path).meta["events"]
    assert any(row["stream"] == f"bytes {at} to {at + 20}" for row in trace.frame("gaps").to_dicts())


def test_two_recorders_of_one_kernel_count_once(tmp_path: Path) -> None:
    data = perfetto_file(STORY)
    events, names = events_of(STORY)
    writer = Writer(lambda tid: names.get(tid, ""), Shape())
    again = b"".join(packet(block(1, content), sequence=9) for content in writer.bundles(events))
    trace = read(data + again, tmp_path)
    assert trace.tables["intervals"].equals(read(data, tmp_path).tables["intervals"])
    assert any("two recorders" in str(policy["policy"]) for policy in trace.meta["policies"])


def test_a_bundle_at_an_impossible_time_is_left_out(tmp_path: Path) -> None:
    lines = [line for line in TRACED.splitlines() if "cpu" in line]
    text = "\n".join(line.replace("1400 cpu0", "9000000001400 cpu0") for line in lines)
    assert read(perfetto_file(text, Shape(bundle_events=1)), tmp_path).meta["end_ns"] == 720


def test_old_kernels_have_other_bits() -> None:
    codes = {name: PREV_STATE_CODES[name] for name in ("S", "Z", "P", "I", "R+", "R", "?")}
    new, _ = states_of("6.1.0")
    assert [new[raw] for raw in (0, 1, 0x20, 0x40, 0x80, 0x100)] == [
        codes[name] for name in ("R", "S", "Z", "P", "I", "R+")
    ]
    old, policy = states_of("4.9.112")
    assert (old[0x200], old[0x1000], old[1]) == (codes["P"], codes["R+"], codes["S"])
    assert "before" in str(policy["choice"])
    assert states_of("3.18.0")[0][0x800] == codes["R+"]


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    assert "the file is empty" in refusal(b"", tmp_path)
    only_print = packet(block(1, number(1, 0) + block(2, number(1, 5) + number(2, 1) + block(3, b"x"))))
    assert "none of its 1 ftrace events is one of scheduling" in refusal(only_print, tmp_path)
    assert "track events" in refusal(packet(block(11, b"")), tmp_path)
    assert "no whole packet" in refusal(b"\n\x7f\x08", tmp_path)
    no_cpu = packet(block(1, block(2, number(1, 5) + number(2, 1) + block(4, number(6, 1)))))
    assert "none of its scheduling events has a time and a CPU" in refusal(no_cpu, tmp_path)
