"""The built-in scenarios: workload files, one per claim, that a user can copy and edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracekit.errors import UsageError
from tracekit.program.steps import suggestion
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import parse_workload
from tracekit.tables.bundle import Program

_FOLDER = Path(__file__).parent / "scenarios"
_SUFFIX = ".workload.toml"


@dataclass(frozen=True)
class Scenario:
    """A built-in workload: its claim, its file, and what to look for in a report."""

    name: str
    claim: str
    path: Path
    look_for: str


def scenarios() -> dict[str, Scenario]:
    """All built-in scenarios by name."""
    found = {}
    for path in sorted(_FOLDER.glob(f"*{_SUFFIX}")):
        workload = parse_workload(path.read_text(encoding="utf-8"), where=path.name)
        found[workload.name] = Scenario(workload.name, workload.claim, path, workload.look_for)
    return found


def scenario_program(name: str, seed: int | None = None, overrides: Mapping[str, int | str] | None = None) -> Program:
    """A built-in scenario as a Program. Raises UsageError for an unknown name, WorkloadError for a bad override."""
    path = _FOLDER / f"{name}{_SUFFIX}"
    known = sorted(file.name.removesuffix(_SUFFIX) for file in _FOLDER.glob(f"*{_SUFFIX}"))
    if name not in known:
        raise UsageError(f"unknown scenario {name!r}", remedy=suggestion(name, known))
    # The file's name alone: a program must not depend on where tracekit is installed.
    return synthesize(parse_workload(path.read_text(encoding="utf-8"), where=path.name), seed=seed, overrides=overrides)
