"""Whole files of kernel trace text: what they are recognised by, gaps, clocks, order, packing, errors."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz.kernel_text_lines import (
    STORY,
    WRITERS,
    Line,
    Writer,
    perf,
    report,
    report_raw,
    text,
    tracefs,
    tracefs_ticks,
)
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel_text import SOURCE, reader, windows
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

HTML = (
    b"<!DOCTYPE html>\n<html><head><title>Android System Trace</title></head>\n<body>\n"
    b'<script class="trace-data" type="application/text">\n%s  </script>\n</body>\n</html>'
)


def trace_of(data: bytes, folder: Path) -> Trace:
    path = folder / "trace.txt"
    path.write_bytes(data)
    assert SOURCE.matches(data[: 64 * 1024])
    trace = SOURCE.read(path, ReadOptions())
    assert [str(finding) for finding in check(trace)] == []
    return trace


def rows(trace: Trace) -> list[tuple[object, ...]]:
    tids = trace.tables["tasks"]["source_id"].to_pylist()
    return [
        (tids[row["task_id"]], row["cpu"], row["state"], row["start_ns"], row["end_ns"], row["reason"])
        for row in trace.tables["intervals"].to_pylist()
    ]


def causes(trace: Trace) -> list[tuple[object, ...]]:
    """Gaps that the text tells of, not those that the switch chain does."""
    gaps = trace.tables["gaps"].to_pylist()
    told = [gap for gap in gaps if gap["cause"] not in ("broken_chain", "inferred_switch")]
    return [(gap["cause"], gap["cpu"], gap["start_ns"], gap["end_ns"], gap["lost_events"]) for gap in told]


def policy(trace: Trace, words: str) -> int:
    found = [row["count"] for row in trace.meta["policies"] if words in str(row["policy"])]
    return int(found[0]) if found else 0


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_the_same_story_in_every_form(write: Writer, tmp_path: Path) -> None:
    trace = trace_of(text(STORY, write), tmp_path)
    assert rows(trace) == rows(trace_of(text(STORY, report), tmp_path))
    assert (4, 1, "RUNNABLE", 500_000, 700_000, "preempted") in rows(trace)
    assert trace.meta["events"] == len(STORY) - 1  # an exit is no event of a CPU
    assert trace.meta["cpus"] == 2
    form = {tracefs: "ftrace text", tracefs_ticks: "ftrace text", report: "trace-cmd report", perf: "perf script"}
    assert trace.meta["source"]["format"] == form.get(write, trace.meta["source"]["format"])
    assert causes(trace) == []


def test_ticks_are_not_passed_off_as_ns(tmp_path: Path) -> None:
    trace = trace_of(text(STORY, tracefs_ticks), tmp_path)
    assert trace.meta["clock"]["name"] == "ticks (x86-tsc or counter), not ns"
    assert policy(trace, "times are ticks") == len(STORY)
    assert policy(trace_of(text(STORY, tracefs), tmp_path), "resolution of the times") == 4


def test_what_the_text_does_not_say_is_a_policy(tmp_path: Path) -> None:
    assert policy(trace_of(text(STORY, perf), tmp_path), "whether an interrupt woke") == 2
    assert policy(trace_of(text(STORY, tracefs), tmp_path), "whether an interrupt woke") == 0
    assert policy(trace_of(text(STORY, report_raw), tmp_path), "prev_state is a number") == 4


def test_overwritten_and_lost_events_are_gaps(tmp_path: Path) -> None:
    data = text(STORY, tracefs).replace(b"written: 11/11", b"written: 11/31")
    lines = data.split(b"\n")
    lines[-3:-3] = [b"CPU:1 [LOST 12 EVENTS]"]
    trace = trace_of(b"\n".join(lines) + b"CPU:0 [LOST EVENTS]\n", tmp_path)
    assert causes(trace) == [
        ("lost_records", None, 0, 0, 20),
        ("lost_records", 0, 400_000, 700_000, None),
        ("lost_records", 1, 500_000, 600_000, 12),
    ]


def test_a_page_and_a_packed_trace(tmp_path: Path) -> None:
    plain = text(STORY, tracefs)
    for data in (
        HTML % plain,
        (HTML % plain.replace(b"\n", b"\\n\\\n")).replace(b'<script class="trace-data"', b'<script> linuxPerfData = "'),
        b"capturing trace... done\nTRACE:\n" + zlib.compress(plain),
        b"TRACE:\n" + plain,
        plain.replace(b"\n", b"\r\n"),
        plain[:-1],
    ):
        trace = trace_of(data, tmp_path)
        assert rows(trace) == rows(trace_of(plain, tmp_path)), data[:60]
        assert causes(trace) == []


def test_packed_text_that_breaks_off(tmp_path: Path) -> None:
    story = tuple(replace(line, time_ns=line.time_ns + n * 1_000_000) for n in range(300) for line in STORY[2:5])
    packed = zlib.compress(text(story, tracefs))
    trace = trace_of(b"TRACE:\n" + packed[: len(packed) // 2], tmp_path)
    assert [cause for cause, *_ in causes(trace)][-1:] == ["truncated"]
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0xFF
    assert "corrupt" in [cause for cause, *_ in causes(trace_of(b"TRACE:\n" + bytes(damaged), tmp_path))]


def test_a_cut_file(tmp_path: Path) -> None:
    data = text(STORY, perf)
    trace = trace_of(data[:-60], tmp_path)
    assert causes(trace) == [("truncated", 1, 600_000, 600_000, 1)] or causes(trace)[0][0] == "truncated"


def test_lines_out_of_order(tmp_path: Path) -> None:
    lines = list(STORY)
    lines[3], lines[7] = lines[7], lines[3]
    trace = trace_of(text(tuple(lines), perf), tmp_path)
    assert rows(trace) == rows(trace_of(text(STORY, perf), tmp_path))


def test_a_line_far_ahead_has_a_damaged_time(tmp_path: Path) -> None:
    spike = replace(STORY[6], time_ns=900_000_000_000)
    trace = trace_of(text((*STORY[:6], spike, *STORY[6:]), perf), tmp_path)
    assert rows(trace) == rows(trace_of(text(STORY, perf), tmp_path))
    assert policy(trace, "contradicts the lines around it") == 1
    assert [cause for cause, *_ in causes(trace)] == ["corrupt"]


def test_windows_do_not_cut_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = tuple(replace(line, time_ns=line.time_ns + n * 1_000_000) for n in range(50) for line in STORY[2:8])
    whole = trace_of(text(story, perf), tmp_path)
    for size in (100, 997, 4096):
        monkeypatch.setattr(windows, "WINDOW_BYTES", size)
        trace = trace_of(text(story, perf), tmp_path)
        assert rows(trace) == rows(whole)
        assert trace.meta["source"]["sha256"] == whole.meta["source"]["sha256"]
    monkeypatch.setattr(reader, "_LINES", 7)
    assert rows(trace_of(text(story, perf), tmp_path)) == rows(whole)


def test_late_lines_of_a_later_window_are_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW_BYTES", 400)
    later = tuple(replace(STORY[6], time_ns=n * 100_000_000) for n in range(1, 9))
    trace = trace_of(text((*later, STORY[6], *later[-1:]), perf), tmp_path)
    assert policy(trace, "comes long after") == 1
    assert [(cause, lost) for cause, _, _, _, lost in causes(trace)] == [("inconsistent", 1)]


def test_a_recorder_that_numbers_tasks_otherwise(tmp_path: Path) -> None:
    """perf in a container: the tid column is of its namespace, the events are not."""
    foreign = (
        text(STORY, perf).replace(b"    7/3 ", b"    7/93").replace(b"    7/4 ", b"    7/94").replace(b"7/1 ", b"7/91")
    )
    trace = trace_of(foreign, tmp_path)
    assert policy(trace, "task column does not name") == 4
    assert set(trace.tables["tasks"]["source_id"].to_pylist()) == {1, 3, 4}


def test_perfs_header_says_where_and_when(tmp_path: Path) -> None:
    header = (
        b"# ========\n# captured on    : Tue Nov 24 06:37:50 2026\n# hostname : box\n# os release : 6.18\n"
        b"# perf version : 6.1.187\n# nrcpus online : 4\n# clockid: monotonic (1)\n"
        b"# reference time: 2026-11-23 14:56:36.5 = 1795445796.5 (TOD) = 0.0005 (monotonic)\n# ========\n#\n"
    )
    meta = trace_of(header + text(STORY, perf), tmp_path).meta
    assert (meta["host"], meta["kernel"], meta["cpus"], meta["source"]["version"]) == ("box", "6.18", 4, "6.1.187")
    assert meta["clock"] == {
        "name": "CLOCK_MONOTONIC",
        "origin_ns": 1_000_000,
        "wall_origin_ns": 1_795_445_796_500_500_000,
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"# tracer: nop\n#\n", "no scheduling events"),
        (b"  a 11  2.000001: sched:sched_switch: prev_comm=a prev_pid=11\n", "do not name the CPU"),
        (b"", "empty"),
    ],
)
def test_what_can_not_be_read_is_one_line(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=words):
        SOURCE.read(path, ReadOptions())


@pytest.mark.parametrize(
    "head",
    [
        b"PERFILE2\x68\0\0\0", b"go 1.22 trace\0\0\0", b"[    1.234567] usb 1-1: new device\n", b"task,start,end\n1,2,3\n",
        b'{"traceEvents":[{"name":"x [000] 1.0: y:"}]}', b"<!DOCTYPE html><html></html>", b"hello: world\n", b"\0\0\0",
        b"2026-11-24 06:00:00 host app[123]: 12 requests\n",
    ],
)  # fmt: skip
def test_other_files_are_left_to_others(head: bytes) -> None:
    assert not SOURCE.matches(head)


def test_names_that_the_kernel_forgot(tmp_path: Path) -> None:
    lines = (
        Line(1000, 0, 0, b"swapper/0", "switch", 5, b"<...>", state=b"R"),
        Line(2000, 0, 5, b"<...>", "switch", 0, b"x"),
    )
    trace = trace_of(text(lines, tracefs), tmp_path)
    assert trace.tables["tasks"]["name"].to_pylist() == ["task 5"]
