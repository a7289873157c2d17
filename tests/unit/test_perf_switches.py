"""PERF_RECORD_SWITCH: who runs, told without tracepoints by the task that leaves and by the one that comes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.unit.kernel_text import intervals, wakeups
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.build import Built, build_stream
from tracekit.sources.perf_data.reader import mapped, opened

_TID, _TIME, _CPU, _IDENTIFIER = 1 << 1, 1 << 2, 1 << 7, 1 << 16
_FLAGS = 1 << 18 | 1 << 25 | 1 << 26  # sample_id_all, use_clockid, context_switch
_OUT, _PREEMPT = 1 << 13, 1 << 14
CPU_WIDE, ONE_TASK = 15, 14


def record(kind: int, misc: int, body: bytes, tid: int, time_ns: int, cpu: int = 0) -> bytes:
    end = struct.pack("<iiQIIQ", tid, tid, time_ns, cpu, 0, 7)
    return struct.pack("<IHH", kind, misc, 8 + len(body) + len(end)) + body + end


def out(time_ns: int, tid: int, following: int, misc: int = _OUT) -> bytes:
    return record(CPU_WIDE, misc, struct.pack("<ii", following, following), tid, time_ns)


def came(time_ns: int, tid: int, before: int) -> bytes:
    return record(CPU_WIDE, 0, struct.pack("<ii", before, before), tid, time_ns)


def comm(tid: int, name: str) -> bytes:
    return record(3, 0, struct.pack("<ii16s", tid, tid, name.encode()), 0, 0)


def read(*records: bytes, folder: Path, sample_type: int = _TID | _TIME | _CPU | _IDENTIFIER) -> Built:
    attr = struct.pack("<IIQQQQQ", 1, 128, 9, 1, sample_type, 0, _FLAGS).ljust(92, b"\0") + struct.pack("<i32x", 1)
    described = struct.pack("<IHH", 64, 0, 8 + len(attr) + 8) + attr + struct.pack("<Q", 7)
    path = folder / "perf.data"
    path.write_bytes(b"PERFILE2" + struct.pack("<Q", 16) + described + b"".join(records))
    return build_stream(opened(mapped(path), str(path), ReadOptions())[2])


def test_a_switch_told_twice_is_one(tmp_path: Path) -> None:
    made = read(
        comm(1, "one"), out(100, 1, 2), came(105, 2, 1), out(150, 2, 1, _OUT | _PREEMPT), came(155, 1, 2),
        out(190, 1, 0), came(240, 2, 0), out(290, 2, 0), folder=tmp_path,
    )  # fmt: skip
    assert made.events == 5
    assert intervals(made, 1) == ["0-50 BLOCKED", "50-90 RUNNING cpu0", "90-190 BLOCKED"]
    assert intervals(made, 2) == ["0-50 RUNNING cpu0", "50-140 RUNNABLE cpu0 (preempted)", "140-190 RUNNING cpu0"]
    assert wakeups(made) == []
    assert made.tables["tasks"]["name"].to_pylist() == ["one", "task 2"]


def test_the_idle_task_need_not_tell_that_it_left(tmp_path: Path) -> None:
    made = read(out(100, 1, 0), came(300, 1, 0), out(400, 1, 0), folder=tmp_path)
    assert intervals(made, 1) == ["0-200 BLOCKED", "200-300 RUNNING cpu0"]
    assert made.tables["gaps"].num_rows == 0


def test_switches_of_one_task_alone(tmp_path: Path) -> None:
    made = read(
        record(ONE_TASK, 0, b"", 1, 100), record(ONE_TASK, _OUT, b"", 1, 150), record(ONE_TASK, 0, b"", 1, 190),
        record(ONE_TASK, _OUT | _PREEMPT, b"", 1, 200), folder=tmp_path,
    )  # fmt: skip
    assert intervals(made, 1) == ["0-50 RUNNING cpu0", "50-90 BLOCKED", "90-100 RUNNING cpu0"]


def test_names_are_those_of_the_notes_and_of_who_created(tmp_path: Path) -> None:
    fork = record(7, 0, struct.pack("<iiiiQ", 2, 1, 2, 1, 120), 1, 120)
    later = record(3, 0, struct.pack("<ii16s", 3, 3, b"later"), 3, 260)
    made = read(comm(1, "one"), out(100, 1, 3), fork, out(200, 3, 2), out(250, 2, 3), later, folder=tmp_path)
    names = dict(
        zip(made.tables["tasks"]["source_id"].to_pylist(), made.tables["tasks"]["name"].to_pylist(), strict=True)
    )
    assert names == {1: "one", 2: "one", 3: "later"}


def test_without_a_cpu_there_is_no_telling(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="lack time or CPU"):
        read(out(100, 1, 2), folder=tmp_path, sample_type=_TID | _TIME | _IDENTIFIER)
