"""What tells one machine from another."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TELLING = ("cpu", "kernel", "cpus")


def host() -> dict[str, Any]:
    """This machine: its name, CPU, kernel, and how many CPUs are lent to this process."""
    return {
        "name": platform.node(),
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "cpus": len(os.sched_getaffinity(0)),
    }


def differences(theirs: Mapping[str, Any]) -> list[str]:
    """In what another machine, as a profile describes it, differs from this one; empty for the same."""
    ours = host()
    return [f"{key} {theirs[key]}, here {ours[key]}" for key in _TELLING if key in theirs and theirs[key] != ours[key]]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
