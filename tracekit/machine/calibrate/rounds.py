"""Running the micro-benchmarks, round after round, and noticing when the machine was not at rest."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tracekit.errors import ExecutionError
from tracekit.native import build

ROUNDS = 9
_LIMIT_S = 120
_BUSY_SHARE = 0.05  # of one CPU that others may take before it is said
_STEADY = ("syscall", "memcpy_1_mib")  # that hardly vary on a machine at rest
_UNSTEADY = 0.15

Say = Callable[[int, int], None]


@dataclass
class Measurements:
    """Every figure of every round, and what stood in the way. `missing` names runners that could not be built."""

    rounds: dict[str, list[float]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, name: str, value: float) -> None:
        """One more value of a figure."""
        self.rounds.setdefault(name, []).append(value)


def measure(rounds: int = ROUNDS, progress: Say = lambda done, total: None) -> Measurements:
    """Run the C and the Go benchmarks in turn. Raises ExecutionError when neither can be built, or one fails."""
    found = Measurements()
    commands = _commands(found)
    before = _others_cpu_s()
    begin = time.monotonic()
    for number in range(rounds):
        for command in commands:
            for name, value in _figures(command):
                found.add(name, value)
        progress(number + 1, rounds)
    _notice(found, _others_cpu_s() - before, time.monotonic() - begin)
    return found


def _commands(found: Measurements) -> list[list[str]]:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    makers: dict[str, Callable[[], list[str]]] = {
        "C": lambda: [str(build.c_program("calibrate")), *map(str, cpus)],
        "Go": lambda: [str(build.go_program("calibrate"))],
    }
    commands = []
    for title, make in makers.items():
        try:
            commands.append(make())
        except ExecutionError as error:
            found.missing.append(f"{title}: {error.line()}")
    if not commands:
        raise ExecutionError("neither C nor Go can be built, so nothing can be measured", remedy=build.EXTRA)
    return commands


def _figures(command: list[str]) -> list[tuple[str, float]]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise ExecutionError(f"{Path(command[0]).name} did not end within {_LIMIT_S} s") from None
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise ExecutionError(f"{Path(command[0]).name} failed ({said[0] if said else error})") from None
    pairs = (line.split() for line in done.stdout.splitlines())
    return [(name, float(value)) for name, value in pairs]


def _others_cpu_s() -> float:
    """CPU time of everything on this machine but us and our children, and what a host took away (proc_stat(5))."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(word) for word in words)
    own = sum(os.times()[:4])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - own


def _notice(found: Measurements, others_s: float, took_s: float) -> None:
    if others_s > _BUSY_SHARE * took_s:
        found.warnings.append(
            f"other work took {100 * others_s / took_s:.0f} % of a CPU meanwhile: measure again when the machine is at rest"
        )
    for name in _STEADY:
        values = sorted(found.rounds.get(name, []))
        if values and values[-1] > (1 + _UNSTEADY) * values[0]:
            found.warnings.append(
                f"{name} varied from {values[0]:.0f} to {values[-1]:.0f} ns between rounds: "
                "the CPUs are throttled, or shared with others"
            )
