"""What perf itself prints, parsed: the other reading that ours is held against."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECORDINGS = Path(__file__).parents[2] / ".." / "shared" / "recordings"

_LINE = re.compile(
    r"^\s*(?P<comm>.+?)\s+(?P<pid>-?\d+)/(?P<tid>-?\d+)\s+\[(?P<cpu>\d+)\]"
    r"\s+(?P<s>\d+)\.(?P<ns>\d{9}):\s+(?P<system>\w+):(?P<event>\w+): (?P<text>.*)$"
)
_FIELDS = {
    "sched_switch": re.compile(
        r"prev_comm=(?P<name>.*) prev_pid=(?P<tid>\d+) prev_prio=-?\d+ prev_state=(?P<state>\S+) ==> "
        r"next_comm=(?P<target_name>.*) next_pid=(?P<target>\d+) next_prio=-?\d+"
    ),
    "sched_stat_runtime": re.compile(r"comm=(?P<target_name>.*) pid=(?P<target>\d+) runtime=(?P<value>\d+) \[ns\].*"),
    "sched_migrate_task": re.compile(
        r"comm=(?P<target_name>.*) pid=(?P<target>\d+) prio=-?\d+ orig_cpu=\d+ dest_cpu=(?P<target_cpu>\d+)"
    ),
    "sched_process_fork": re.compile(
        r"comm=.* pid=(?P<tid>\d+) child_comm=(?P<target_name>.*) child_pid=(?P<target>\d+)"
    ),
    "sched_process_exec": re.compile(r"filename=.* pid=\d+ old_pid=\d+"),
    "sched_process_exit": re.compile(r"comm=(?P<target_name>.*) pid=(?P<target>\d+) prio=.*"),
}
_FIELDS |= dict.fromkeys(("sys_enter", "sys_exit"), re.compile(r"NR (?P<value>-?\d+)(?: \(.*| = .*)"))
_WAKE = re.compile(r"comm=(?P<target_name>.*) pid=(?P<target>\d+) prio=-?\d+ target_cpu=(?P<target_cpu>\d+)")
_FIELDS |= dict.fromkeys(("sched_waking", "sched_wakeup", "sched_wakeup_new"), _WAKE)


def _lines(path: Path) -> Iterator[str]:
    # a name can hold any byte (latin-1 keeps them) and is cut at line ends only by perf's own newline
    with gzip.open(path, "rt", encoding="latin-1", newline="\n") as file:
        yield from (line.rstrip("\n") for line in file)


def _value(key: str, text: str) -> int | str:
    if key.endswith("name"):
        return text.encode("latin-1").decode("utf-8", "replace")
    return int(text) if text.isdigit() else text


def script_events(path: Path) -> list[dict[str, object]]:
    """The scheduling events of `perf script --ns -F comm,pid,tid,cpu,time,event,trace`, in its order."""
    events = []
    for line in _lines(path):
        match = _LINE.match(line)
        if match is None or match["system"] not in ("sched", "raw_syscalls") or match["event"] not in _FIELDS:
            continue
        fields = _FIELDS[match["event"]].fullmatch(match["text"])
        assert fields, line
        event: dict[str, object] = {
            "event": match["event"],
            "time_ns": int(match["s"]) * 1_000_000_000 + int(match["ns"]),
            "cpu": int(match["cpu"]),
            "tid": int(match["tid"]),
        }
        events.append(event | {k: _value(k, v) for k, v in fields.groupdict().items()})
    return events


@dataclass(frozen=True)
class Stay:
    """A line of `perf sched timehist`: a task left a CPU. Times in µs, as exact as perf prints them."""

    time_us: int
    cpu: int
    tid: int  # 0: idle
    wait_us: int
    delay_us: int
    run_us: int
    state: str


_STAY = re.compile(
    r"^\s*(?P<s>\d+)\.(?P<us>\d{6}) \[(?P<cpu>\d+)\]\s+(?P<name>.*?)\s+"
    r"(?P<wait>\d+\.\d{3})\s+(?P<delay>\d+\.\d{3})\s+(?P<run>\d+\.\d{3})\s+(?P<state>\S*)\s*$"
)
_TID = re.compile(r"\[(?P<tid>-?\d+)(?:/\d+)?\]$|^:(?P<only>\d+)$")  # ":17" is a task without a name


def timehist(path: Path) -> list[Stay]:
    """All lines of `perf sched timehist --state`."""
    stays = []
    for match in filter(None, map(_STAY.match, _lines(path))):
        tid = _TID.search(match["name"])
        assert tid or match["name"] == "<idle>", match["name"]
        wait, delay, run = (int(match[name].replace(".", "")) for name in ("wait", "delay", "run"))
        time_us = int(match["s"]) * 1_000_000 + int(match["us"])
        stays.append(
            Stay(
                time_us,
                int(match["cpu"]),
                int(tid["tid"] or tid["only"]) if tid else 0,
                wait,
                delay,
                run,
                match["state"],
            )
        )
    return stays


_LATENCY = re.compile(
    r"^  (?P<name>.*?):(?:\((?P<merged>\d+)\)|(?P<tid>\d+))\s*\|\s*(?P<run>[\d.]+) ms \|\s*(?P<switches>\d+) \|.*"
    r"max:\s*(?P<max>[\d.]+) ms \|"
)


def latencies(path: Path) -> dict[int, tuple[float, int, float]]:
    """By tid, of `perf sched latency -p`: run time in ms, switches, the longest delay in ms."""
    with path.open(encoding="latin-1") as file:
        found = [match for match in map(_LATENCY.match, file) if match and match["tid"]]
    return {int(match["tid"]): (float(match["run"]), int(match["switches"]), float(match["max"])) for match in found}
