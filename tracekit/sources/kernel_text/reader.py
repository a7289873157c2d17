"""A text to a Trace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tracekit import __version__
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.build import Built, build_stream
from tracekit.sources.kernel.events import EVENT_KINDS, GAP, GENERIC_NUMBERS, Batch, KernelStream, Records
from tracekit.sources.kernel.merging import merged, of_one_run
from tracekit.sources.kernel.syscalls import has_generic_numbers
from tracekit.sources.kernel_text import state as p
from tracekit.sources.kernel_text.notes import Notes, read_notes
from tracekit.sources.kernel_text.order import Order
from tracekit.sources.kernel_text.parse import parse
from tracekit.sources.kernel_text.payload import OLD_STATES
from tracekit.sources.kernel_text.policies import policies
from tracekit.sources.kernel_text.windows import Text, Window
from tracekit.tables.bundle import Trace
from tracekit.vocabulary import GAP_CAUSES

HOW_TO_RECORD = "print one with: perf script --ns -F comm,pid,tid,cpu,time,event,trace, or read tracefs trace whole"
_LINES = 1 << 16  # that are read at once
_WITHOUT_CPU = re.compile(rb"^[^\[\n]*? \d+[.,]\d{6,9}: +sched:sched_", re.M)
_PAGE_END = re.compile(rb"\s*(</|\\n\";|<!--|\Z)")  # how a page's lines that are no trace begin


def read(path: Path, options: ReadOptions) -> Trace:
    """The whole file as a Trace. Raises SourceError."""
    text = Text(path)
    if text.size == 0:
        raise SourceError("the file is empty", where=str(path), remedy=HOW_TO_RECORD)
    reader = _Reader(text, options)
    try:
        built = build_stream(reader.stream, options.sink)
    except SourceError as error:
        raise SourceError(_without_events(text, error), where=str(path), remedy=HOW_TO_RECORD) from None
    return Trace(built.tables, _meta(built, reader.notes, text, bool(reader.reading.counts[p.TICKS])))


def read_together(paths: Sequence[Path], options: ReadOptions) -> Trace:
    """Texts of one run, such as one for each CPU, as one Trace. Raises SourceError where their clocks differ."""
    readers = [_Reader(Text(path), options) for path in paths]
    try:
        built = build_stream(merged([reader.stream for reader in readers]), options.sink)
    except SourceError as error:
        raise SourceError(error.what, where=str(paths[0]), remedy=HOW_TO_RECORD) from None
    metas = [_meta(built, r.notes, r.text, bool(r.reading.counts[p.TICKS])) for r in readers]
    return Trace(built.tables, of_one_run(metas))


def _without_events(text: Text, error: SourceError) -> str:
    if _WITHOUT_CPU.search(text.head):
        return "its lines do not name the CPU"
    return error.what


class _Reader:
    """The windows of a text as batches; gaps and policies are complete when all are taken."""

    def __init__(self, text: Text, options: ReadOptions) -> None:
        self.text = text
        self.options = options
        self.order = Order()
        self.reading = p.new_reading()
        self.comments: list[bytes] = []
        self._begun = False
        self.notes = Notes("ftrace text")
        self.stream = KernelStream(self._batches(), gaps=self.order.gaps, wakeup=options.wakeup)

    def _batches(self) -> Iterator[Batch]:
        parsed = p.room(_LINES)
        for window in self.text.windows():
            at = 0
            while at < len(window.data):
                at = self._read_on(window, at, parsed)
                yield self.order.take(*self._found(parsed, window), last=False)
            self.options.progress(self.text.done, self.text.size)
        yield self.order.take(self.order.events[:0], self.order.names[:0], last=True)
        self._finish()

    def _read_on(self, window: Window, at: int, parsed: p.Parsed) -> int:
        """Read lines from `at` on, as many as there is room for; gives where it stopped."""
        headers = int(self.reading.counts[p.HEADERS])
        stop = int(parse(window.data, at, self.reading, parsed))
        if not self._begun and self._misread():
            stop = int(parse(window.data, at, self.reading, parsed))
        self._begun = True
        self._comments(window, parsed)
        if window.cut and self.reading.counts[p.HEADERS] == headers and not _PAGE_END.match(window.data.tobytes()):
            self._gap("truncated")
        return stop

    def _misread(self) -> bool:
        """Whether the first window shows that numbers mean something else; then all is read again, so."""
        counts, states = self.reading.counts, self.reading.states
        old = bool(states[OLD_STATES])
        use_tids = counts[p.OTHER_TID] <= counts[p.WITH_TID]
        if not old and use_tids:
            return False
        self.reading = p.new_reading(old, bool(use_tids))
        return True

    def _comments(self, window: Window, parsed: p.Parsed) -> None:
        for begin, end in parsed.comments[len(self.comments) : int(self.reading.counts[p.N_COMMENTS])].tolist():
            self.comments.append(window.data[begin:end].tobytes())

    def _found(self, parsed: p.Parsed, window: Window) -> tuple[Records, Any]:
        count, gaps = parsed.found.tolist()
        found = parsed.gaps[:gaps].copy()
        if window.cut:
            found["cause"][found["cause"] == GAP_CAUSES["corrupt"]] = GAP_CAUSES["truncated"]
        if gaps:
            self.order.gaps.append(found)
        events = parsed.events[:count]
        if self.reading.counts[p.SYSTEM_CALLS]:
            self._number_calls(events)
        return events, parsed.names[:count]

    def _number_calls(self, events: Records) -> None:
        """How a machine numbers its calls; where that is unknown a call only tells who runs, as its return does."""
        generic = has_generic_numbers(read_notes(self.text.head, self.comments, True).machine)
        enters = events["kind"] == EVENT_KINDS["sys_enter"]
        if generic is None:
            events["kind"][enters] = EVENT_KINDS["sys_exit"]
        elif generic:
            events["flags"][enters] |= GENERIC_NUMBERS

    def _gap(self, cause: str, lost: int = -1, start_ns: int | None = None, cpu: int = -1) -> None:
        gap = np.zeros(1, GAP)
        last_ns = int(self.reading.counts[p.LAST_NS])
        gap["start_ns"], gap["end_ns"] = (last_ns, last_ns) if start_ns is None else (start_ns, max(start_ns, last_ns))
        gap["cpu"], gap["lost_events"], gap["cause"] = cpu, lost, GAP_CAUSES[cause]
        self.order.gaps.append(gap)

    def _finish(self) -> None:
        counts = self.reading.counts
        self.notes = read_notes(self.text.head, self.comments, bool(counts[p.PERF_LINES]))
        if self.notes.overwritten:
            gap = np.zeros(1, GAP)  # at the very beginning
            gap["cpu"], gap["lost_events"], gap["cause"] = -1, self.notes.overwritten, GAP_CAUSES["lost_records"]
            self.order.gaps.append(gap)
        for cpu in np.flatnonzero(self.reading.lost != p.NOT_LOST).tolist():
            seen_ns = max(int(self.reading.seen_ns[cpu]), 0)
            self._gap("lost_records", int(self.reading.lost[cpu]), seen_ns, cpu)
        if self.text.damage:
            self._gap(self.text.damage)
        self.stream.policies += policies(self.reading, self.order, self.notes)


def _meta(built: Built, notes: Notes, text: Text, ticks: bool) -> dict[str, Any]:
    clock = "ticks (x86-tsc or counter), not ns" if ticks else notes.clock
    wall = None if notes.wall_offset_ns is None else notes.wall_offset_ns + built.origin_ns
    return {
        "source": {
            "path": str(text.path),
            "format": notes.form,
            "version": notes.version,
            "sha256": text.digest,
            "size_bytes": text.size,
        },
        "clock": {"name": clock, "origin_ns": built.origin_ns, "wall_origin_ns": wall},
        "host": notes.host,
        "kernel": notes.kernel,
        "cpus": notes.cpus or built.cpus,
        "end_ns": built.end_ns,
        "events": built.events,
        "repeats": built.repeats,
        "form": built.form,
        "policies": built.policies,
        "tool_version": __version__,
    }
