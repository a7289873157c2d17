"""`python -m tests.bench [NAME…] [--json FILE]`: run benchmarks, print a table, exit 1 when a goal is missed."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

from tests.bench.registry import BENCHMARKS, Benchmark, MissingError, load_all

HEADER = ("name", "value", "unit", "reference", "ratio", "goal", "met")


def main() -> int:
    """Run what was asked for."""
    load_all()
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    results = [_run(BENCHMARKS[name]) for name in arguments.names or BENCHMARKS]
    _print_table([_cells(result) for result in results])
    if arguments.json:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "kernel": platform.release()}
        arguments.json.write_text(json.dumps({**machine, "results": results}, indent=1) + "\n", encoding="utf-8")
    return 1 if any(result["met"] is False for result in results) else 0


def _run(chosen: Benchmark) -> dict[str, object]:
    """One result, JSON-ready: `met` is null where it was skipped."""
    print(f"{chosen.name} …", file=sys.stderr, flush=True)
    known = {"name": chosen.name, "unit": chosen.unit, "goal": chosen.goal, "better": chosen.better}
    try:
        measured = chosen.measure()
    except MissingError as missing:
        return {**known, "reference": chosen.reference, "met": None, "skipped": str(missing)}
    return {
        **known,
        "value": measured.value,
        "reference": chosen.reference,
        "reference_value": measured.reference_value,
        "ratio": measured.over_reference,
        "met": chosen.met(measured),
    }


def _cells(result: dict[str, object]) -> tuple[str, ...]:
    goal = f"{'≥' if result['better'] == 'higher' else '≤'} {result['goal']:g}"
    if "skipped" in result:
        return (str(result["name"]), "–", str(result["unit"]), "–", "–", goal, f"skipped: {result['skipped']}")
    reference = f"{result['reference']} {_number(result['reference_value'])}".strip(" –")
    met = "yes" if result["met"] else "NO"
    return (
        str(result["name"]),
        _number(result["value"]),
        str(result["unit"]),
        reference,
        _number(result["ratio"]),
        goal,
        met,
    )


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [HEADER, *rows]) for i in range(len(HEADER))]
    for row in [HEADER, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
