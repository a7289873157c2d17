"""A short run of `python -m tests.fuzz` over every source, in this process; and what it calls a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import running, targets
from tests.fuzz.running import FAILED, READ, REFUSED, Cases, run
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.registry import sources
from tracekit.tables.bundle import Trace


@pytest.mark.parametrize("name", list(sources()))
def test_damaged_files_are_read_or_refused(name: str) -> None:
    cases = Cases(name, mutations=40, seed=3, every=61)
    summary = run(cases, range(len(cases)))
    assert summary.failures == []
    assert summary.outcomes[READ] + summary.outcomes[REFUSED] == len(cases) > 40


def test_every_built_in_source_has_small_files_and_mutators_of_its_own() -> None:
    assert set(targets.TARGETS) == set(sources())
    assert all(len(targets.mutators(name)) > 1 for name in sources())


def test_a_case_is_known_by_its_number() -> None:
    one, other = Cases("go", 50, seed=4, every=50), Cases("go", 50, seed=4, every=50)
    assert [one[number] for number in range(len(one))] == [other[number] for number in range(len(other))]
    assert one[len(one) - 1] != Cases("go", 50, seed=5, every=50)[len(one) - 1]


class Careless:
    """A source with every fault there is, told apart by the file's first byte."""

    name, title, how_to_record = "careless", "careless", ""

    def matches(self, head: bytes) -> bool:
        return True

    def read(self, path: Path, options: ReadOptions) -> Trace:
        faults = [IndexError("out of range"), MemoryError(), SourceError("two\nlines", where=str(path))]
        raise [*faults, SourceError("of no file"), SourceError("well said", where=str(path))][path.read_bytes()[0]]


def test_what_counts_as_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(running, "_sources", lambda: {"careless": Careless()})
    found = [running.outcome("careless", bytes([fault]), tmp_path) for fault in range(5)]
    assert found[:2] == ["IndexError: out of range", "out of memory"]
    assert all(line.startswith("a poor line") for line in found[2:4])
    assert found[4] == REFUSED
    monkeypatch.setattr(targets, "small_files", lambda name: [bytes(5)])
    summary = run(Cases("careless", 0, 1), range(1, 5))
    assert (summary.outcomes[FAILED], summary.failures[0]) == (4, (1, "IndexError: out of range"))
