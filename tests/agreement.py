"""`python -m tests.agreement [SOURCE…]`: every real recording that is here, and whether the reference
tool reads the same in it, as a Markdown table. How fast each source is, `python -m tests.bench` measures.

Compared is what the tests in tests/roundtrip compare, by the same functions: event for event, as a share of all that
either has. `–`: there is no reference reading of the file.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import chosen_sources, recordings
from tests.roundtrip import perf_text, test_go_transitions, test_perf_script, test_perfetto_decodings, trace_dat_text
from tests.roundtrip.test_kernel_text_recordings import _SCHEDULING
from tracekit.errors import SourceError
from tracekit.sources.registry import ingest, sources

HEADER = ("source", "file", "events", "reference", "agreement", "gaps")

NO_RECORDINGS = (".tasks.txt.gz",)  # perf's notes of tasks, which are kept for other tests


@dataclass(frozen=True)
class Agreement:
    """How many things both have, and how many each has."""

    same: int
    ours: int
    theirs: int
    tool: str

    @property
    def share(self) -> float:
        """Of all that either has."""
        return self.same / max(self.ours + self.theirs - self.same, 1)


Reference = Callable[[Path], Agreement | None]
REFERENCES: dict[str, Reference] = {}  # by source


def reference(name: str) -> Callable[[Reference], Reference]:
    """Register the decorated function as the judge of the source `name`."""

    def register(function: Reference) -> Reference:
        REFERENCES[name] = function
        return function

    return register


def _compared(ours: Iterable[Mapping[str, object]], theirs: Iterable[Mapping[str, object]], tool: str) -> Agreement:
    """Event by event; of events that are the same in all their fields each counts."""
    found, expected = (Counter(tuple(sorted(event.items())) for event in events) for events in (ours, theirs))
    return Agreement((found & expected).total(), found.total(), expected.total(), tool)


def _beside(path: Path, ending: str) -> Path | None:
    """The reference tool's reading of `path`, kept beside it."""
    kept = path.with_name(path.name.split(".data")[0].split(".trace")[0].split(".dat")[0].split(".v")[0] + ending)
    return kept if kept.is_file() else None


@reference("perf.data")
def _perf(path: Path) -> Agreement | None:
    script = _beside(path, ".script.txt.gz")
    expected = perf_text.script_events(script) if script else []
    if not expected:  # perf refuses the file
        return None
    ours = test_perf_script.our_events(path)
    if len(ours) == len(expected):  # perf asks for the tid of a task that has let go of it; the event still knows
        expected = [{**e, "tid": o["tid"]} if e["tid"] == -1 else e for o, e in zip(ours, expected, strict=True)]
    return _compared(ours, expected, "perf script")


@reference("trace.dat")
def _trace_dat(path: Path) -> Agreement | None:
    told = _beside(path, ".dat.report-raw.txt.gz")
    if told is None:
        return None
    ours = trace_dat_text.our_events(path)
    return _compared(ours, trace_dat_text.report_events(trace_dat_text.lines(told)), "trace-cmd report")


@reference("go")
def _go(path: Path) -> Agreement | None:
    told = _beside(path, ".parsed.txt.gz")
    if told is None:
        return None
    with gzip.open(told, "rt") as file:
        theirs = Counter(test_go_transitions.parsed(file))
    ours = Counter(test_go_transitions.transitions(path))
    return Agreement((ours & theirs).total(), ours.total(), theirs.total(), "go tool trace")


@reference("kernel-text")
def _text(path: Path) -> Agreement | None:
    """The text is its own reference: each scheduling line is an event, exits aside, which count with no CPU."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    kinds = _SCHEDULING.findall(raw)
    lines = len(kinds) - kinds.count(b"process_exit")
    events = int(ingest(path).meta["events"])
    return Agreement(min(lines, events), events, lines, "its own lines") if kinds else None


@reference("perfetto")
def _perfetto(path: Path) -> Agreement | None:
    if path != test_perfetto_decodings.PUBLIC:
        return None
    data = path.read_bytes()
    expected = test_perfetto_decodings.reference(data, "4.19.113")
    return _compared(test_perfetto_decodings.ours(data), expected, "protobuf library")


def _row(name: str, path: Path) -> tuple[str, ...]:
    shown = "/".join(path.parts[-2:])
    try:
        trace = ingest(path)
    except SourceError as error:
        return (name, shown, "refused", "–", error.what, "–")
    judge = REFERENCES.get(name)
    agreed = judge(path) if judge else None
    tool, share = (agreed.tool, _percent(agreed)) if agreed else ("–", "–")
    events = trace.meta.get("events")
    return (
        name,
        shown,
        f"{events:,}" if events is not None else "–",
        tool,
        share,
        f"{trace.tables['gaps'].num_rows:,}",
    )


def _percent(agreed: Agreement) -> str:
    if agreed.same == agreed.ours == agreed.theirs:
        return f"all {agreed.same:,}"
    return f"{100 * agreed.share:.2f} % ({agreed.same:,} in both, {agreed.ours:,} ours, {agreed.theirs:,} theirs)"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=f"of {', '.join(sources())}; all by default")
    given = parser.parse_args()
    found = recordings()
    if not found:
        print("no recordings in traces/ and ../shared/recordings", file=sys.stderr)
        return 1
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
    for name in chosen_sources(given.sources):
        for path in found.get(name, []):
            if path.name.endswith(NO_RECORDINGS):
                continue
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in _row(name, path)) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
