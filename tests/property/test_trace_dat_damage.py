"""Damaged files in this process: cuts and changes that hold for any file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.damage import cuts
from tests.fuzz.perf_damage import mutations
from tests.fuzz.trace_dat_damage import outcome, page_mutations, seeds

FILES = list(seeds())


@pytest.mark.parametrize("data", FILES, ids=range(len(FILES)))
def test_cut_anywhere(data: bytes, tmp_path: Path) -> None:
    outcomes = {outcome(piece, tmp_path) for piece in list(cuts(data))[:: len(data) // 100]}
    assert len(outcomes) > 1


@pytest.mark.parametrize("data", FILES, ids=range(len(FILES)))
def test_changed_anywhere(data: bytes, tmp_path: Path) -> None:
    outcomes = [outcome(piece, tmp_path) for piece in mutations(data, 40, seed=5)]
    assert "read" in outcomes


@pytest.mark.parametrize("data", FILES, ids=range(len(FILES)))
def test_changed_where_it_matters(data: bytes, tmp_path: Path) -> None:
    outcomes = [outcome(piece, tmp_path) for piece in page_mutations(data, 40, seed=6)]
    assert "read" in outcomes
