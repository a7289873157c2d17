"""Peak physical memory of a command and all its children: a memory cgroup of its own, where this user may make one.

A cgroup counts what the kernel holds for tasks (stacks, page tables, structures) as well as their pages
(Documentation/admin-guide/cgroup-v2.rst, "memory.peak"; cgroup-v1/memory.rst, "max_usage_in_bytes").
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PEAKS = ("memory.peak", "memory.max_usage_in_bytes")
_JOIN = 'echo $$ > "$0" && exec "$@"'


class MemoryMeter:
    """Use as a context manager around one command; `peak_bytes` is there afterwards, None where unknown."""

    def __init__(self) -> None:
        self.peak_bytes: int | None = None
        self._group: Path | None = None

    def __enter__(self) -> MemoryMeter:
        self._group = _new_group()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._group is not None:
            _remove(self._group)

    def wrapped(self, command: list[str]) -> list[str]:
        """The command, joining the group first."""
        if self._group is None:
            return command
        return ["/bin/sh", "-c", _JOIN, str(self._group / "cgroup.procs"), *command]

    def stop(self) -> None:
        """Note the peak, and end whatever is left in the group."""
        if self._group is None:
            return
        if self.peak_bytes is None:
            self.peak_bytes = _peak(self._group)
        for pid in _members(self._group):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _new_group() -> Path | None:
    parent = _own_group()
    if parent is None:
        return None
    group = parent / f"tracekit-{os.getpid()}-{time.monotonic_ns()}"
    try:
        group.mkdir()
    except OSError:  # no right to: then memory stays unknown
        return None
    if _peak(group) is None or not os.access(group / "cgroup.procs", os.W_OK):
        _remove(group)
        return None
    return group


def _own_group() -> Path | None:
    """The group this process is in: of the memory controller (v1), or of the one hierarchy (v2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _ROOT / "memory" / path.lstrip("/")
    for line in lines:
        if line.startswith("0::"):
            return _ROOT / line[3:].lstrip("/")
    return None


def _peak(group: Path) -> int | None:
    for name in _PEAKS:
        with suppress(OSError, ValueError):
            return int((group / name).read_text())
    return None


def _members(group: Path) -> list[int]:
    with suppress(OSError):
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]
    return []


def _remove(group: Path) -> None:
    """The kernel lets a group go when its last task is reaped, which may be a moment after it was killed."""
    for _ in range(100):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.01)
