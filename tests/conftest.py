"""Shared by all tests: hypothesis without a clock, and where the reference recordings are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail a law: examples are counted, not timed, and the same on every run.
settings.register_profile("tracekit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tracekit")

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / ".." / "shared" / "recordings"


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
