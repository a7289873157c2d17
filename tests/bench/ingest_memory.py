"""How much memory `tracekit ingest` takes for a file far larger than what it holds at once.

`python -m tests.bench.ingest_memory` prints it for every source whose large file can be made here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import chrome_json, go_reader, perf_reader, tables, trace_dat
from tests.bench.registry import Measurement, MissingError, benchmark

FILE_BYTES = 200_000_000
TASKS, CPUS = 200, 4
# VmHWM, as ru_maxrss begins with what the parent process had.
_PEAK = (
    "kb = next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')); "
    "print(int(kb) << 10, file=sys.stderr)"
)
_IDLE = f"import tracekit.cli.main, tracekit.api, numba, polars; {_PEAK}"
_INGEST = f"from tracekit.cli.main import run; code = run(sys.argv[1:]); {_PEAK}; sys.exit(code)"


def big_text(path: Path, size: int) -> None:
    """Write a `perf script` text of about `size` bytes: tasks take turns on every CPU, and wake the next."""
    time_us, turn = 1_000_000, 0
    with path.open("w") as file:
        while file.tell() < size:
            lines = []
            for _ in range(10_000):
                cpu, turn, time_us = turn % CPUS, turn + 1, time_us + 7
                old, new = (100 + cpu + CPUS * ((turn // CPUS + k) % (TASKS // CPUS)) for k in (0, 1))
                head = f"{f'task-{old}':>16} {old:5d}/{old:<5d} [{cpu:03d}] {time_us // 10**6:5d}.{time_us % 10**6:06d}000:"
                lines.append(
                    f"{head}       sched:sched_waking: comm=task-{new} pid={new} prio=120 target_cpu={cpu:03d}\n"
                    f"{head}       sched:sched_switch: prev_comm=task-{old} prev_pid={old} prev_prio=120 prev_state=S"
                    f" ==> next_comm=task-{new} next_pid={new} next_prio=120\n"
                )
            file.writelines(lines)


def peak_bytes(code: str, *arguments: str) -> int:
    """The largest resident size of a Python process that runs `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", *arguments], capture_output=True, text=True, check=True
    )
    return int(done.stderr.split()[-1])


def above_idle(path: Path) -> int:
    """Peak bytes of `tracekit ingest` on a file, above those of an idle interpreter with the libraries loaded."""
    with tempfile.TemporaryDirectory() as folder:
        return peak_bytes(_INGEST, "ingest", str(path), "-o", f"{folder}/big.tracekit") - peak_bytes(_IDLE)


def _text(folder: Path) -> Path:
    big_text(folder / "big.txt", FILE_BYTES)
    return folder / "big.txt"


def _go(folder: Path) -> Path:
    path = folder / "go.trace"
    source = folder / "load.go"
    source.write_text(go_reader.LOAD)
    subprocess.run([go_reader.go(), "run", str(source), str(path), "600000"], check=True)
    return path


def _chrome(folder: Path) -> Path:
    chrome_json.a_trace(folder / "trace.json", events=2_000_000)
    return folder / "trace.json"


def _trace_dat(folder: Path) -> Path:
    return trace_dat.a_recording(folder, events=5_000_000)


def _perf_data(folder: Path) -> Path:
    perf_reader.repeated(perf_reader.a_recording(folder), folder / "large.data", FILE_BYTES)
    return folder / "large.data"


def _csv(folder: Path) -> Path:
    return tables.a_table(folder / "big.csv", rows=5 << 20)


def _parquet(folder: Path) -> Path:
    return tables.a_table(folder / "big.parquet", rows=18 << 20)


# Source → a file of 200 MB or more, made in a folder. They may raise MissingError.
MADE: dict[str, Callable[[Path], Path]] = {
    "perf.data": _perf_data,
    "perf script text": _text,
    "trace.dat": _trace_dat,
    "Go trace": _go,
    "Chrome JSON": _chrome,
    "CSV table": _csv,
    "Parquet table": _parquet,
}


def table() -> str:
    """All sources' memory as a table in Markdown; a source whose file can't be made here is left out."""
    lines = ["| source | file | peak above idle | times the file |", "|---|---|---|---|"]
    for name, make in MADE.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = make(Path(folder))
            except MissingError:
                continue
            above_idle(path)  # compiles what is not compiled yet
            above, size = above_idle(path), path.stat().st_size
        lines.append(f"| {name} | {size / 1e6:.0f} MB | {above / 1e6:.0f} MB | {above / size:.2f} |")
    return "\n".join(lines)


@benchmark("ingest_memory", unit="times the file", goal=2.0, better="lower")
def ingest_memory() -> Measurement:
    """Peak memory above that of an idle interpreter with the libraries loaded, by the size of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = _text(Path(folder))
        above_idle(path)  # compiles what is not compiled yet
        return Measurement(value=above_idle(path) / path.stat().st_size)


if __name__ == "__main__":
    print(table())
