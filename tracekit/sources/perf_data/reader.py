"""A perf.data file to a Trace."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tracekit import __version__
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.build import Built, build
from tracekit.sources.perf_data.header import Header, clock_name, read_header
from tracekit.sources.perf_data.numbers import Bytes
from tracekit.sources.perf_data.records import Recorded, read_records
from tracekit.sources.perf_data.scheduling import HOW_TO_RECORD, recording
from tracekit.tables.bundle import Trace


def read(path: Path, options: ReadOptions) -> Trace:
    """The whole file as a Trace. Raises SourceError."""
    where = str(path)
    if path.stat().st_size == 0:
        raise SourceError("the file is empty", where=where, remedy=HOW_TO_RECORD)
    data = np.asarray(np.memmap(path, np.uint8, mode="r"))
    with ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter, and so runs beside the reading
        digest = beside.submit(lambda: hashlib.sha256(data.data).hexdigest())
        return _trace(data, where, options, digest)


def _trace(data: Bytes, where: str, options: ReadOptions, digest: Future[str]) -> Trace:
    header = read_header(data.data, where)
    recorded = read_records(data, header, where, options.progress)
    kernel = recording(data, header, recorded, options, where)
    try:
        built = build(kernel)
    except SourceError as error:
        raise SourceError(error.what, where=where, remedy=HOW_TO_RECORD) from None
    options.progress(len(data), len(data))
    return Trace(built.tables, _meta(built, header, recorded, where, len(data), digest.result()))


def _meta(built: Built, header: Header, recorded: Recorded, where: str, size: int, digest: str) -> dict[str, Any]:
    notes = recorded.notes
    wall = None if notes.wall_offset_ns is None else notes.wall_offset_ns + built.origin_ns
    return {
        "source": {
            "path": where,
            "format": "perf.data",
            "version": notes.version,
            "sha256": digest,
            "size_bytes": size,
        },
        "clock": {"name": clock_name(header.attrs[0]), "origin_ns": built.origin_ns, "wall_origin_ns": wall},
        "host": notes.host,
        "kernel": notes.kernel,
        "cpus": notes.cpus or built.cpus,
        "end_ns": built.end_ns,
        "events": built.events,
        "form": built.form,
        "policies": built.policies,
        "tool_version": __version__,
    }
