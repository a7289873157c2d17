"""Between processes a channel is a pipe, which holds whole pages whatever the workload asks for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.engine.setup import pipe_messages


@pytest.mark.parametrize(
    ("capacity", "size", "messages"),
    [(0, 64, 64), (1, 4096, 1), (3, 4096, 4), (1024, 64, 1024), (4, 16384, 4), (10, 1, 4096), (0, 100_000, 0)],
)
def test_a_pipe_has_a_power_of_two_of_pages(capacity: int, size: int, messages: int) -> None:
    made = program({"one": [("send", "c", size), ("recv", "c")]}, {"c": ("channel", capacity)})

    assert pipe_messages(made, np.array([capacity])).tolist() == [messages]


def test_a_process_writes_on_where_a_thread_waits_for_its_reader() -> None:
    made = program(
        {"writer": [("send", "c", 64)] * 3, "reader": [("compute", 50_000), *[("recv", "c")] * 3]},
        {"c": ("channel", 0)},
    )
    ends = {form: replay(made, form, cpus=2, profile=free_profile()).tables["tasks"]["end_ns"][0].as_py()
            for form in ("process", "thread")}  # fmt: skip
    assert ends["process"] < 50_000 <= ends["thread"]
