"""Damaged files in this process: cuts and changes that hold for any file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.damage import cuts
from tests.fuzz.perfetto_damage import SHAPES, STORY, mutations, outcome
from tests.fuzz.perfetto_files import Shape, perfetto_file

NAMES = ["plain", "compact", "deflate", "compact zstd", "local clock"]


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_cut_anywhere(shape: Shape, tmp_path: Path) -> None:
    outcomes = {outcome(piece, tmp_path) for piece in list(cuts(perfetto_file(STORY, shape)))[::5]}
    assert "read" in outcomes
    assert len(outcomes) > 2


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_changed_anywhere(shape: Shape, tmp_path: Path) -> None:
    outcomes = [outcome(piece, tmp_path) for piece in mutations(perfetto_file(STORY, shape), 60, seed=5)]
    assert "read" in outcomes
