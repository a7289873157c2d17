"""Shared by all tests: hypothesis without a clock, and where the reference recordings are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail a law: examples are counted, not timed, and the same on every run.
settings.register_profile("tracekit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tracekit")

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / ".." / "shared" / "recordings"
CHECKED_ROWS = 4000  # larger runs are not checked, for time


def pytest_configure() -> None:
    """Whatever a test replays is checked: `replay` is replaced before test modules import it."""
    from tests.checker import check
    from tracekit.engine import replay as module

    original = module.replay

    def replay(program: Any, *args: Any, **options: Any) -> Any:
        run = original(program, *args, **options)
        if options.get("sink") is None and run.tables["intervals"].num_rows <= CHECKED_ROWS:
            check(run, program)
        return run

    module.replay = replay


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; the test is skipped where it is not."""
    if not RECORDINGS.is_dir():
        pytest.skip("needs ../shared/recordings")
    return RECORDINGS


@pytest.fixture(scope="session")
def traces() -> Path:
    """The recordings that ship with the project."""
    return ROOT / "traces"
