"""The table of rules is true: its tests are there, and what is left out is said where a user reads it."""

from __future__ import annotations

import importlib

import pytest

from tests.unit.rules_table import LEFT_OUT, SHOWN
from tracekit.engine import bandwidth, caches
from tracekit.models.kernels import balancing, cfs, eevdf, fifo, placement

MODULES = {
    "eevdf": eevdf, "cfs": cfs, "placement": placement, "balancing": balancing, "bandwidth": bandwidth, "fifo": fifo,
    "caches": caches,
}  # fmt: skip


def test_every_rule_names_a_test_that_is_there() -> None:
    missing = [
        (rule, test)
        for rule, _, module, test in SHOWN
        if not hasattr(importlib.import_module(f"tests.unit.{module}"), test)
    ]
    assert not missing


@pytest.mark.parametrize("name", list(LEFT_OUT))
def test_what_is_left_out_is_said_in_the_docstring(name: str) -> None:
    said = " ".join((MODULES[name].__doc__ or "").split())
    assert [reason for reason in LEFT_OUT[name] if reason not in said] == []
