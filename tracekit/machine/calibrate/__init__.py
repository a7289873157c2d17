"""Measuring this machine: rounds of micro-benchmarks, taken apart into the costs that models charge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tracekit.machine.calibrate.probes import probe
from tracekit.machine.calibrate.profile import save_profile
from tracekit.machine.calibrate.rounds import ROUNDS, measure
from tracekit.machine.host import host
from tracekit.machine.profile import Profile

_PROBES = 3  # rounds that the whole programs take about as long as


def calibrate(
    path: Path,
    *,
    name: str | None = None,
    rounds: int = ROUNDS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Profile:
    """Measure, and write a profile to `path` whole or not at all.

    What can't be measured here has the reference profile's figure; that, and a machine that was not at rest, is
    among the profile's warnings. Raises ExecutionError when nothing can be measured or written.
    """
    total = rounds + _PROBES
    found = measure(rounds, lambda done, _: progress(done, total))
    probe(found, lambda done, of: progress(rounds + _PROBES * done // of, total))
    return save_profile(found, path, name or str(host()["name"]))
