"""Go traces that are not as they should be: what is refused, what is kept, and what the gaps say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.go_stories import COLLECTOR, COROUTINE, FORK, TABLES, write
from tests.fuzz.go_writer import assemble, header
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

SECOND_GENERATION = assemble(FORK).index(bytes([1, 2, 10]))


def read(data: bytes, folder: Path) -> Trace:
    path = folder / "go.trace"
    path.write_bytes(data)
    return SOURCE.read(path, ReadOptions())


def refusal(data: bytes, folder: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read(data, folder)
    return caught.value.line()


@pytest.mark.parametrize("version", [5, 11, 19, 21, 22, 26, 99])
def test_every_version_of_the_header_is_a_go_trace(version: int) -> None:
    assert SOURCE.matches(header(version) + b"anything")


@pytest.mark.parametrize("head", [b"", b"go 1.", b"go version go1.27", b"PERFILE2", b"go 1.x trace\0\0\0", b"\0" * 64])
def test_other_files_are_not(head: bytes) -> None:
    assert not SOURCE.matches(head)


def test_old_version_is_named_with_the_way_out(tmp_path: Path) -> None:
    line = refusal(header(21) + b"\0" * 100, tmp_path)
    assert "Go 1.21" in line
    assert "Go 1.22 or later" in line


def test_unknown_version_is_named(tmp_path: Path) -> None:
    line = refusal(header(31) + b"\1\1" * 50, tmp_path)
    assert "1.31" in line
    assert "newer tracekit" in line


def test_header_alone_holds_no_events(tmp_path: Path) -> None:
    assert "no events" in refusal(header(26), tmp_path)


def test_nothing_readable_says_where(tmp_path: Path) -> None:
    line = refusal(header(26) + b"\xff" * 40, tmp_path)
    assert "byte 16" in line


def test_a_cut_second_generation_keeps_the_first(tmp_path: Path) -> None:
    trace = read(assemble(FORK)[: SECOND_GENERATION + 12], tmp_path)
    whole = read(assemble(FORK), tmp_path)
    assert trace.frame("tasks")["name"].to_list() == whole.frame("tasks")["name"].to_list()
    assert trace.meta["end_ns"] == 1020
    assert set(trace.frame("gaps")["cause"].to_list()) == {"truncated"}


def test_an_end_mark_that_is_missing_is_a_truncation(tmp_path: Path) -> None:
    trace = read(assemble(FORK)[:-1], tmp_path)
    (gap,) = trace.frame("gaps").rows(named=True)
    assert gap["cause"] == "truncated"
    assert gap["start_ns"] <= 2000
    assert trace.frame("intervals").height == read(assemble(FORK), tmp_path).frame("intervals").height


def test_a_generation_without_end_mark_is_whole_before_1_26(tmp_path: Path) -> None:
    assert read(assemble(COROUTINE), tmp_path).frame("gaps").height == 0


def test_a_wrong_sequence_number_costs_one_interval(tmp_path: Path) -> None:
    later = FORK.replace("time=1900", "time=101900").replace(
        "GoSyscallEndBlocked dt=200", "GoSyscallEndBlocked dt=100300"
    )
    wrong = later.replace("time=2500", "time=102500").replace(
        "GoUnblock dt=50 g=6 g_seq=2", "GoUnblock dt=50 g=6 g_seq=9"
    )
    wrong = wrong.replace("time=3000", "time=103000").replace("time=3200", "time=103200")
    trace = SOURCE.read(write(wrong, tmp_path), ReadOptions())
    (gap,) = trace.frame("gaps").rows(named=True)
    assert gap["cause"] == "corrupt"
    assert "believed" in gap["stream"]
    assert gap["start_ns"] == 329
    assert trace.frame("tasks")["end_ns"].to_list() == [None, 389, 459]
    assert check(trace) == []


def test_a_batch_with_a_damaged_header_is_stepped_over(tmp_path: Path) -> None:
    data = bytearray(assemble(FORK))
    at = data.index(bytes([1, 1, 11]))  # the first generation's batch of thread 11
    data[at] = 0xEE
    trace = read(bytes(data), tmp_path)
    causes = trace.frame("gaps").select("stream", "cause").rows()
    assert any(f"byte {at}" in stream and cause == "corrupt" for stream, cause in causes)
    assert trace.meta["end_ns"] == 2100
    assert check(trace) == []


def test_after_damage_the_next_generation_begins_anew(tmp_path: Path) -> None:
    wrong = FORK.replace("GoStart dt=10 g=6 g_seq=3", "Raw hex=ff")
    trace = SOURCE.read(write(wrong, tmp_path), ReadOptions())
    main = trace.frame("intervals").filter(task_id=0).rows(named=True)
    assert (main[-2]["state"], main[-2]["inferred"]) == ("RUNNING", True)
    assert main[-2]["start_ns"] > 1900
    assert main[-1]["state"] == "BLOCKED"
    assert check(trace) == []


def test_a_time_beyond_its_generation_is_damage(tmp_path: Path) -> None:
    trace = SOURCE.read(write(FORK.replace("GoBlock dt=95", "GoBlock dt=9223372036854775807"), tmp_path), ReadOptions())
    assert trace.meta["end_ns"] < 10_000
    (gap,) = trace.frame("gaps").rows(named=True)
    assert "time" in gap["stream"]


@pytest.mark.parametrize("batch", [bytes([1, 1, 10]), bytes([1, 1, 11])])
@pytest.mark.parametrize("generation", [2, 65])
def test_a_batch_of_a_wrong_generation_is_left_out_alone(batch: bytes, generation: int, tmp_path: Path) -> None:
    data = bytearray(assemble(FORK))
    data[data.index(batch) + 1] = generation
    trace = read(bytes(data), tmp_path)
    whole = read(assemble(FORK), tmp_path)
    assert trace.meta["end_ns"] + trace.meta["clock"]["origin_ns"] == 3101
    assert whole.meta["end_ns"] + whole.meta["clock"]["origin_ns"] == 3101
    assert "corrupt" in trace.frame("gaps")["cause"].to_list()
    assert trace.frame("tasks").height > 0
    assert check(trace) == []


def cut_generation(events: str) -> bytes:
    """One generation that lacks its end mark, so that events may be missing from it: P 0 of thread 10."""
    text = f"Trace Go1.26\nEventBatch gen=1 m=10 time=1000\n{events}" + TABLES.format(gen=1, time=2000)
    return assemble(text)[:-1]


def test_a_goroutine_believed_in_before_its_status_runs_no_sooner(tmp_path: Path) -> None:
    damaged = """
ProcStatus dt=0 p=0 pstatus=1
GoSwitch dt=10 g=5 g_seq=1
GoStatus dt=10 g=5 m=10 gstatus=2
GoBlock dt=50 reason_string=0 stack=0
"""
    trace = read(cut_generation(damaged), tmp_path)
    running = trace.frame("intervals").filter(state="RUNNING").select("start_ns", "end_ns", "inferred")
    assert running.rows() == [(1, 69, True)]  # times count from 1001: the sync event has 1000
    assert trace.frame("tasks")["start_ns"].to_list() == [1]
    assert "2 events believed" in trace.frame("gaps")["stream"][0]
    assert check(trace) == []


def test_a_goroutine_believed_in_before_any_event_is_there_from_the_start(tmp_path: Path) -> None:
    damaged = """
GoUnblock dt=0 g=1 g_seq=1 stack=0
ProcStatus dt=10 p=0 pstatus=1
GoStart dt=10 g=1 g_seq=2
GoDestroy dt=50
"""
    trace = read(cut_generation(damaged), tmp_path)
    assert trace.frame("tasks").select("start_ns", "end_ns").rows() == [(0, 69)]
    assert trace.frame("gaps").select("start_ns", "cause").rows() == [(0, "truncated")]
    assert check(trace) == []


@pytest.mark.parametrize("counter", ["heapalloc_value=1000000", "heapgoal_value=4194304", "procs_value=2"])
def test_a_value_that_no_counter_can_have_is_left_out(counter: str, tmp_path: Path) -> None:
    damaged = assemble(COLLECTOR.replace(counter, counter.split("=")[0] + f"={2**64 - 1}"))
    trace = read(damaged, tmp_path)
    at = damaged.index(b"\xff" * 9 + b"\x01", 16) - 2  # past the event's code and the time since the one before
    assert trace.frame("counters").height == 2
    assert trace.frame("gaps")["stream"].to_list() == [
        f"byte {at}: an impossible value of a counter; 1 events left out"
    ]
    assert check(trace) == []
