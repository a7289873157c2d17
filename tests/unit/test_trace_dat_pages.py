"""Records of every kind in a page, and pages that can't be."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from tests.fuzz.trace_dat_files import Ring, Shape, Writer
from tests.unit.kernel_text import events_of
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import Records
from tracekit.sources.trace_dat.buffers import choose
from tracekit.sources.trace_dat.header import read_header
from tracekit.sources.trace_dat.pages import ASTRAY
from tracekit.sources.trace_dat.reader import kernel_stream

SHAPES = [Shape(big=big, long_size=long_size) for big in (False, True) for long_size in (4, 8)]
WRITER = Writer(Shape())
all_shapes = pytest.mark.parametrize(
    "writer", [Writer(shape) for shape in SHAPES], ids=["little-4", "little-8", "big-4", "big-8"]
)


def event(writer: Writer, tid: int = 1) -> bytes:
    """A waking by `tid`."""
    events, names = events_of(f"0 cpu0 {tid} waking 9 cpu0")
    return writer.payload(events[0], names)


def decoded(writer: Writer, *cpus: bytes) -> tuple[Records, list[tuple[int, int, int, int, str | None]]]:
    """The events of these CPUs' pages, and the gaps: (cpu, start, end, lost, part)."""
    data = np.frombuffer(writer.file([Ring("", pages=list(cpus))]), np.uint8)
    header = read_header(data.data, "test")
    stream = kernel_stream(data, header, choose(data, header), ReadOptions())
    events = np.concatenate([batch.events for batch in stream.batches])
    gaps = [
        (*(int(gap[name][0]) for name in ("cpu", "start_ns", "end_ns", "lost_events")), part)
        for gap, part in zip(stream.gaps, stream.streams, strict=True)
    ]
    return events, gaps


def times(writer: Writer, pages: bytes | Iterable[bytes]) -> list[int]:
    events, gaps = decoded(writer, pages if isinstance(pages, bytes) else b"".join(pages))
    assert gaps == []
    return events["time_ns"].tolist()


@all_shapes
def test_times_add_up(writer: Writer) -> None:
    records = writer.data(0, event(writer)) + writer.data(7, event(writer)) + writer.data((1 << 27) + 5, event(writer))
    assert times(writer, writer.page(100, records)) == [100, 107, 107 + (1 << 27) + 5]


@all_shapes
def test_a_time_extend_adds_and_a_time_stamp_is_absolute_with_the_pages_highest_bits(writer: Writer) -> None:
    begin = (5 << 59) + 1000
    begin &= (1 << 62) - 1
    high = begin & ~((1 << 59) - 1)
    extend = writer.record(30, 3, writer.pack("I", 2))
    stamp = writer.record(31, 4, writer.pack("I", 16))
    records = extend + writer.data(1, event(writer)) + stamp + writer.data(1, event(writer))
    assert times(writer, writer.page(begin, records)) == [begin + (2 << 27) + 4, high + (16 << 27) + 5]


@all_shapes
def test_padding_of_a_size_is_a_discarded_event_whose_time_counts_and_padding_without_ends_the_page(
    writer: Writer,
) -> None:
    discarded = writer.record(29, 10, writer.pack("I", 12) + b"\xff" * 8)
    records = writer.data(0, event(writer)) + discarded + writer.data(1, event(writer)) + writer.record(29, 0)
    assert times(writer, writer.page(50, records + b"\xee" * 40)) == [50, 61]


@all_shapes
def test_large_data_has_its_size_in_a_word_of_its_own(writer: Writer) -> None:
    long = event(writer) + b"x" * 101
    assert len(long) > 112
    assert times(writer, writer.page(5, writer.data(0, long) + writer.data(1, event(writer)))) == [5, 6]


@all_shapes
def test_lost_events_are_between_the_last_event_and_the_page(writer: Writer) -> None:
    pages = [
        writer.page(10, writer.data(0, event(writer)) + writer.data(5, event(writer)), lost=None),
        writer.page(40, writer.data(0, event(writer)), lost=7),
        writer.page(60, writer.data(1, event(writer)), lost=None),
    ]
    events, gaps = decoded(writer, b"".join(pages))
    assert events["time_ns"].tolist() == [10, 15, 40, 61]
    assert gaps == [(0, 10, 10, -1, None), (0, 15, 40, 7, None), (0, 40, 60, -1, None)]


def test_a_count_that_has_no_room_or_can_not_be_is_unknown() -> None:
    page = bytearray(WRITER.page(10, WRITER.data(0, event(WRITER)), lost=7))
    used = 16 + 4 + len(event(WRITER))
    page[used : used + 8] = b"\xff" * 8
    assert decoded(WRITER, bytes(page))[1] == [(0, 10, 10, -1, None)]


def test_of_a_record_that_makes_no_sense_the_page_before_it_stays() -> None:
    good = WRITER.data(0, event(WRITER))
    bad = WRITER.record(0, 1, WRITER.pack("I", 1 << 20)) + good
    events, gaps = decoded(WRITER, WRITER.page(10, good + bad) + WRITER.page(40, good))
    assert events["time_ns"].tolist() == [10, 40]
    assert [(cpu, start, end, lost) for cpu, start, end, lost, _ in gaps] == [(0, 10, 40, -1)]
    assert str(gaps[0][4]).startswith("bytes ")


def test_a_page_that_claims_more_than_its_size_is_skipped() -> None:
    good = WRITER.page(10, WRITER.data(0, event(WRITER)))
    bad = good[:8] + WRITER.pack("Q", 4096) + good[16:]
    events, gaps = decoded(WRITER, good + bad + good)
    assert events["time_ns"].tolist() == [10, 10]
    assert len(gaps) == 1


def _pages(*begins: int) -> bytes:
    return b"".join(WRITER.page(begin, WRITER.data(0, event(WRITER))) for begin in begins)


@pytest.mark.parametrize(
    ("begins", "kept"),
    [
        ([10, 20, 30 + 2 * ASTRAY, 40, 50], [10, 20, 40, 50]),  # late
        ([10 + 3 * ASTRAY, 20 + 3 * ASTRAY, 30, 40 + 3 * ASTRAY], [10 + 3 * ASTRAY, 20 + 3 * ASTRAY, 40 + 3 * ASTRAY]),
        ([3 * ASTRAY, 20, 30, 40], [20, 30, 40]),  # late at the beginning
        ([3 * ASTRAY, 20, 30 + 3 * ASTRAY, 40 + 3 * ASTRAY], [3 * ASTRAY, 30 + 3 * ASTRAY, 40 + 3 * ASTRAY]),
        ([10, 20, 1 << 63, 30], [10, 20, 30]),  # no time at all
        ([10, 20, (1 << 62) + 1], [10, 20]),
        ([10, 40 * ASTRAY, 41 * ASTRAY], [10, 40 * ASTRAY, 41 * ASTRAY]),  # a long silence
    ],
)
def test_a_page_whose_time_those_around_contradict_is_skipped(begins: list[int], kept: list[int]) -> None:
    events, gaps = decoded(WRITER, _pages(*begins))
    assert events["time_ns"].tolist() == kept
    assert len(gaps) == len(begins) - len(kept)


def test_within_a_page_no_time_is_far_beyond_the_next_page() -> None:
    good = WRITER.data(0, event(WRITER))
    late = WRITER.record(30, 0, WRITER.pack("I", 1 << 20)) + good
    events, gaps = decoded(WRITER, WRITER.page(10, good + late + good) + _pages(40))
    assert events["time_ns"].tolist() == [10, 40]
    assert [gap[:4] for gap in gaps] == [(0, 10, 40, -1)]


def test_a_time_that_goes_back_a_little_becomes_that_before_it() -> None:
    stamp = WRITER.record(31, 90, WRITER.pack("I", 0))
    records = WRITER.data(0, event(WRITER)) + stamp + WRITER.data(0, event(WRITER))
    assert times(WRITER, WRITER.page(100, records)) == [100, 100]
