"""What trace-cmd itself prints, and the kernel's own text of the same run, parsed: the readings ours is held against."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import EVENT_KINDS, PREV_STATES
from tracekit.sources.kernel.tracepoints import TRACEPOINTS
from tracekit.sources.trace_dat.buffers import choose
from tracekit.sources.trace_dat.header import read_header
from tracekit.sources.trace_dat.reader import kernel_stream

RECORDINGS = Path(__file__).parents[2] / ".." / "shared" / "recordings"
TRACE_CMD = shutil.which("trace-cmd")

_REPORT_LINE = re.compile(
    r"^\s*.+-(?P<tid>\d+)\s+\[(?P<cpu>\d+)\]\s+(?P<s>\d+)\.(?P<ns>\d{9}): (?P<event>\w+):\s+(?P<text>.*)$"
)
_DROPPED = re.compile(r"^CPU:(?P<cpu>\d+) \[(?:(?P<count>\d+) )?EVENTS DROPPED\]$")
_KERNEL_LINE = re.compile(
    r"^\s*.+-(?P<tid>\d+)\s+(?:\(\s*[-\d]+\)\s+)?\[(?P<cpu>\d+)\] \S+\s+(?P<s>\d+)\.(?P<us>\d{6}): (?P<event>\w+): (?P<text>.*)$"
)
_WAKE = re.compile(r"comm=(?P<target_name>.*) pid=(?P<target>\d+) prio=-?\d+ target_cpu=(?P<target_cpu>\d+)")
FIELDS = {
    "sched_switch": re.compile(
        r"prev_comm=(?P<name>.*) prev_pid=\d+ prev_prio=-?\d+ prev_state=(?P<state>\S+) (?:==> )?"
        r"next_comm=(?P<target_name>.*) next_pid=(?P<target>\d+) next_prio=-?\d+"
    ),
    "sched_migrate_task": re.compile(
        r"comm=(?P<target_name>.*) pid=(?P<target>\d+) prio=-?\d+ orig_cpu=\d+ dest_cpu=(?P<target_cpu>\d+)"
    ),
    "sched_process_fork": re.compile(
        r"(?:parent_)?comm=.* (?:parent_)?pid=\d+ child_comm=(?P<target_name>.*) child_pid=(?P<target>\d+)"
    ),
    "sched_process_exec": re.compile(r"filename=.* pid=\d+ old_pid=\d+"),
    "sched_process_exit": re.compile(r"comm=(?P<target_name>.*) pid=(?P<target>\d+) prio=.*"),
    "sched_stat_runtime": re.compile(r"comm=(?P<target_name>.*) pid=(?P<target>\d+) runtime=(?P<value>\d+).*"),
    **dict.fromkeys(("sched_waking", "sched_wakeup", "sched_wakeup_new"), _WAKE),
}
# Bits of prev_state since Linux 4.14 (TASK_REPORT, include/linux/sched.h).
_STATES = {0: "R", 1: "S", 2: "D", 4: "T", 8: "t", 16: "X", 32: "Z", 64: "P", 128: "I", 256: "R+"}


EVENT_NAMES = {kind: event for event, (kind, *_) in TRACEPOINTS.items()}


def lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="latin-1", newline="\n") as file:
        yield from (line.rstrip("\n") for line in file)


def report(path: Path, *options: str) -> list[str]:
    """`trace-cmd report -t` of a file, with its lines."""
    command = [str(TRACE_CMD), "report", "-i", str(path), "-t", *options]
    return subprocess.run(command, capture_output=True, check=True, encoding="latin-1").stdout.splitlines()


def _events(found: Iterable[re.Match[str] | None], digits: str) -> list[dict[str, object]]:
    events = []
    for match in filter(None, found):
        if match["event"] not in FIELDS:
            continue
        fields = FIELDS[match["event"]].fullmatch(match["text"].rstrip())
        assert fields, match[0]
        time = int(match["s"]) * 10 ** len(match[digits]) + int(match[digits])
        event: dict[str, object] = {"event": match["event"], "time": time}
        event |= {"cpu": int(match["cpu"]), "tid": int(match["tid"])}
        events.append(event | {key: _value(key, text) for key, text in fields.groupdict().items()})
    return events


def _value(key: str, text: str) -> int | str:
    if key == "state":
        return _STATES[int(text, 0)] if text[0].isdigit() and int(text, 0) in _STATES else text
    return text if key.endswith("name") else int(text)


def report_events(raw: Iterable[str]) -> list[dict[str, object]]:
    """The scheduling events of `trace-cmd report -R -t`, in its order; times in ns."""
    return _events(map(_REPORT_LINE.match, raw), "ns")


def kernel_events(text: Iterable[str]) -> list[dict[str, object]]:
    """The scheduling events of tracefs `trace`, in its order; times in us."""
    return _events(map(_KERNEL_LINE.match, text), "us")


def dropped(raw: Iterable[str]) -> list[tuple[int, int | None]]:
    """(cpu, how many) of each note of lost events."""
    found = filter(None, map(_DROPPED.match, raw))
    return [(int(match["cpu"]), int(match["count"]) if match["count"] else None) for match in found]


def our_events(path: Path) -> list[dict[str, object]]:
    """The scheduling events as `report_events` has them."""
    data = np.asarray(np.memmap(path, np.uint8, mode="r"))
    header = read_header(data.data, str(path))
    kinds, states = EVENT_KINDS.names, list(PREV_STATES)
    found = []
    for batch in kernel_stream(data, header, choose(data, header), ReadOptions()).batches:
        rows = np.arange(len(batch.events))
        own, target = (batch.names(rows, np.full(len(rows), role, np.int8)) for role in (0, 1))
        for row, own_name, target_name in zip(batch.events, own, target, strict=True):
            event = EVENT_NAMES[kinds[row["kind"]]]
            every = {
                "name": own_name, "state": states[row["prev_state"]], "target_name": target_name,
                "target": int(row["target_tid"]), "target_cpu": int(row["target_cpu"]), "value": int(row["value"]),
            }  # fmt: skip
            place = {"event": event, "time": int(row["time_ns"]), "cpu": int(row["cpu"]), "tid": int(row["tid"])}
            found.append(place | {key: every[key] for key in FIELDS[event].groupindex})
    return found
