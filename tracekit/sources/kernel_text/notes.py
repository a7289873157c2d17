"""What a text says about itself: in its "#" lines, and in the first lines of trace-cmd report."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracekit.units import NS_PER_S

_CPUS = (re.compile(r"#P:(\d+)"), re.compile(r"^cpus=(\d+)", re.M), re.compile(r"^# nrcpus online : (\d+)", re.M))
_ENTRIES = re.compile(r"entries-in-buffer/entries-written: (\d+)/(\d+)")
_HOST = re.compile(r"^# hostname : (\S+)", re.M)
_KERNEL = re.compile(r"^# os release : (\S+)", re.M)
_MACHINE = re.compile(r"^# arch : (\S+)", re.M)
_CLOCK = re.compile(r"^# clockid: (\S+)", re.M)
_REFERENCE = re.compile(r"^# reference time: .* = (\d+)\.(\d+) \(TOD\) = (\d+)\.(\d+) \(", re.M)
_VERSION = re.compile(r"^# perf version : (\S+)", re.M)
_REPORT = re.compile(r"^(version = \d|cpus=\d)", re.M)
_PAGE = re.compile(r"\s*<!DOCTYPE html|TRACE:", re.I)


@dataclass(frozen=True)
class Notes:
    """Unknown is None."""

    form: str  # which tool's text it is
    version: str | None = None
    cpus: int | None = None
    host: str | None = None
    kernel: str | None = None
    clock: str | None = None
    wall_offset_ns: int | None = None  # UNIX time less the clock
    machine: str | None = None  # as uname -m names it
    overwritten: int = 0  # events that the buffer no longer had


def read_notes(head: bytes, comments: list[bytes], by_perf: bool) -> Notes:
    """From the text's beginning and its comment lines. `by_perf`: perf's event names were found."""
    start = head.decode("utf-8", "replace")
    said = b"\n".join(comments).decode("utf-8", "replace")
    found = next((match for pattern in _CPUS if (match := pattern.search(said) or pattern.search(start))), None)
    version = _VERSION.search(said)
    return Notes(
        _form(start, by_perf),
        version[1] if version else None,
        int(found[1][:6]) if found else None,
        _one(_HOST, said),
        _one(_KERNEL, said),
        f"CLOCK_{clock.upper()}" if (clock := _one(_CLOCK, said)) else None,
        _wall_offset_ns(said),
        _one(_MACHINE, said),
        _overwritten(said),
    )


def _form(start: str, by_perf: bool) -> str:
    if by_perf:
        return "perf script"
    if _PAGE.match(start):
        return "systrace"
    return "trace-cmd report" if _REPORT.search(start) else "ftrace text"


def _one(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _wall_offset_ns(text: str) -> int | None:
    """From perf's pair of a time of day and the recording's clock."""
    found = _REFERENCE.search(text)
    if not found or max(map(len, found.groups())) > len("1795445796"):
        return None
    wall, clock = (int(found[n]) * NS_PER_S + int(found[n + 1].ljust(9, "0")[:9]) for n in (1, 3))
    return wall - clock


def _overwritten(text: str) -> int:
    found = _ENTRIES.search(text)
    return max(int(found[2][:15]) - int(found[1][:15]), 0) if found else 0
