"""What stops a form on a machine: limits on tasks, mappings and memory, and how far each form gets with them.

Limits are read from the kernel (proc(5): threads-max, pid_max, max_map_count, MemTotal; cgroups(7): pids.max and
memory.max), or given. A pthread stack takes two mappings, itself and its guard page (glibc, nptl/allocatestack.c).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracekit.machine.profile import Profile
from tracekit.vocabulary import FORMS

MAPPINGS_OF_A_THREAD = 2
_PROCESS_MAPPINGS = 64  # of the program itself: text, data, libraries, heap
_OTHER_TASKS = 300  # what a machine runs anyway
_TASKS, _MAPPINGS, _MEMORY = "tasks", "mappings", "memory"


@dataclass(frozen=True)
class Limit:
    """One limit: its name as the kernel has it, what it counts (tasks, mappings or memory), and its value."""

    name: str
    kind: str
    value: int


@dataclass(frozen=True)
class Reach:
    """How many tasks of a form fit, and the limit that stops it first."""

    form: str
    tasks: int
    stopped_by: str


_FILES = (
    ("kernel.threads-max", _TASKS, "/proc/sys/kernel/threads-max"),
    ("kernel.pid_max", _TASKS, "/proc/sys/kernel/pid_max"),
    ("pids.max of the control group", _TASKS, "/sys/fs/cgroup/pids.max"),
    ("vm.max_map_count", _MAPPINGS, "/proc/sys/vm/max_map_count"),
    ("memory.max of the control group", _MEMORY, "/sys/fs/cgroup/memory.max"),
)


def machine_limits(root: Path = Path("/")) -> tuple[Limit, ...]:
    """The limits of this machine; what can't be read, or is `max`, is left out."""
    found = []
    for name, kind, path in _FILES:
        text = _text(root / path.lstrip("/"))
        if text.isdecimal():
            found.append(Limit(name, kind, int(text)))
    for line in _text(root / "proc/meminfo").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "MemTotal:" and words[1].isdecimal():
            found.append(Limit("physical memory", _MEMORY, int(words[1]) * 1024))
    return tuple(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def memory_of(profile: Profile, form: str, tasks: int) -> tuple[int, int]:
    """Resident and virtual bytes of so many waiting tasks."""
    base = {"goroutine": ("go_runtime_resident_bytes", "go_runtime_virtual_bytes")}.get(form)
    fixed = [profile.value(name) for name in base] if base else [0, 0]
    return (
        fixed[0] + tasks * profile.value(f"{form}_resident_bytes"),
        fixed[1] + tasks * profile.value(f"{form}_virtual_bytes"),
    )


COUNTS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


def curve(profile: Profile) -> dict[str, list[tuple[int, int, int]]]:
    """By form: (tasks, resident bytes, virtual bytes) from ten to a million tasks."""
    return {form: [(tasks, *memory_of(profile, form, tasks)) for tasks in COUNTS] for form in FORMS}


def reach(
    profile: Profile, limits: tuple[Limit, ...], resident_bytes: Mapping[str, int] | None = None
) -> dict[str, Reach]:
    """Where each form stops; a form that nothing stops has -1 tasks. A task of a form in `resident_bytes` holds that
    much, others what the profile says."""
    held = resident_bytes or {}
    return {form: min(_stops(profile, limits, form, held.get(form)), key=lambda stop: stop.tasks, default=Reach(form, -1, "nothing"))
            for form in FORMS}  # fmt: skip


def _stops(profile: Profile, limits: tuple[Limit, ...], form: str, held: int | None) -> list[Reach]:
    fixed, _ = memory_of(profile, form, 0)
    each: Mapping[str, tuple[int, int]] = {
        _MEMORY: (fixed, held or profile.value(f"{form}_resident_bytes")),
        _TASKS: (_OTHER_TASKS, 1 if form != "goroutine" else 0),
        _MAPPINGS: (_PROCESS_MAPPINGS, MAPPINGS_OF_A_THREAD if form == "thread" else 0),
    }
    return [
        Reach(form, max(limit.value - each[limit.kind][0], 0) // each[limit.kind][1], limit.name)
        for limit in limits
        if each[limit.kind][1]
    ]
