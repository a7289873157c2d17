"""Damaged files in this process: cuts and changes that hold for any file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.damage import cuts
from tests.fuzz.perf_damage import SHAPES, STORY, mutations, outcome
from tests.fuzz.perf_files import Shape, perf_file


@pytest.mark.parametrize("shape", (*SHAPES[:2], *SHAPES[-2:]), ids=["file", "pipe", "compressed", "compressed pipe"])
def test_cut_anywhere(shape: Shape, tmp_path: Path) -> None:
    outcomes = {outcome(piece, tmp_path) for piece in list(cuts(perf_file(STORY, shape)))[::7]}
    assert "read" in outcomes
    assert len(outcomes) > 2


@pytest.mark.parametrize(
    "shape",
    SHAPES,
    ids=[
        "file",
        "pipe",
        "other byte order",
        "callchains",
        "unfinished",
        "piped callchains of the other byte order",
        "compressed",
        "compressed pipe",
    ],
)
def test_changed_anywhere(shape: Shape, tmp_path: Path) -> None:
    outcomes = [outcome(piece, tmp_path) for piece in mutations(perf_file(STORY, shape), 60, seed=5)]
    assert "read" in outcomes
