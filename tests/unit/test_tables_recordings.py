"""Every real recording that can be read keeps the laws of the tables; every other one is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RECORDINGS, ROOT
from tracekit.errors import SourceError
from tracekit.sources.registry import ingest
from tracekit.tables.checks import check

FOLDERS = ("perf", "go", "forms", "public")
SUFFIXES = (".data", ".trace")
FOUND = sorted(p for f in FOLDERS for p in (RECORDINGS / f).rglob("*") if p.suffix in SUFFIXES and p.is_file())


@pytest.mark.parametrize("path", sorted((ROOT / "traces").glob("*[!d]")), ids=lambda path: path.name)
def test_a_shipped_recording_keeps_the_laws(path: Path) -> None:
    trace = ingest(path)
    assert check(trace) == []
    assert trace.tables["intervals"].num_rows > 0


@pytest.mark.reference
def test_recordings_are_there(recordings: Path) -> None:
    assert len(FOUND) > 40, recordings


@pytest.mark.reference
@pytest.mark.parametrize("path", FOUND, ids=lambda path: str(path.relative_to(RECORDINGS)))
def test_a_recording_keeps_the_laws_or_is_refused(path: Path) -> None:
    try:
        trace = ingest(path)
    except SourceError as error:
        assert str(path) in error.line() and "\n" not in error.line() and error.remedy
    else:
        assert check(trace) == []
