"""Channels of kernel threads: between processes a pipe, which holds whole pages; between threads a queue."""

from __future__ import annotations

import numpy as np
import pytest

from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.engine.setup import pipe_pages
from tracekit.tables.bundle import Run


@pytest.mark.parametrize(
    ("capacity", "size", "pages", "each"),
    [
        (0, 64, 1, 64),
        (1, 4096, 1, 1),
        (3, 4096, 4, 1),
        (1024, 64, 16, 64),
        (4, 16384, 4, 1),
        (10, 1, 1, 4096),
        (0, 100_000, 1, 1),
    ],
)
def test_a_pipe_has_a_power_of_two_of_pages(capacity: int, size: int, pages: int, each: int) -> None:
    made = program({"one": [("send", "c", size), ("recv", "c")]}, {"c": ("channel", capacity)})

    assert [int(found[0]) for found in pipe_pages(made, np.array([capacity]))] == [pages, each]


def test_a_process_writes_on_where_a_thread_waits_for_its_reader() -> None:
    made = program(
        {"writer": [("send", "c", 64)] * 3, "reader": [("compute", 50_000), *[("recv", "c")] * 3]},
        {"c": ("channel", 0)},
    )
    ends = {form: replay(made, form, cpus=2, profile=free_profile()).tables["tasks"]["end_ns"][0].as_py()
            for form in ("process", "thread")}  # fmt: skip
    assert ends["process"] < 50_000 <= ends["thread"]


def _waits(run: Run, task: int) -> list[tuple[int, int]]:
    rows = run.frame("intervals").rows(named=True)
    return [(r["start_ns"], r["end_ns"]) for r in rows if r["task_id"] == task and r["state"] == "BLOCKED"]


def _blocks(run: Run, task: int) -> list[int]:
    return run.frame("wakeups").filter(wakee_id=task, reason="channel_send")["at_ns"].to_list()


def test_a_full_pipe_has_room_again_when_a_page_was_read() -> None:
    # Two messages fill a page, and the pipe is one page: fs/pipe.c wakes the writer at the second read, not the first.
    made = program(
        {"writer": [("send", "c", 2048)] * 3, "reader": [step for _ in range(3) for step in (("compute", 1000), ("recv", "c"))]},
        {"c": ("channel", 1)},
    )  # fmt: skip
    assert _waits(replay(made, "process", cpus=2, profile=free_profile()), 0) == [(0, 2000)]


def test_a_message_for_a_woken_thread_fills_the_queue_until_it_runs_and_go_hands_it_over() -> None:
    # One CPU, a queue of one, and the receiver waits: the second send finds the queue full, in Go only the third.
    made = program(
        {"receiver": [("recv", "c")] * 3, "sender": [("send", "c", 8)] * 3},
        {"c": ("channel", 1)},
    )
    waits = {form: len(_blocks(replay(made, form, cpus=1, profile=free_profile(), kernel="fifo"), 1))
             for form in ("thread", "goroutine")}  # fmt: skip
    assert waits == {"thread": 2, "goroutine": 1}
