"""The rules of extraction, each shown on a recording small enough to check by eye."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.program_text import text_of, trace
from tracekit.program.check import check
from tracekit.program.extract import extract

GOLDEN = Path(__file__).parents[1] / "golden" / "program_extraction.txt"


def _parts() -> list[tuple[str, str, str]]:
    """(rule, story, program) of each part of the golden file."""
    parts = []
    for part in GOLDEN.read_text().split("\n\n")[1:]:
        told, _, program = part.partition("\n->")
        rule, _, story = told.partition("\n")
        parts.append((rule, story, program.strip()))
    return parts


@pytest.mark.parametrize(("rule", "story", "expected"), _parts(), ids=[rule[:60] for rule, _, _ in _parts()])
def test_rule(rule: str, story: str, expected: str) -> None:
    program = extract(trace(story))
    check(program)
    assert text_of(program) == expected, rule
