"""How fast trace.dat is read, beside `trace-cmd report` reading the same file."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.registry import Measurement, benchmark, seconds
from tests.fuzz.trace_dat_files import Shape, trace_dat
from tracekit.sources.base import ReadOptions
from tracekit.sources.trace_dat import SOURCE

# 7,236 events of 20 processes that talk in pairs; a story of our own where it is not.
KEPT = Path(__file__).parents[2] / ".." / "shared" / "recordings" / "ftrace" / "ft-messaging.v6.dat"
PAGE = 4096
EVENTS = 2_000_000
TRACE_CMD = shutil.which("trace-cmd")


def a_recording(folder: Path, events: int = EVENTS) -> Path:
    """A version 6 file whose pages repeat, each time later, and how often they do."""
    data = KEPT.read_bytes() if KEPT.is_file() else _story()
    at = data.rindex(b"flyrecord\0") + 10
    (cpus,) = struct.unpack_from("<I", data, data.rindex(b"options  \0") - 4)
    placed = [struct.unpack_from("<QQ", data, at + 16 * cpu) for cpu in range(cpus)]
    repeats = -(-events // max(SOURCE.read(_written(folder, data), ReadOptions()).meta["events"], 1))
    begin = min(offset for offset, _ in placed)
    head, tables, pages = data[:begin], b"", []
    span = _span(data, placed)
    for offset, size in placed:
        tables += struct.pack("<QQ", begin + sum(map(len, pages)), size * repeats)
        pages.append(_repeated(data[offset : offset + size], repeats, span))
    return _written(folder, head[:at] + tables + head[at + len(tables) :], *pages)


def _story() -> bytes:
    """Two tasks per CPU that take turns and wake each other."""
    lines = (
        f"{1000 * n} cpu{n % 2} {1 + n % 2} waking {3 + n % 2} cpu0\n{1000 * n + 500} cpu{n % 2} {1 + n % 2} switch S 0\n"
        f"{1000 * n + 800} cpu{n % 2} 0 switch R {1 + n % 2}"
        for n in range(2400)
    )
    return trace_dat("\n".join(lines), Shape(6, page_size=PAGE))


def _span(data: bytes, placed: list[tuple[int, int]]) -> int:
    times = [
        struct.unpack_from("<Q", data, at)[0] for offset, size in placed for at in range(offset, offset + size, PAGE)
    ]
    return max(times) - min(times) + 10_000_000


def _repeated(pages: bytes, repeats: int, span: int) -> bytes:
    copies = np.tile(np.frombuffer(pages, np.uint8).reshape(1, -1, PAGE), (repeats, 1, 1))
    begins = copies[:, :, :8].copy().view("<u8")[..., 0] + np.arange(repeats, dtype=np.uint64)[:, None] * span
    copies[:, :, :8] = begins.astype("<u8")[..., None].view(np.uint8)
    return copies.tobytes()


def _written(folder: Path, *parts: bytes) -> Path:
    path = folder / "trace.dat"
    with path.open("wb") as file:
        file.writelines(parts)
    return path


@benchmark("trace_dat", unit="events/s", goal=4e6, reference="trace-cmd report")
def trace_dat_reader() -> Measurement:
    """Scheduling events a second from the file to tables; trace-cmd, where it is, prints them."""
    with tempfile.TemporaryDirectory() as folder:
        path = a_recording(Path(folder))
        events = SOURCE.read(path, ReadOptions()).meta["events"]  # compiles what is not compiled yet
        ours = events / seconds(lambda: SOURCE.read(path, ReadOptions()))
        if TRACE_CMD is None:
            return Measurement(ours)
        command = [TRACE_CMD, "report", "-i", str(path), "-t"]
        theirs = events / seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True), repeat=1)
    return Measurement(ours, theirs)
