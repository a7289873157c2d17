"""How fast perf.data is read, beside `perf script` and `perf sched timehist` reading the same file."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.registry import Measurement, MissingError, benchmark, seconds
from tracekit.sources.base import ReadOptions
from tracekit.sources.perf_data import SOURCE

# Where nothing can be recorded: the largest recording with all events of perf sched record, 30,450 in 3.1 MB.
KEPT = Path(__file__).parents[2] / ".." / "shared" / "recordings" / "forms" / "gt-proc-pingpong-s25.data"
_LARGE_BYTES = 200 << 20
_SAMPLE, _FINISHED_ROUND = 9, 68
_TIME_AT = 32  # behind header, identifier, ip, pid and tid: sample_type 0x10587
# About 130,000 events in 14 MB, of 80 processes that talk in pairs.
LOAD = ("perf", "bench", "sched", "messaging", "-g", "2", "-l", "500")


def a_recording(folder: Path) -> Path:
    """A file worth reading: a new recording, or one that is kept. Raises MissingError."""
    if shutil.which("perf") is None:
        raise MissingError("perf is not installed")
    made = folder / "perf.data"
    command = ["perf", "sched", "record", "-k", "CLOCK_MONOTONIC", "-o", str(made), "--", *LOAD]
    if _quietly(command) == 0 and made.is_file():
        return made
    if not KEPT.is_file():
        raise MissingError(f"perf may not record here, and there is no {KEPT}")
    return KEPT


def _quietly(command: list[str]) -> int:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120).returncode


@benchmark("perf_reader", unit="events/s", goal=5.0, reference="perf script")
def perf_reader() -> Measurement:
    """Scheduling events a second from the file to tables; perf prints them. The ratio: how many times faster."""
    with tempfile.TemporaryDirectory() as folder:
        path = a_recording(Path(folder))
        return _beside(path, ["perf", "script", "-i", str(path), "--ns", "-F", "comm,pid,tid,cpu,time,event,trace"])


@benchmark("perf_timehist", unit="events/s", goal=8.0, reference="perf sched timehist")
def perf_timehist() -> Measurement:
    """As perf_reader; what perf makes of the events here is nearer to what tables hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = a_recording(Path(folder))
        return _beside(path, ["perf", "sched", "timehist", "-i", str(path), "--state"])


@benchmark("perf_rate", unit="events/s", goal=5_000_000.0)
def perf_rate() -> Measurement:
    """Scheduling events a second of a file that is large enough for nothing else to count, tables dropped as made."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.data"
        repeated(a_recording(Path(folder)), path, _LARGE_BYTES)
        options = ReadOptions(sink=_Dropped())
        events = SOURCE.read(path, options).meta["events"]
        return Measurement(value=events / seconds(lambda: SOURCE.read(path, options)))


class _Dropped:
    """A sink that keeps nothing."""

    def append(self, name: str, table: object, *, ahead: bool = False) -> None:
        """Rows come and go."""


def _beside(path: Path, command: list[str]) -> Measurement:
    if _quietly(command) != 0:
        raise MissingError(f"{' '.join(command[:3])} does not read the recording")
    events = SOURCE.read(path, ReadOptions()).meta["events"]  # compiles what is not compiled yet
    theirs = seconds(lambda: _quietly(command))
    ours = seconds(lambda: SOURCE.read(path, ReadOptions()))
    return Measurement(value=events / ours, reference_value=events / theirs, ratio=theirs / ours)


def repeated(source: Path, made: Path, least_bytes: int) -> None:
    """A file with the samples of `source` over and over, each time later than before."""
    data = source.read_bytes()
    at, size = struct.unpack_from("<QQ", data, 40)
    samples, times = _samples(data, at, at + size)
    block, places = np.frombuffer(samples, np.uint8).copy(), np.array(times)[:, None] + np.arange(8)
    moments = block[places].view("<u8")[:, 0]
    span, repeats = int(moments.max() - moments.min()) + 1000, least_bytes // len(block) + 1
    grown = len(block) * repeats
    header, features = bytearray(data[: at + size]), bytearray(data[at + size :])
    struct.pack_into("<Q", header, 48, size + grown)
    for place in range(sum(number.bit_count() for number in struct.unpack_from("<4Q", data, 72))):
        offset = struct.unpack_from("<Q", features, 16 * place)[0]
        struct.pack_into("<Q", features, 16 * place, offset + grown)
    with made.open("wb") as file:
        file.write(header)
        for number in range(1, repeats + 1):
            block[places] = (moments + np.uint64(number * span))[:, None].view(np.uint8).reshape(-1, 8)
            file.write(block.tobytes())
        file.write(features)


def _samples(data: bytes, at: int, end: int) -> tuple[bytes, list[int]]:
    """Samples and ends of rounds of perf sched record, one behind the other, and where each sample has its time."""
    kept, times = bytearray(), []
    while at < end:
        kind, _, size = struct.unpack_from("<IHH", data, at)
        if kind == _SAMPLE:
            times.append(len(kept) + _TIME_AT)
        if kind in (_SAMPLE, _FINISHED_ROUND):
            kept += data[at : at + size]
        at += size
    return bytes(kept + struct.pack("<IHH", _FINISHED_ROUND, 0, 8)), times
