"""Kernel traces as text: what tracefs, `trace-cmd report`, systrace and `perf script` print."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tracekit.sources.base import ReadOptions
from tracekit.tables.bundle import Trace

_PAGE = re.compile(rb"\s*<!DOCTYPE html", re.I)
_PAGE_MARKS = (b"Android System Trace", b'class="trace-data"', b"linuxPerfData")
_JSON = re.compile(rb"\s*(\{|\[(?! *\d{1,5}\] +\d))")
_HEADERS = re.compile(rb"^(# tracer: \w|# captured on *:|TRACE:\r?$)", re.M)
# A task, perhaps its process, a CPU, perhaps context flags, a time, an event's name. Where there is no CPU only
# perf's naming of scheduling events tells the line from any other text.
_LINE = re.compile(
    rb"^.{0,60}?\[ *\d{1,5}\] +(?:[\w.?#+]{1,12} +)?\d+(?:[.,]\d{1,9})?: +(?:\d+ +|\(\+\d+\) +)?\w+(?::\w+)?:"
    rb"|^.{0,80}? \d+[.,]\d{6,9}: +(?:\d+ +)?sched:\w+:"
    rb"|^.{0,60}?-\d+ +\d{1,5}[.dDbBX][\w.]{2,9} +\d+[.,]\d{6,9}: +\w+:",
    re.M,
)


class KernelTextSource:
    """Text that names a task, a CPU, a time and an event in each line."""

    name = "kernel-text"
    title = "kernel trace text (ftrace, trace-cmd report, systrace, perf script)"
    how_to_record = "cat /sys/kernel/tracing/trace, or perf script --ns -F comm,pid,tid,cpu,time,event,trace"

    def matches(self, head: bytes) -> bool:
        """Whether the file begins as one of them does, or has a line of theirs."""
        if _PAGE.match(head):
            return any(mark in head for mark in _PAGE_MARKS)
        if _JSON.match(head):
            return False
        text = head[: head.find(b"\0")] if b"\0" in head else head
        if b"\0" in head and b"TRACE:" not in text:  # only what atrace compresses is not text
            return False
        return bool(_HEADERS.search(text) or _LINE.search(text))

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """The text's scheduling events as a Trace. Raises SourceError."""
        from tracekit.sources.kernel_text.reader import read  # numba takes its time to import

        return read(path, options)

    def read_together(self, paths: Sequence[Path], options: ReadOptions) -> Trace:
        """Texts of one run as a Trace. Raises SourceError."""
        from tracekit.sources.kernel_text.reader import read_together

        return read_together(paths, options)


SOURCE = KernelTextSource()
