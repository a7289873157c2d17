"""One story in every form of a trace.dat: all give the tables that the events themselves give."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.trace_dat_files import Ring, Shape, Writer, trace_dat
from tests.unit.kernel_text import built
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.registry import identify, ingest
from tracekit.sources.trace_dat import SOURCE
from tracekit.sources.trace_dat.options import TSC2NSEC
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

STORY = """
    1000 cpu0 1 stat_runtime 1 50
    1110 cpu0 1 fork 4
    1120 cpu0 1 wakeup_new 4 cpu1
    1200 cpu1 3 switch S 4
    1300 cpu1 4 waking 3 cpu0 irq
    1310 cpu1 4 migrate 3 cpu1
    1400 cpu0 1 switch D 0
    1500 cpu1 4 switch R+ 3
    1600 cpu1 3 switch S 4
    1700 cpu1 4 switch Z 0
    900000000000 cpu0 0 switch R 1
    900000000100 cpu0 1 switch S 0
"""
PARTS = [
    Shape(6 + (codec != "6"), bool(big), long_size, codec="none" if codec == "6" else codec, page_size=page_size)
    for codec, big, long_size, page_size in itertools.product(
        ("6", "none", "zlib", "zstd"), (0, 1), (4, 8), (512, 4096)
    )
]


def read(data: bytes, folder: Path) -> Trace:
    path = folder / "trace.dat"
    path.write_bytes(data)
    assert identify(path) is SOURCE
    trace = SOURCE.read(path, ReadOptions())
    assert check(trace) == []
    return trace


@pytest.mark.parametrize(
    "shape", PARTS, ids=lambda s: f"v{s.version}-{s.codec}-{'big' if s.big else 'little'}-{s.long_size}-{s.page_size}"
)
def test_all_forms_tell_the_same(shape: Shape, tmp_path: Path) -> None:
    trace, direct = read(trace_dat(STORY, shape), tmp_path), built(STORY)
    for table in ("intervals", "wakeups", "gaps"):
        mine = trace.tables[table]
        assert mine.drop_columns("stream" if table == "gaps" else []).equals(
            direct.tables[table].drop_columns("stream" if table == "gaps" else [])
        )
    assert trace.tables["tasks"]["source_id"].equals(direct.tables["tasks"]["source_id"])
    assert trace.meta["source"]["version"] == str(shape.version)
    assert (trace.meta["clock"]["name"], trace.meta["clock"]["origin_ns"]) == ("CLOCK_MONOTONIC", 1000)


def test_longer_common_fields_move_all_others(tmp_path: Path) -> None:
    wider = read(trace_dat(STORY, Shape(common_size=12)), tmp_path)
    assert wider.tables["intervals"].equals(read(trace_dat(STORY), tmp_path).tables["intervals"])


def test_names_come_from_events_and_where_these_have_none_from_the_saved_command_lines(tmp_path: Path) -> None:
    story = "0 - 0 comm 4 worker\n 10 cpu0 77 switch S 4\n 20 cpu0 4 waking 5 cpu0\n 30 cpu0 4 switch S 1"
    tasks = read(trace_dat(story), tmp_path).frame("tasks")
    assert dict(tasks.select("source_id", "name").rows()) == {77: "sleeper", 4: "worker", 5: "task 5", 1: "saved"}


def test_a_system_call_says_what_its_task_waits_for_where_the_machine_is_known(tmp_path: Path) -> None:
    story = "0 cpu0 2 switch S 1\n 10 cpu0 1 sys_enter 202\n 20 cpu0 1 switch S 2\n 30 cpu0 2 waking 1 cpu0\n" + (
        "40 cpu0 2 switch S 1\n 60 cpu0 1 switch S 2"
    )

    def reasons(uname: bytes) -> list[str | None]:
        blocked = read(trace_dat(story, Shape(options=((5, uname),))), tmp_path).frame("intervals")
        return blocked.filter((blocked["state"] == "BLOCKED") & (blocked["start_ns"] == 20))["reason"].to_list()

    assert reasons(b"Linux here 6.18 x86_64") == ["lock"]
    assert reasons(b"Linux here 6.18 aarch64\0") == ["network"]
    assert reasons(b"Linux here 6.18 alpha\0") == [None]


@pytest.mark.parametrize("version", [6, 7])
def test_an_event_that_two_buffers_have_is_taken_from_that_which_has_more(version: int, tmp_path: Path) -> None:
    writer = Writer(Shape(version))
    lines = STORY.strip().splitlines()
    few = "\n".join(line for line in lines if "switch" not in line or "900000" in line)
    switches = "\n".join(line for line in lines if "switch" in line)
    rings = [Ring("", pages=writer.rings(few)), Ring("other", pages=writer.rings(switches))]
    trace = read(writer.file(rings), tmp_path)
    assert trace.tables["intervals"].equals(read(trace_dat(STORY), tmp_path).tables["intervals"])
    assert {"policy": "the events of buffer ''", "choice": "left out: the same events are in another buffer",
            "count": 2} in trace.meta["policies"]  # fmt: skip


def test_a_buffer_on_another_clock_is_left_out(tmp_path: Path) -> None:
    writer = Writer(Shape())
    other = Ring("late", "boot", writer.rings("5 cpu0 8 waking 9 cpu1\n 7 cpu1 8 switch S 9"))
    trace = read(writer.file([other, Ring("", "mono", writer.rings(STORY))]), tmp_path)
    assert trace.tables["intervals"].equals(read(trace_dat(STORY), tmp_path).tables["intervals"])
    assert [row for row in trace.meta["policies"] if "late" in row["policy"]] == [
        {"policy": "the events of buffer 'late'", "choice": "left out: its clock is boot", "count": 2}
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:10] + b"5" + data[11:], "its file version is '5'"),
        (lambda data: data[:40], "ends too early"),
        (lambda data: data.replace(b"flyrecord\0", b"latency  \0"), "it holds a latency tracer's text"),
        (lambda data: data.replace(b"type == 29", b"type == 0 "), "2.6.30"),
        (lambda data: data.replace(b"name: sched", b"name: shced"), "no scheduling events"),
    ],
)
def test_what_can_not_be_read_is_said(change, words: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SourceError, match=words):
        read(change(trace_dat(STORY, Shape(6))), tmp_path)


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    data = trace_dat(STORY, Shape(codec="zstd")).replace(b"zstd\0", b"lz4\0\0", 1)
    with pytest.raises(SourceError, match="it is packed with 'lz4'"):
        read(data, tmp_path)


def test_a_version_7_cut_before_its_options_says_so(tmp_path: Path) -> None:
    data = trace_dat(STORY)
    with pytest.raises(SourceError, match="at byte"):
        read(data[: len(data) - 600], tmp_path)


def test_a_version_6_cut_within_its_pages_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    data = trace_dat(STORY, Shape(6))
    trace = read(data[:-300], tmp_path)
    gaps = trace.frame("gaps")
    assert gaps.filter(gaps["cause"] == "truncated")["cpu"].to_list() == [1]
    assert 0 < trace.meta["events"] < read(data, tmp_path).meta["events"]


def test_a_damaged_chunk_is_a_hole_between_the_others(tmp_path: Path) -> None:
    story = "\n".join(f"{1000 + 10 * n} cpu0 {1 + n % 2} switch S {2 - n % 2}" for n in range(40))
    shape = Shape(codec="zlib", chunk=1, cpus=1)
    data = trace_dat(story, shape)
    whole = read(data, tmp_path)
    writer = Writer(shape)
    second = writer.compressed(writer.rings(story)[0][512:1024])
    assert data.count(second) == 1
    trace = read(data.replace(second, second[:8] + bytes(8) + second[16:]), tmp_path)
    gaps = trace.frame("gaps")
    hole = gaps.filter(gaps["cause"] == "corrupt").to_dicts()
    assert [(row["cpu"], row["start_ns"] < row["end_ns"]) for row in hole] == [(0, True)]
    assert 0 < trace.meta["events"] < whole.meta["events"]
    assert hole[0]["end_ns"] < trace.meta["end_ns"] == whole.meta["end_ns"]


def test_pages_of_one_chunk_or_of_many_are_the_same(tmp_path: Path) -> None:
    story = "\n".join(f"{1000 + 10 * n} cpu{n % 2} {1 + n % 2} switch S {3 + n % 2}" for n in range(60))
    shape = Shape(codec="zstd")
    first, *others = (read(trace_dat(story, replace(shape, chunk=chunk)), tmp_path).tables for chunk in (1, 2, 100))
    for other in others:
        assert all(first[name].equals(other[name]) for name in first)
    assert np.asarray(first["intervals"]["start_ns"]).max() > 0


def test_data_that_two_cpus_claim_is_read_once(tmp_path: Path) -> None:
    writer = Writer(Shape(6))
    pages = writer.rings(STORY)
    data = writer.file([Ring("", pages=pages)])
    at = data.rindex(b"flyrecord\0") + 10
    doubled = data[: at + 16] + data[at : at + 16] + data[at + 32 :]
    trace = read(doubled, tmp_path)
    assert trace.meta["events"] == sum(line.split()[1] == "cpu0" for line in STORY.strip().splitlines())
    gaps = trace.frame("gaps")
    assert gaps.filter(gaps["cause"] == "corrupt")["cpu"].to_list() == [1]


def test_an_instance_whose_list_of_cpus_is_cut_off_is_a_hole(tmp_path: Path) -> None:
    writer = Writer(Shape(6))
    rings = [Ring("", pages=writer.rings(STORY)), Ring("other", pages=writer.rings("5 cpu0 8 switch S 9"))]
    data = writer.file(rings)
    trace = read(data[: data.rindex(b"flyrecord\0") + 12], tmp_path)
    assert trace.tables["intervals"].equals(read(trace_dat(STORY, Shape(6)), tmp_path).tables["intervals"])
    assert trace.frame("gaps").filter(trace.frame("gaps")["cause"] == "truncated")["stream"].to_list() == [
        "the buffer 'other'"
    ]


@pytest.mark.parametrize("filler", [b"\n", b" ", b"[", b"field:", b"name: sched_switch", b"\0"])
def test_texts_of_nonsense_take_no_time(filler: bytes, tmp_path: Path) -> None:
    """Patterns that look back from every place would take hours for this."""
    writer = Writer(Shape(6))
    data = writer.file([Ring("", pages=writer.rings(STORY))])
    saved = writer.sized("Q", b"1 saved\n77 sleeper\n")
    described = writer.sized("Q", writer.format_text("fork"))
    long = (filler * (1 << 20))[: 1 << 20]
    for part, other in ((saved, long), (described, b"name: sched_switch\nID: 999\n" + long)):
        changed = data.replace(part, writer.sized("Q", other))
        assert len(changed) > 1 << 20
        with pytest.raises(SourceError):
            read(changed[: -len(data) // 2], tmp_path)


def _parts(folder: Path, shapes: tuple[Shape, Shape]) -> list[Path]:
    """STORY in two files, one of each CPU, as trace-cmd's own per-CPU recorders would have left it."""
    paths = [folder / "a.dat", folder / "b.dat"]
    for path, cpu, shape in zip(paths, ("cpu0", "cpu1"), shapes, strict=True):
        lines = [line for line in STORY.splitlines() if line.split()[1:2] == [cpu]]
        path.write_bytes(trace_dat("\n".join(lines), shape))
    return paths


def test_files_of_one_run_and_one_clock_are_one_trace(tmp_path: Path) -> None:
    paths = _parts(tmp_path, (Shape(7), Shape(6)))
    together, whole = ingest(paths), read(trace_dat(STORY), tmp_path)
    assert check(together) == []
    for table in ("tasks", "intervals", "wakeups"):
        assert together.tables[table].equals(whole.tables[table]), table
    assert [part["path"] for part in together.meta["source"]["files"]] == [str(path) for path in paths]
    assert together.meta["events"] == whole.meta["events"]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (Shape(), Shape(clock="boot"), "its clock is CLOCK_BOOTTIME, that of .* is CLOCK_MONOTONIC"),
        (Shape(), Shape(clock=""), "does not say which clock"),
        (
            Shape(clock="x86-tsc", options=((TSC2NSEC, struct.pack("<IIQ", 3 << 30, 31, 0)),)),
            Shape(clock="x86-tsc"),
            "in ticks of its clock and the other in ns",
        ),
    ],
)
def test_files_of_other_clocks_are_not(first: Shape, second: Shape, words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=words):
        ingest(_parts(tmp_path, (first, second)))


def test_files_of_two_kernels_are_not(recordings: Path) -> None:
    ours, other = recordings / "ftrace" / "ft-messaging.dat", recordings / "public" / "trace.dat" / "trappy-raw.dat"
    with pytest.raises(SourceError, match="another kernel recorded them"):
        ingest([ours, other])


def test_a_format_whose_name_is_damaged_is_of_no_known_event(tmp_path: Path) -> None:
    """Found by fuzzing: one pattern finds the name of a known event, the other a longer one."""
    data = Writer(Shape(6)).file([Ring("", pages=Writer(Shape(6)).rings(STORY))])
    whole = read(data, tmp_path)
    changed = data.replace(b"name: sched_wakeup_new", b"name: sched_wakeup\x7fnew")
    assert changed != data
    damaged = read(changed, tmp_path)
    assert damaged.tables["intervals"].num_rows > 0
    assert damaged.tables["wakeups"].num_rows <= whole.tables["wakeups"].num_rows
