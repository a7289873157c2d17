"""`python -m tests.agreement [--table] [SOURCE…]`: every real recording that is here, and whether the reference
tool reads the same in it, as a Markdown table. `–`: there is no reference reading of the file.

With `--table` a row for each source: its recordings together, and how fast it is beside its reference, as
`python -m tests.bench` measures it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from tests.agreement import table
from tests.agreement.judging import Reading, readings
from tests.fuzz.targets import chosen_sources, recordings
from tracekit.sources.registry import sources

HEADER = ("source", "file", "events", "reference", "agreement", "gaps")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=f"of {', '.join(sources())}; all by default")
    parser.add_argument("--table", action="store_true", help="a row for each source, with its speed")
    given = parser.parse_args()
    chosen = chosen_sources(given.sources)
    if not recordings():
        print("no recordings in traces/ and ../shared/recordings", file=sys.stderr)
        return 1
    if given.table:
        _print(table.lines(chosen))
    else:
        _print(_by_file(chosen))
    return 0


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _by_file(chosen: list[str]) -> Iterator[str]:
    yield from table.head(HEADER)
    for name in chosen:
        yield from (table.line(_cells(reading)) for reading in readings(name))


def _cells(reading: Reading) -> tuple[str, ...]:
    if reading.refused:
        return (reading.source, reading.shown, "refused", "–", reading.refused, "–")
    events = "–" if reading.events is None else f"{reading.events:,}"
    tool, agreed = (reading.agreed.tool, str(reading.agreed)) if reading.agreed else ("–", "–")
    return (reading.source, reading.shown, events, tool, agreed, f"{reading.gaps:,}")


if __name__ == "__main__":
    sys.exit(main())
