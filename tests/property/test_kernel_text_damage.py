"""Kernel trace text: damage never breaks the reader, and any name comes back from any form."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.kernel_text_damage import SEEDS, mutations, outcome
from tests.fuzz.kernel_text_lines import WRITERS, Line, Writer, perf_plugin, report
from tests.unit.test_kernel_text_lines import as_dict, read, said

PIECES = [
    " ",
    ":",
    "-",
    "=",
    "[",
    "]",
    "0",
    "1",
    "2.3: ",
    "==>",
    " pid=",
    " prev_pid=",
    " next_pid=",
    "S",
    "comm",
    "é",
    "(",
]
NAMES = st.lists(st.sampled_from(PIECES), max_size=8).map(lambda parts: "".join(parts).encode()[:15])


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_cut_or_changed_anywhere(seed: int, tmp_path: Path) -> None:
    data = SEEDS[seed]
    outcomes = {outcome(data[:size], tmp_path) for size in range(0, len(data), 29)}
    outcomes |= {outcome(piece, tmp_path) for piece in mutations(data, 30, seed=5)}
    assert "read" in outcomes


@given(
    name=NAMES,
    other=NAMES,
    write=st.sampled_from(WRITERS),
    kind=st.sampled_from(["switch", "waking", "wakeup", "fork", "migrate"]),
    tids=st.tuples(st.integers(1, 99999), st.integers(1, 99999)),
    time_us=st.integers(0, 10**11),
)
def test_any_name_in_any_form(
    name: bytes, other: bytes, write: Writer, kind: str, tids: tuple[int, int], time_us: int
) -> None:
    if write in (report, perf_plugin):  # there padding and names both are spaces
        name, other = name.lstrip(b" "), other.lstrip(b" ")
    line = Line(time_us * 1000, 1, tids[0], name, kind, tids[1], other, 1)
    events, names, gaps = read(write(line) + b"\n")
    assert len(events) == 1 and len(gaps) == 0, write(line)
    assert as_dict(events[0]) == said(line, write), write(line)
    assert names[1] == other, write(line)
