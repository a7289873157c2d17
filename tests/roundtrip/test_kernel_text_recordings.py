"""Real recordings as text, against the same recordings as perf.data and trace.dat, and against a plain count."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel_text import SOURCE
from tracekit.sources.perf_data import SOURCE as PERF_DATA
from tracekit.sources.trace_dat import SOURCE as TRACE_DAT
from tracekit.tables.bundle import Trace

RECORDINGS = Path(__file__).parents[2] / ".." / "shared" / "recordings"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="../shared/recordings is missing")

FTRACE = ["ft-messaging", "ft-conns-tgid", "ft-conns-boot", "ft-make", "ft-overrun", "ft-tsc"]
PERF = ["perf/messaging-proc", "perf/messaging-thread", "perf/nginx-wrk", "perf/rt-app", "perf/make-j2", "perf/v-lost",
        "forms/gt-proc-pingpong-s25", "forms/gt-proc-forkjoin", "forms/gt-go-pingpong"]  # fmt: skip
_SCHEDULING = re.compile(
    rb"^.* \d+[.\d]*: +(?:sched:)?sched_(switch|waking|wakeup|wakeup_new|migrate_task|stat_runtime|process_fork"
    rb"|process_exec|process_exit):",
    re.M,
)
# The recorder's own notes of forks and exits, which are not in the text, come some µs before the events of the same.
NOTED = {"NEW"}


def of_text(name: str, folder: Path) -> tuple[Trace, bytes]:
    raw = gzip.decompress((RECORDINGS / name).read_bytes())
    path = folder / "trace.txt"
    path.write_bytes(raw)
    assert SOURCE.matches(raw[: 64 * 1024])
    return SOURCE.read(path, ReadOptions()), raw


def intervals(trace: Trace, grain_ns: int = 1) -> set[tuple[object, ...]]:
    tasks = {row["task_id"]: (row["source_id"], row["name"]) for row in trace.tables["tasks"].to_pylist()}
    origin = trace.meta["clock"]["origin_ns"]
    return {
        (
            (row["start_ns"] + origin) // grain_ns,
            (row["end_ns"] + origin) // grain_ns,
            tasks[row["task_id"]],
            row["cpu"],
            row["state"],
            row["reason"],
        )
        for row in trace.tables["intervals"].to_pylist()
        if row["state"] not in NOTED
    }


def wakeups(trace: Trace) -> set[tuple[object, ...]]:
    """Without the waker, of whom only the binary form says whether it was interrupted."""
    tids = trace.tables["tasks"]["source_id"].to_pylist()
    origin = trace.meta["clock"]["origin_ns"]
    return {
        (row["at_ns"] + origin, tids[row["wakee_id"]], row["cpu"], row["target_cpu"], row["reason"])
        for row in trace.tables["wakeups"].to_pylist()
    }


@pytest.mark.parametrize("name", PERF)
def test_perf_script_is_its_perf_data(name: str, tmp_path: Path) -> None:
    text, raw = of_text(f"{name}.script.txt.gz", tmp_path)
    data = PERF_DATA.read(RECORDINGS / f"{name}.data", ReadOptions())
    assert text.meta["events"] == data.meta["events"] == len(_SCHEDULING.findall(raw))
    assert wakeups(text) == wakeups(data)
    # v-lost: an exit is noted while its last switch was lost, so that one interval ends earlier
    assert len(intervals(text) ^ intervals(data)) <= (2 if name.endswith("v-lost") else 0)


@pytest.mark.parametrize("name", FTRACE)
def test_every_scheduling_line_of_ftrace_counts(name: str, tmp_path: Path) -> None:
    text, raw = of_text(f"ftrace/{name}.trace.txt.gz", tmp_path)
    kinds = _SCHEDULING.findall(raw)
    assert text.meta["events"] == len(kinds) - kinds.count(b"process_exit")  # which is counted with no CPU's events
    assert not [row for row in text.meta["policies"] if "left out" in str(row["choice"])]


@pytest.mark.parametrize("name", ["ft-messaging", "ft-conns-tgid", "ft-overrun"])
def test_reports_are_their_trace_dat(name: str, tmp_path: Path) -> None:
    dat = TRACE_DAT.read(RECORDINGS / f"ftrace/{name}.dat", ReadOptions())
    for kind in ("report", "report-raw"):
        text, raw = of_text(f"ftrace/{name}.dat.{kind}.txt.gz", tmp_path)
        kinds = _SCHEDULING.findall(raw)
        assert text.meta["events"] == dat.meta["events"] == len(kinds) - kinds.count(b"process_exit")
        assert intervals(text) == intervals(dat)
        assert wakeups(text) == wakeups(dat)


@pytest.mark.parametrize("name", ["ft-messaging", "ft-conns-tgid"])
def test_tracefs_text_is_its_trace_dat_up_to_a_microsecond(name: str, tmp_path: Path) -> None:
    dat = TRACE_DAT.read(RECORDINGS / f"ftrace/{name}.dat", ReadOptions())
    text, _ = of_text(f"ftrace/{name}.trace.txt.gz", tmp_path)
    assert text.meta["events"] == dat.meta["events"]
    assert text.tables["wakeups"].num_rows == dat.tables["wakeups"].num_rows
    for ours, theirs in zip(running(text), running(dat), strict=True):
        assert ours[0] == theirs[0]
        assert abs(ours[1] - theirs[1]) <= ours[2] + theirs[2]


def running(trace: Trace) -> list[tuple[tuple[int, str], int, int]]:
    """Each task, how long it ran, and by how much each interval's rounding can change that (1 µs)."""
    tasks = {row["task_id"]: (row["source_id"], row["name"]) for row in trace.tables["tasks"].to_pylist()}
    found: dict[tuple[int, str], list[int]] = {}
    for row in trace.tables["intervals"].to_pylist():
        if row["state"] == "RUNNING":
            total = found.setdefault(tasks[row["task_id"]], [0, 0])
            total[0] += row["end_ns"] - row["start_ns"]
            total[1] += 1000
    return [(task, *numbers) for task, numbers in sorted(found.items())]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("catapult-android_systrace.txt", 58), ("catapult-atrace_data.txt", 72), ("catapult-atrace_missing_tgids.txt", 72),
        ("lisa-trace.txt", 1856), ("perfetto-sched_blocked_systrace.systrace", 4), ("trappy-raw_trace.txt", 3),
        ("trappy-trace_idle_unsorted.txt", 6), ("trappy-trace_legacy_systrace.html", 3),
        ("trappy-trace_no_trailing_line.txt", 1), ("trappy-trace_systrace.html", 4),
    ],
)  # fmt: skip
def test_public_texts(name: str, switches: int) -> None:
    path = RECORDINGS / "public" / "ftrace-text" / name
    assert SOURCE.matches(path.read_bytes()[: 64 * 1024])
    trace = SOURCE.read(path, ReadOptions())
    wakes = len(re.findall(rb": sched_wak", path.read_bytes()))
    assert trace.meta["events"] == switches + wakes
