"""What options say of times, of losses and of the machine; and that trace-cmd, where it is, reads them so too."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.trace_dat_files import Shape, trace_dat
from tests.roundtrip.trace_dat_text import TRACE_CMD, our_events, report, report_events
from tracekit.sources.base import ReadOptions
from tracekit.sources.trace_dat import SOURCE
from tracekit.sources.trace_dat.clock import scaled
from tracekit.sources.trace_dat.pages import TIME_MOST
from tracekit.tables.bundle import Trace

STORY = """
    1000000 cpu0 1 waking 4 cpu1
    5001120 cpu0 1 wakeup_new 4 cpu1
    5001200 cpu1 3 switch S 4
    6001300 cpu1 4 waking 3 cpu0 irq
    7001310 cpu1 4 migrate 3 cpu1
    8001400 cpu0 1 switch D 0
    99001500 cpu1 4 switch R+ 3
"""
TIMES = [int(line.split()[0]) for line in STORY.strip().splitlines()]
DATE, CPUSTAT, UNAME, OFFSET, CPUCOUNT, TIME_SHIFT, TSC2NSEC = 1, 2, 5, 7, 8, 12, 14
Samples = list[tuple[int, int, int]]  # time, offset, scaling


def shift(order: str, interpolated: bool, cpus: list[Samples], fraction: int | None = None) -> tuple[int, bytes]:
    """A TIME_SHIFT option; fraction None: of a version that had none."""
    data = struct.pack(order + "QII", 99, interpolated, len(cpus))
    for samples in cpus:
        data += struct.pack(order + "I", len(samples))
        for column, code in enumerate("qqQ"):
            data += struct.pack(f"{order}{len(samples)}{code}", *(sample[column] for sample in samples))
    if fraction is not None:
        data += b"".join(struct.pack(f"{order}{len(samples)}Q", *[fraction] * len(samples)) for samples in cpus)
    return TIME_SHIFT, data


TWO = [[(0, 1000, 1), (10000000, 5000, 1)], [(0, 2000, 1), (6000000, 3000, 1)]]
MORE = [[(0, 1000, 2), (10000000, 5000, 2)], [(0, 2000, 3), (5500000, 3000, 4), (7000000, -900, 4)]]


def tsc(order: str) -> tuple[int, bytes]:
    return TSC2NSEC, struct.pack(order + "IIQ", 3 << 20, 20, 777)


def case(name: str, big: bool = False, long_size: int = 8) -> tuple[Shape, list[int]]:
    """A file, and the times of its events."""
    order = ">" if big else "<"
    one = [samples[:1] for samples in TWO]
    changes, times = {
        "offset": ({"options": ((OFFSET, b"1000\0"),)}, [time + 1000 for time in TIMES]),
        "back": ({"options": ((OFFSET, b"-0x3e8\0"),)}, [time - 1000 for time in TIMES]),
        "ticks": ({"clock": "x86-tsc", "options": (tsc(order),)}, [3 * time for time in TIMES]),
        "ticks in version 6": (
            {"version": 6, "clock": "x86-tsc", "options": (tsc(order),)},
            [3 * time for time in TIMES],
        ),
        "shifted": (
            {"options": (shift(order, False, one),)},
            [1001000, 5002120, 5003200, 6003300, 7003310, 8002400, 99003500],
        ),
        "shifted, interpolated": (
            {"options": (shift(order, True, TWO, 0),)},
            [1001400, 5004034, 5004120, 6004300, 7004477, 8005601, 99020000],
        ),
        "shifted, scaled": (
            {"options": (shift(order, False, MORE, 1),)},
            [1001000, 5002120, 7503800, 8002400, 12005600, 14005620, 198006000],
        ),
        "shifted, scaled, interpolated": (
            {"options": (shift(order, True, MORE, 1),)},
            [1001400, 5004120, 7504709, 8005601, 12004298, 14001718, 197762897],
        ),
    }[name]
    return replace(Shape(big=big, long_size=long_size), **changes), times  # type: ignore[arg-type]


CASES = ("offset", "back", "ticks", "ticks in version 6", "shifted", "shifted, interpolated", "shifted, scaled",
         "shifted, scaled, interpolated")  # fmt: skip
FORMS = [(False, 8), (False, 4), (True, 8), (True, 4)]


def written(shape: Shape, folder: Path) -> Path:
    path = folder / "trace.dat"
    path.write_bytes(trace_dat(STORY, replace(shape, page_size=4096)))
    return path


def read(folder: Path, *options: tuple[int, bytes], **shape: object) -> Trace:
    return SOURCE.read(written(Shape(options=options, **shape), folder), ReadOptions())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("big", "long_size"), FORMS)
def test_times_are_converted(name: str, big: bool, long_size: int, tmp_path: Path) -> None:
    shape, times = case(name, big, long_size)
    assert [event["time"] for event in our_events(written(shape, tmp_path))] == times


@pytest.mark.reference
@pytest.mark.skipif(TRACE_CMD is None, reason="needs trace-cmd")
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("big", "long_size"), FORMS)
def test_trace_cmd_converts_them_so_too(name: str, big: bool, long_size: int, tmp_path: Path) -> None:
    path = written(case(name, big, long_size)[0], tmp_path)
    told = [(event["event"], event["time"], event["cpu"], event["tid"]) for event in report_events(report(path, "-R"))]
    ours = [(event["event"], event["time"], event["cpu"], event["tid"]) for event in our_events(path)]
    assert ours == told
    assert len(told) == len(TIMES)


def test_the_date_gives_the_wall_clock_and_leaves_the_recordings_own(tmp_path: Path) -> None:
    clock = read(tmp_path, (DATE, b"0x10000\0")).meta["clock"]
    assert clock == {"name": "CLOCK_MONOTONIC", "origin_ns": 1000000, "wall_origin_ns": 0x10000 * 1000 + 1000000}


def test_ticks_of_unknown_length_are_said_to_be(tmp_path: Path) -> None:
    trace = read(tmp_path, clock="x86-tsc")
    assert trace.meta["clock"]["name"] == "x86-tsc"
    assert any("x86-tsc counts ticks" in row["policy"] for row in trace.meta["policies"])
    assert not any("ticks" in row["policy"] for row in read(tmp_path, tsc("<"), clock="x86-tsc").meta["policies"])


def test_losses_that_only_the_kernels_counters_tell_of_are_gaps(tmp_path: Path) -> None:
    stats = b"CPU: 1\nentries: 0\noverrun: 40\ncommit overrun: 1\ndropped events: 1\nread events: 4\n"
    gaps = read(tmp_path, (CPUSTAT, stats)).frame("gaps")
    lost = gaps.filter(gaps["cause"] == "lost_records").to_dicts()
    assert [(row["cpu"], row["lost_events"], row["start_ns"], row["end_ns"]) for row in lost] == [
        (1, 42, 5001200 - 1000000, 99001500 - 1000000)
    ]


def test_the_machine_is_named(tmp_path: Path) -> None:
    meta = read(tmp_path, (UNAME, b"Linux here 6.18.4 x86_64"), (CPUCOUNT, struct.pack("<I", 2))).meta
    assert (meta["host"], meta["kernel"], meta["cpus"]) == ("here", "6.18.4", 2)


@pytest.mark.parametrize("number", [DATE, CPUSTAT, UNAME, OFFSET, TIME_SHIFT, TSC2NSEC, 4, 9, 99])
def test_an_option_without_sense_is_passed_over(number: int, tmp_path: Path) -> None:
    plain = read(tmp_path)
    for nonsense in (b"", b"\xff" * 3, b"\xff" * 40):
        other = read(tmp_path, (number, nonsense))
        assert other.tables["intervals"].equals(plain.tables["intervals"])


@pytest.mark.parametrize(("multiplier", "shift_by"), [(1, 0), (3 << 20, 20), ((1 << 32) - 1, 32), (5, 40), (7, 63)])
def test_scaling_is_exact(multiplier: int, shift_by: int) -> None:
    times = np.array([0, 1, 12345, (1 << 32) - 1, 1 << 32, (1 << 40) + 7, TIME_MOST - 1], np.int64)
    exact = [min(int(time) * multiplier >> shift_by, TIME_MOST) for time in times]
    assert scaled(times, multiplier, shift_by).tolist() == exact
