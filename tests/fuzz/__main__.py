"""`python -m tests.fuzz [SOURCE…] [--mutations N] [--seed S] [--minutes M]`: damaged files of every source, each read or refused.

Small files are cut at every byte, a real recording (where there is one) at 200 places, and mutated copies are read:
by changes that any file may suffer, and by ones that know the format. Each case must give a trace that keeps the
tables' laws, or one line that names the file; within an address-space limit and a time limit. Files that fail are
written to a folder. Exit code 1 if any did.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

from tests.fuzz.running import ADDRESS_SPACE_BYTES, FAILED, READ, REFUSED, SECONDS, Cases, Summary, run_all
from tests.fuzz.targets import chosen_sources
from tracekit.units import format_bytes, format_duration

HEADER = ("source", "cases", "read", "refused", "failed", "worst time", "peak memory")


def main() -> int:
    """Fuzz what was asked for, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="sources by name; all by default")
    parser.add_argument("--mutations", type=int, default=100_000, metavar="N", help="mutations of each source")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="P")
    parser.add_argument("--minutes", type=float, default=math.inf, metavar="M", help="of each source, at most")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="folder for files that fail")
    given = parser.parse_args()
    rows = []
    for name in chosen_sources(given.sources):
        print(f"{name} …", file=sys.stderr, flush=True)
        cases = Cases(name, given.mutations, given.seed)
        summary = run_all(cases, given.processes, 60 * given.minutes)
        _keep(summary, cases, given.failures)
        rows.append(summary)
    print(
        f"At most {SECONDS:.0f} s and {format_bytes(ADDRESS_SPACE_BYTES)} of address space a case; seed {given.seed}."
    )
    _print_table([_cells(summary) for summary in rows])
    return int(any(summary.failures for summary in rows))


def _keep(summary: Summary, cases: Cases, folder: Path) -> None:
    for number, why in summary.failures:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{summary.name}-{cases.seed}-{number}"
        path.write_bytes(cases[number])
        print(f"{path}: {why}", file=sys.stderr)


def _cells(summary: Summary) -> tuple[str, ...]:
    counts = (summary.outcomes.total(), *(summary.outcomes[kind] for kind in (READ, REFUSED, FAILED)))
    worst = format_duration(summary.worst_s * 1e9)
    return (summary.name, *(f"{count:,}" for count in counts), worst, format_bytes(summary.peak_bytes))


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [HEADER, *rows]) for i in range(len(HEADER))]
    for row in [HEADER, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells))


if __name__ == "__main__":
    sys.exit(main())
