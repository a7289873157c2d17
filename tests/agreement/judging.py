"""Each source's reference, and how far a recording reads the same by it.

Compared is what the tests in tests/roundtrip compare, by the same functions: event for event, as a share of all that
either has.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.fuzz.targets import recordings
from tests.roundtrip import perf_text, test_go_transitions, test_perf_script, test_perfetto_decodings, trace_dat_text
from tests.roundtrip.test_kernel_text_recordings import _SCHEDULING
from tracekit.errors import SourceError
from tracekit.sources.registry import ingest

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

    @property
    def whole(self) -> bool:
        """Nothing is in one and not in the other."""
        return self.same == self.ours == self.theirs

    def __str__(self) -> str:
        if self.whole:
            return f"all {self.same:,}"
        return f"{100 * self.share:.2f} % ({self.same:,} in both, {self.ours:,} ours, {self.theirs:,} theirs)"


@dataclass(frozen=True)
class Reading:
    """One recording: how many events were read and how many holes noted, or why it was refused; and the agreement."""

    source: str
    path: Path
    events: int | None = None
    gaps: int = 0
    refused: str | None = None
    agreed: Agreement | None = None

    @property
    def shown(self) -> str:
        """The end of the path, which tells recordings apart."""
        return "/".join(self.path.parts[-2:])


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


@reference("chrome-json")
def _chrome(path: Path) -> Agreement | None:
    """When threads were busy, as Python's json and a sum of open slices say it."""
    raw = path.read_bytes()
    told = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw, parse_float=Decimal)
    events = told["traceEvents"] if isinstance(told, dict) else told
    theirs = _busy([event for event in events if event.get("ph") in ("B", "E", "X")])
    trace = ingest(path)
    frame = trace.frame("intervals").select("start_ns", "end_ns", "state").rows()
    origin = int(trace.meta["clock"]["origin_ns"])
    ours = Counter((start + origin, end + origin) for start, end, state in frame if state == "RUNNING")
    return Agreement((ours & theirs).total(), ours.total(), theirs.total(), "Python's json")


def _busy(events: list[dict[str, Any]]) -> Counter[tuple[int, int]]:
    """Spans in ns in which a row has an open slice, over all rows."""
    steps: dict[tuple[object, object], list[tuple[int, int]]] = {}
    for event in events:
        row = steps.setdefault((event["pid"], event["tid"]), [])
        began = _ns(event["ts"])
        row += [(began, -1 if event["ph"] == "E" else 1)]
        if event["ph"] == "X":
            row += [(_ns(event["ts"] + event.get("dur", 0)), -1)]
    return Counter(
        span for row in steps.values() for span in _open_spans(sorted(row, key=lambda step: (step[0], -step[1])))
    )


def _open_spans(steps: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    depth = began = 0
    for at, step in steps:
        if depth == 0 and step > 0:
            began = at
        if depth == 1 and step < 0 and at > began:
            yield began, at
        depth = max(depth + step, 0)


def _ns(us: Decimal | int) -> int:
    return round(Decimal(us) * 1000)


def readings(source: str) -> Iterator[Reading]:
    """All recordings of a source that are here, read and judged one after the other."""
    for path in recordings().get(source, []):
        if not path.name.endswith(NO_RECORDINGS):
            yield _reading(source, path)


def _reading(source: str, path: Path) -> Reading:
    try:
        trace = ingest(path)
    except SourceError as error:
        return Reading(source, path, refused=error.what)
    judge = REFERENCES.get(source)
    gaps = trace.tables["gaps"].num_rows
    return Reading(source, path, trace.meta.get("events"), gaps, agreed=judge(path) if judge else None)
