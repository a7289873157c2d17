"""`python -m tests.agreement --table`: a row for each source says what its recordings and benchmarks say together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agreement import table
from tests.agreement.judging import Agreement, Reading
from tests.bench import registry
from tests.bench.registry import Measurement, MissingError, benchmark

FOUND = [
    Reading("go", Path("go/whole.trace"), 1200, agreed=Agreement(1000, 1000, 1000, "go tool trace")),
    Reading("go", Path("go/flipped.trace"), 100, agreed=Agreement(99, 100, 101, "go tool trace")),
    Reading("go", Path("go/alone.trace"), 7),
    Reading("go", Path("go/old.trace"), refused="too old: Go 1.5"),
    Reading("go", Path("go/older.trace"), refused="too old: Go 1.4"),
]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has a reference, one without, one that can't run."""
    kept: dict[str, registry.Benchmark] = {}
    for module in (registry, table):
        monkeypatch.setattr(module, "BENCHMARKS", kept)
    monkeypatch.setattr(table, "load_all", lambda: None)
    monkeypatch.setattr(table, "SPEED", {"go": ("rate", "ratio", "absent"), "trace.dat": ("absent",)})
    monkeypatch.setattr(table, "readings", lambda name: FOUND if name == "go" else [])
    benchmark("rate", unit="events/s", goal=5e6)(lambda: Measurement(12_340_000))
    benchmark("ratio", unit="s", goal=2, reference="Go's own")(lambda: Measurement(1, 3, ratio=3))

    @benchmark("absent", unit="s", goal=1)
    def _absent() -> Measurement:
        raise MissingError("no tool")


def test_a_row_for_each_source_and_what_is_exceptional_below() -> None:
    assert list(table.lines(["go", "trace.dat", "unheard-of"]))[2:] == [
        "| go | 3 of 5 | 1,307 | go tool trace: 1,099 of 1,101 in 2 files | 12.3 M events/s (goal 5 M) | 3.0 × Go's own (goal 2) |",
        "| trace.dat | – | – | – | – | – |",
        "",
        "* go/flipped.trace: 97.06 % (99 in both, 100 ours, 101 theirs)",
        "* go, refused: too old (2)",
    ]
