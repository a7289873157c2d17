"""A Perfetto trace to a Trace."""

from __future__ import annotations

import hashlib
import mmap
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tracekit import __version__
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.build import Built, build_stream
from tracekit.sources.perfetto.blocks import Blocks
from tracekit.sources.perfetto.packets import find_packets
from tracekit.sources.perfetto.recording import HOW_TO_RECORD, Recording, recording
from tracekit.tables.bundle import Trace

_SURVEY_SHARE = 8  # the first pass takes about an eighth of the time


def read(path: Path, options: ReadOptions) -> Trace:
    """The whole file as a Trace. Raises SourceError."""
    where = str(path)
    if path.stat().st_size == 0:
        raise SourceError("the file is empty", where=where, remedy=HOW_TO_RECORD)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter, and so runs beside the reading
        digest = beside.submit(lambda: hashlib.sha256(mapped).hexdigest())
        return _trace(mapped, where, options, digest)


def _trace(mapped: mmap.mmap, where: str, options: ReadOptions, digest: Future[str]) -> Trace:
    size = len(mapped)
    begin = size // _SURVEY_SHARE

    def progress(done: int) -> None:
        mapped.madvise(mmap.MADV_DONTNEED)  # pages that were read count as ours until then
        options.progress(done, size)

    found = find_packets(Blocks(np.frombuffer(mapped, np.uint8)), lambda done, of: progress(begin * done // of))
    perfetto = recording(found, options, where, lambda done, of: progress(begin + (size - begin) * done // of))
    try:
        built = build_stream(perfetto.stream, options.sink)
    except SourceError as error:
        raise SourceError(error.what, where=where, remedy=error.remedy or HOW_TO_RECORD) from None
    options.progress(size, size)
    return Trace(built.tables, _meta(built, perfetto, where, size, digest.result()))


def _meta(built: Built, perfetto: Recording, where: str, size: int, digest: str) -> dict[str, Any]:
    facts = perfetto.facts
    return {
        "source": {
            "path": where,
            "format": "Perfetto",
            "version": facts.version,
            "sha256": digest,
            "size_bytes": size,
        },
        "clock": perfetto.clocks.describe(built.origin_ns),
        "host": facts.host,
        "kernel": facts.release,
        "cpus": max(facts.cpus or 0, built.cpus),
        "end_ns": built.end_ns,
        "events": built.events,
        "repeats": built.repeats,
        "form": built.form,
        "policies": built.policies,
        "tool_version": __version__,
    }
