"""Merging by a watermark: all events, in time order, whatever the sizes of blocks; and little of them at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.trace_dat_files import Ring, Shape, Writer
from tests.unit.kernel_text import events_of
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import KernelStream, Records
from tracekit.sources.trace_dat import buffers
from tracekit.sources.trace_dat.buffers import choose
from tracekit.sources.trace_dat.header import read_header
from tracekit.sources.trace_dat.reader import kernel_stream

CPUS = 3
WRITER = Writer(Shape(cpus=CPUS))
STEPS = st.lists(st.tuples(st.integers(0, CPUS - 1), st.integers(0, 40)), min_size=1, max_size=150)


def streamed(pages: list[bytes], block_pages: int) -> KernelStream:
    data = np.frombuffer(WRITER.file([Ring("", pages=pages)]), np.uint8)
    header = read_header(data.data, "test")
    before = buffers.block_bytes
    buffers.block_bytes = lambda streams, page_size: block_pages * page_size
    try:
        return kernel_stream(data, header, choose(data, header), ReadOptions())
    finally:
        buffers.block_bytes = before


def story(steps: list[tuple[int, int]]) -> Records:
    times = np.cumsum([step for _, step in steps]).tolist()
    lines = (f"{time} cpu{cpu} {cpu + 1} waking 9 cpu0" for (cpu, _), time in zip(steps, times, strict=True))
    return events_of("\n".join(lines))[0]


@given(STEPS, st.integers(1, 3))
def test_batches_hold_all_events_in_order(steps: list[tuple[int, int]], block_pages: int) -> None:
    events = story(steps)
    pages = [WRITER.ring(events[events["cpu"] == cpu], {}) for cpu in range(CPUS)]
    found = np.concatenate([batch.events for batch in streamed(pages, block_pages).batches])
    order = np.lexsort((np.arange(len(events)), events["cpu"], events["time_ns"]))
    assert found[["time_ns", "cpu", "tid"]].tolist() == events[order][["time_ns", "cpu", "tid"]].tolist()


def test_no_batch_holds_more_than_the_blocks_that_are_read_ahead() -> None:
    """One CPU has an event now and then, and the others many: these are not read further than that one has come."""
    steps = [(0 if number % 200 == 0 else 1 + number % 2, 1) for number in range(6000)]
    events = story(steps)
    pages = [WRITER.ring(events[events["cpu"] == cpu], {}) for cpu in range(CPUS)]
    sizes = [len(batch.events) for batch in streamed(pages, 1).batches]
    assert sum(sizes) == len(events)
    per_page = 512 // 40
    assert max(sizes) <= CPUS * per_page
