"""Every trace.dat gives the events that `trace-cmd report` prints, one for one, in the same order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.roundtrip.trace_dat_text import (
    RECORDINGS,
    TRACE_CMD,
    dropped,
    kernel_events,
    lines,
    our_events,
    report,
    report_events,
)
from tracekit.sources.base import ReadOptions
from tracekit.sources.trace_dat import SOURCE

pytestmark = pytest.mark.reference

FTRACE = RECORDINGS / "ftrace"
REPORTED = sorted(FTRACE.glob("*.dat.report-raw.txt.gz"))
FORMS = [(path, form) for path in REPORTED for form in (".dat", ".v6.dat", ".v7-zstd.dat")]
FORMS = [(path, form) for path, form in FORMS if (FTRACE / (path.name.split(".")[0] + form)).exists()]
PUBLIC = sorted((RECORDINGS / "public" / "trace.dat").glob("*.dat"))
needs_recordings = pytest.mark.skipif(not REPORTED, reason="needs recordings in ../shared/recordings")
needs_trace_cmd = pytest.mark.skipif(not PUBLIC or not TRACE_CMD, reason="needs trace-cmd and ../shared/recordings")


def assert_same(ours: list[dict[str, object]], theirs: list[dict[str, object]]) -> None:
    assert theirs
    assert len(ours) == len(theirs)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        assert mine == other, f"event {number}"


@needs_recordings
@pytest.mark.parametrize(("told", "form"), FORMS, ids=lambda part: getattr(part, "name", str(part)).split(".report")[0])
def test_events_agree_one_for_one(told: Path, form: str) -> None:
    assert_same(our_events(FTRACE / (told.name.split(".")[0] + form)), report_events(lines(told)))


@needs_trace_cmd
@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_public_files_agree_with_trace_cmd(path: Path) -> None:
    ours, theirs = our_events(path), report_events(report(path, "-R"))
    letters = [line.split("] ", 2)[-1].split()[0] for line in report(path) if " sched_switch: " in line]
    for event, letter in zip((event for event in theirs if "state" in event), letters, strict=True):
        event["state"] = letter.split("|")[0].replace("x", "X")
    for event in ours:
        if "state" in event:  # trace-cmd does not print the + of R+, and x for TASK_DEAD
            event["state"] = str(event["state"]).rstrip("+")
    assert_same(ours, theirs)


@needs_recordings
def test_lost_events_are_gaps_with_the_counts_that_trace_cmd_gives() -> None:
    trace = SOURCE.read(FTRACE / "ft-overrun.dat", ReadOptions())
    lost = trace.frame("gaps").filter(trace.frame("gaps")["cause"] == "lost_records")
    told = dropped(lines(FTRACE / "ft-overrun.dat.report.txt.gz"))
    assert sorted(lost.select("cpu", "lost_events").rows()) == sorted(told)


@needs_recordings
@pytest.mark.parametrize("name", ["ft-messaging", "ft-conns-tgid", "ft-overrun"])
def test_the_kernels_own_text_of_the_run_tells_the_same(name: str) -> None:
    ours = [event | {"time": (int(str(event["time"])) + 500) // 1000} for event in our_events(FTRACE / f"{name}.dat")]
    theirs = kernel_events(lines(FTRACE / f"{name}.trace.txt.gz"))

    def key(event: dict[str, object]) -> str:
        return f"{event['cpu']} {event['time']}"

    assert_same(sorted(ours, key=key), sorted(theirs, key=key))


@needs_recordings
@pytest.mark.parametrize("name", ["ft-messaging", "ft-conns-tgid"])
def test_all_forms_of_a_file_give_the_same_tables(name: str) -> None:
    first, *others = (
        SOURCE.read(FTRACE / f"{name}{form}", ReadOptions()).tables for form in (".dat", ".v6.dat", ".v7-zstd.dat")
    )
    for other in others:
        assert all(first[table].equals(other[table]) for table in first)
