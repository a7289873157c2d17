"""The progress line: a share at once, and from two seconds on a rate and the time left."""

from __future__ import annotations

import pytest

from tracekit.cli import progress as module
from tracekit.cli.progress import ProgressLine


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, list[str]]:
    clock, lines = Clock(), []
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(ProgressLine, "_print", lambda self, text: lines.append(text))
    return clock, lines


def test_long_work_says_how_fast_it_is_and_how_long_it_takes(shown: tuple[Clock, list[str]]) -> None:
    clock, lines = shown
    line = ProgressLine("reading a", in_bytes=True)
    for seconds, done in ((0, 0), (1, 50_000_000), (2, 100_000_000), (4, 200_000_000)):
        clock.now = 100.0 + seconds
        line(done, 1_000_000_000)
    assert lines == [
        "reading a 0 %",
        "reading a 5 %",
        "reading a 10 %, 50 MB/s, 18 s left",
        "reading a 20 %, 50 MB/s, 16 s left",
    ]


def test_another_part_of_the_work_is_measured_by_itself(shown: tuple[Clock, list[str]]) -> None:
    clock, lines = shown
    line = ProgressLine("replaying")
    line(0, 100)
    clock.now += 10
    line(10, 100)
    clock.now += 1
    line(0, 500)
    clock.now += 3
    line(30, 500)
    assert lines == ["replaying 0 %", "replaying 10 %, 90 s left", "replaying 0 %", "replaying 6 %, 47 s left"]
