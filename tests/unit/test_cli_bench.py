"""`python -m tests.bench`: what a goal is about, what is skipped, and what the table and the JSON say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import registry
from tests.bench.registry import Measurement, MissingError, benchmark


@pytest.fixture(autouse=True)
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three benchmarks instead of the real ones, which take time."""
    kept: dict[str, registry.Benchmark] = {}
    monkeypatch.setattr(registry, "BENCHMARKS", kept)
    monkeypatch.setattr(bench, "BENCHMARKS", kept)
    monkeypatch.setattr(bench, "load_all", lambda: None)

    @benchmark("fast", unit="MB/s", goal=5, reference="the other")
    def _fast() -> Measurement:
        return Measurement(60, 10, ratio=6)

    @benchmark("slow", unit="s", goal=0.3, better="lower", reference="nothing")
    def _slow() -> Measurement:
        return Measurement(0.6, 0.1)

    @benchmark("absent", unit="s", goal=1)
    def _absent() -> Measurement:
        raise MissingError("perf")


def bench_with(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    return bench.main()


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_with(monkeypatch) == 1
    assert capsys.readouterr().out == (
        "name    value  unit  reference     ratio  goal   met\n"
        "fast    60     MB/s  the other 10  6      ≥ 5    yes\n"
        "slow    0.6    s     nothing 0.1   6      ≤ 0.3  NO\n"
        "absent  –      s     –             –      ≥ 1    skipped: perf\n"
    )


def test_names_and_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert bench_with(monkeypatch, "fast", "absent", "--json", str(tmp_path / "b.json")) == 0
    results = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))["results"]
    assert [(r["name"], r["met"]) for r in results] == [("fast", True), ("absent", None)]
    assert results[0]["ratio"] == 6
    with pytest.raises(SystemExit):
        bench_with(monkeypatch, "fest")


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="two benchmarks are called fast"):
        benchmark("fast", unit="s", goal=1)(lambda: Measurement(1))
