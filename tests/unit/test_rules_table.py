"""The tables of rules are true: every rule has its test, every picture its rule, and what is left out is said where a
user reads it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.unit import rules_go_table, rules_table
from tests.unit.rules_table import LEFT_OUT
from tracekit.engine import bandwidth, caches
from tracekit.models.kernels import balancing, cfs, eevdf, fifo, placement
from tracekit.models.runtimes import go

MODULES = {
    "eevdf": eevdf, "cfs": cfs, "placement": placement, "balancing": balancing, "bandwidth": bandwidth, "fifo": fifo,
    "caches": caches,
}  # fmt: skip
TESTED = [
    *((number, module, test) for number, _, _, module, test in rules_table.SHOWN),
    *((number, module, f"test_{name}") for number, _, _, module, names in rules_go_table.SHOWN for name in names),
]
# Sections 1, Go's runtime, and 2, Linux's fair class; findRunnable, 1.5, has steps.
NUMBERS = [*(f"1.{i}" for i in range(1, 17)), *(f"1.5.{i}" for i in range(1, 16)), *(f"2.{i}" for i in range(1, 11))]
README = Path(__file__).parents[2] / "README.md"


def test_every_rule_names_a_test_that_is_there() -> None:
    assert not [
        (number, test)
        for number, module, test in TESTED
        if not hasattr(importlib.import_module(f"tests.unit.{module}"), test)
    ]


def test_every_number_has_a_test_or_is_left_out_in_the_readme() -> None:
    left_out = " ".join(README.read_text(encoding="utf-8").partition("**What the models leave out**")[2].split())
    shown = {number for number, _, _ in TESTED}
    assert {*shown, *rules_go_table.LEFT_OUT} == set(NUMBERS)
    assert not shown & set(rules_go_table.LEFT_OUT)
    assert not [words for words in rules_go_table.LEFT_OUT.values() if words not in left_out]


def test_every_picture_belongs_to_a_rule() -> None:
    for path in sorted(Path(__file__).parent.glob("test_rules_*.py")):
        if path.stem == Path(__file__).stem:
            continue
        listed = {test for _, module, test in TESTED if module == path.stem}
        there = {name for name in vars(importlib.import_module(f"tests.unit.{path.stem}")) if name.startswith("test_")}
        assert there - listed - set(rules_table.BESIDES) == set(), path.stem


@pytest.mark.parametrize("name", list(LEFT_OUT))
def test_what_is_left_out_is_said_in_the_docstring(name: str) -> None:
    said = " ".join((MODULES[name].__doc__ or "").split())
    assert [reason for reason in LEFT_OUT[name] if reason not in said] == []


def test_what_go_leaves_out_is_said() -> None:
    assert "Left out:" in go.RUNTIME.doc
