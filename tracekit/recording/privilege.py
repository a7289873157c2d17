"""What this process may record, and how to be allowed more. Facts from perf_event_open(2) and the kernel's
`Documentation/admin-guide/perf-security.rst`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tracekit.errors import TracekitError

PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
_STATUS = Path("/proc/self/status")
_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38}  # include/uapi/linux/capability.h
_MAX_FOR_SELF = 2  # above it (Debian's and Android's own values) even one's own processes are closed
_RAISE = "run as root, or give perf CAP_PERFMON (setcap cap_perfmon+ep), or sysctl kernel.perf_event_paranoid=-1"


def perf_command() -> str:
    """The perf program. Raises TracekitError naming the package it comes in."""
    found = shutil.which("perf")
    if found is None:
        raise TracekitError(
            "perf is not installed",
            remedy=f"install linux-perf (Debian), linux-tools-{os.uname().release} (Ubuntu) or perf (Fedora, Arch)",
        )
    return found


def paranoid() -> int:
    """The kernel's `perf_event_paranoid`. Raises TracekitError where the kernel has no perf events."""
    try:
        return int(PARANOID.read_text())
    except (OSError, ValueError):
        raise TracekitError("this kernel has no perf events", remedy="record on Linux, outside of a sandbox") from None


def capable() -> bool:
    """Whether a capability puts this process above `perf_event_paranoid`."""
    line = next((line for line in _STATUS.read_text().splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    effective = int(line.split()[1], 16)
    return any(effective >> bit & 1 for bit in _CAPABILITIES.values())


def sched_events() -> Path | None:
    """The folder of the scheduler's tracepoints, where this process can read it."""
    for root in TRACEFS:
        folder = root / "events" / "sched"
        if os.access(folder, os.R_OK | os.X_OK) and folder.is_dir():
            return folder
    return None


def lacking() -> str | None:
    """What keeps this process from recording the whole machine's scheduler, with the way out; None if nothing."""
    level = paranoid()
    if not capable() and level > -1:
        return f"no right to record the whole machine (perf_event_paranoid is {level}); {_RAISE}"
    if sched_events() is None:
        where = next((root for root in TRACEFS if _mounted(root)), None)
        if where is None:
            return f"tracefs is not mounted; mount -t tracefs nodev {TRACEFS[0]}"
        return f"no right to read {where}/events; run as root, or mount -o remount,mode=755 {where}"
    return None


def _mounted(root: Path) -> bool:
    """Whether there is anything; a folder that may not be looked into is not the empty one of an unmounted tracefs."""
    try:
        return next(root.iterdir(), None) is not None
    except PermissionError:
        return True
    except OSError:
        return False


def refuse_closed() -> None:
    """Raise TracekitError where not even one's own command may be recorded."""
    level = paranoid()
    if level > _MAX_FOR_SELF and not capable():
        raise TracekitError(f"no right to record anything (perf_event_paranoid is {level})", remedy=_RAISE)
