"""A real Go service on loopback, recorded by its own tracer and by perf at the same time, and joined."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.roundtrip.test_go_transitions import go
from tracekit.analysis.join import join
from tracekit.recording import perf, privilege
from tracekit.recording.go_service import fetch
from tracekit.sources.base import no_progress
from tracekit.sources.registry import ingest
from tracekit.tables.checks import check

pytestmark = pytest.mark.reference

_SERVICE = """
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
)

func work(w http.ResponseWriter, r *http.Request) {
	sum := 0
	for i := 0; i < 20_000_000; i++ {
		sum += i ^ (sum << 1)
	}
	fmt.Fprintln(w, sum)
}

func main() {
	http.HandleFunc("/work", work)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	panic(http.Serve(listener, nil))
}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a service that computes on request."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "main.go").write_text(_SERVICE)
    subprocess.run([go(), "build", "-o", "service", "main.go"], cwd=folder, check=True)
    with subprocess.Popen([folder / "service"], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        yield running.stdout.readline().strip()
        os.kill(running.pid, signal.SIGKILL)


def _ask(host: str, done: Path) -> None:
    while not done.exists():
        with urllib.request.urlopen(f"http://{host}/work", timeout=30) as answer:
            answer.read()


def test_a_service_under_load_is_joined_with_the_kernels_view(service: str, tmp_path: Path) -> None:
    if shutil.which("perf") is None or privilege.lacking():
        pytest.skip(privilege.lacking() or "perf is not installed")
    trace, data, ready, done = (tmp_path / name for name in ("go.trace", "perf.data", "ready", "done"))
    # perf starts its command when it records: from `ready` on, and until `done`
    waiting = f"touch {ready}; while [ ! -e {done} ]; do sleep 0.05; done"
    recording = threading.Thread(target=perf.record, args=(["sh", "-c", waiting], data))
    askers = [threading.Thread(target=_ask, args=(service, done)) for _ in range(4)]
    recording.start()
    while recording.is_alive() and not ready.exists():
        time.sleep(0.01)
    for asker in askers:
        asker.start()
    try:
        fetch(service, trace, seconds=1, progress=no_progress)
    finally:
        done.touch()
    for thread in (*askers, recording):
        thread.join()
    joined = join(ingest(trace), ingest(data))
    assert check(joined.trace) == []
    summary = joined.summary
    assert sum(summary[f"{part}_ns"] for part in ("on_cpu", "runnable", "blocked", "unknown")) == summary["running_ns"]
    assert summary["on_cpu_ns"] > 0  # how much depends on what else the machine does
    assert summary["unknown_ns"] < 0.05 * summary["running_ns"]
    handlers = joined.trace.frame("tasks").filter(pl.col("name").str.contains("conn")).select("task_id")
    on_cpu = joined.trace.frame("intervals").filter((pl.col("state") == "RUNNING") & pl.col("cpu").is_not_null())
    assert on_cpu.join(handlers, on="task_id").height > 0
    assert joined.trace.tables["stacks"].num_rows > 0
