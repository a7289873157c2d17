"""How fast the command line answers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.registry import Measurement, MissingError, benchmark, seconds

TRACEKIT = [sys.executable, "-m", "tracekit.cli.main"]
TRACES = Path(__file__).parents[2] / "traces"


def _run(*command: str, cwd: str | None = None) -> None:
    environment = os.environ | {"PYTHONPATH": str(TRACES.parent)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=cwd, env=environment)


@benchmark("cli_help", unit="s", goal=0.3, better="lower", reference="python -c pass")
def cli_help() -> Measurement:
    """`tracekit --help`, against an interpreter that does nothing."""
    bare = seconds(lambda: _run(sys.executable, "-c", "pass"), repeat=9)
    return Measurement(seconds(lambda: _run(*TRACEKIT, "--help"), repeat=9), bare)


@benchmark("cli_demo", unit="s", goal=5, better="lower")
def cli_demo() -> Measurement:
    """`tracekit demo` once everything is compiled: ingest, three replays, a report."""
    if not TRACES.is_dir():
        raise MissingError("traces/, which a clone of the project has")
    with tempfile.TemporaryDirectory() as folder:
        _run(*TRACEKIT, "demo", cwd=folder)  # compiles what is not compiled yet
        return Measurement(seconds(lambda: _run(*TRACEKIT, "demo", cwd=folder), repeat=3))
