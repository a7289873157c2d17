"""A command recorded by perf: the scheduler's tracepoints of the whole machine, or else the command's own switches."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tracekit.errors import TracekitError, UsageError
from tracekit.recording import privilege

CLOCK = "CLOCK_MONOTONIC"  # the one that Go traces and programs' own timings are on
# What a trace needs first: who runs, who wakes whom, who begets whom; then what mends holes. Not sched_stat_runtime,
# which comes with every switch and wakeup once more, and takes as long as they do.
EVENTS = (
    "sched_switch", "sched_waking", "sched_wakeup_new", "sched_process_fork", "sched_process_exec",
    "sched_process_exit", "sched_migrate_task",
)  # fmt: skip
_NEEDED = "sched_switch"
# The kernel's innermost functions at a switch tell what a task waits for, and who yields, and cost less than events of
# system calls, which come with every call of the machine. The first two are the scheduler's; five reach what a socket is
# read by.
_CALLCHAIN = "/call-graph=fp,max-stack=5/"
BUFFER = "16M"  # for each CPU: a second of 100,000 switches and wakeups, whatever the disk does meanwhile
_OWN_BUFFER = "512K"  # what perf_event_mlock_kb lets everybody have


@dataclass(frozen=True)
class Recorded:
    """A perf.data file, how the command ended, and what was not recorded (None: all was)."""

    path: Path
    exit_code: int
    reduced: str | None


def arguments(
    perf: str, path: Path, command: Sequence[str], *, max_bytes: int | None, whole: bool, callchains: bool = True
) -> list[str]:
    """The call of perf. Raises TracekitError where the kernel has no scheduler tracepoints."""
    if whole:
        what = ["-a", "-R", "-c", "1", "-m", BUFFER, "--kernel-callchains"]
        for event in present():
            what += ["-e", f"sched:{event}{_CALLCHAIN if callchains and event == _NEEDED else ''}"]
    else:
        what = ["--switch-events", "-e", "dummy:u", "-T", "--sample-cpu", "-m", _OWN_BUFFER]
    bound = ["--max-size", f"{max_bytes}B"] if max_bytes else []
    return [perf, "record", "-q", "-k", CLOCK, *what, *bound, "-o", str(path), "--", *command]


def under_perf(path: Path, *, callchains: bool = True) -> list[str]:
    """The words before a command that is to be recorded whole. Raises TracekitError where that is not allowed here."""
    perf, reduced = privilege.perf_command(), privilege.lacking()
    if reduced is not None:
        raise TracekitError(reduced)
    return arguments(perf, path, [], max_bytes=None, whole=True, callchains=callchains)


def present() -> list[str]:
    """Which of EVENTS this kernel has. Raises TracekitError without sched_switch."""
    folder = privilege.sched_events()
    found = [event for event in EVENTS if folder and (folder / event).is_dir()]
    if _NEEDED not in found:
        raise TracekitError("this kernel has no scheduler tracepoints", remedy="use a kernel with CONFIG_SCHED_TRACER")
    return found


def record(
    command: Sequence[str], path: Path, *, max_bytes: int | None = None, duration_s: float | None = None,
    callchains: bool = True,
) -> Recorded:  # fmt: skip
    """Run a command under perf until it ends, is interrupted, or a bound is reached: the recording is kept.

    The command ends with the recording. `callchains` tell what tasks wait for, and make switches' events costlier.
    Raises UsageError without such a command, TracekitError when perf is missing, may not record, or fails.
    """
    if shutil.which(command[0]) is None:
        raise UsageError(f"{command[0]}: no such command", remedy="give one that the shell would find")
    perf, reduced = privilege.perf_command(), privilege.lacking()
    privilege.refuse_closed()
    call = arguments(perf, path, command, max_bytes=max_bytes, whole=reduced is None, callchains=callchains)
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as running:
        said: list[str] = []
        listening = threading.Thread(target=lambda: said.extend(running.stderr or ()), daemon=True)
        listening.start()
        exit_code = _finish(running, duration_s)
        listening.join(timeout=1)
    if not path.is_file() or path.stat().st_size == 0:
        lines = [line.strip() for line in said if line.strip()]
        raise TracekitError(f"perf recorded nothing: {lines[-1] if lines else 'it gave no reason'}")
    return Recorded(path, exit_code, reduced)


def _finish(running: subprocess.Popen[str], duration_s: float | None) -> int:
    """Wait; on Ctrl-C or when time is up perf is told to end the command and to write what it has."""
    while True:
        try:
            return running.wait(duration_s)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            duration_s = None
            running.send_signal(signal.SIGINT)
