"""A perf.data file to a Trace."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tracekit import __version__
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.digest import sha256_of
from tracekit.sources.kernel.build import Built, build_stream
from tracekit.sources.kernel.events import KernelStream
from tracekit.sources.kernel.merging import merged, of_one_run
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.perf_data.callchains import UNREAD, functions_of, tells_waits
from tracekit.sources.perf_data.features import Notes
from tracekit.sources.perf_data.header import Header, clock_name, read_header
from tracekit.sources.perf_data.layout import layouts
from tracekit.sources.perf_data.planning import HOW_TO_RECORD, planned
from tracekit.sources.perf_data.records import Windows, ids_of, notes_of
from tracekit.sources.perf_data.scheduling import kernel_stream
from tracekit.sources.perf_data.tape import WINDOW_BYTES
from tracekit.tables.bundle import Trace


def read(path: Path, options: ReadOptions) -> Trace:
    """The whole file as a Trace. Raises SourceError."""
    where = str(path)
    if path.stat().st_size == 0:
        raise SourceError("the file is empty", where=where, remedy=HOW_TO_RECORD)
    data = mapped(path)
    with ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter, and so runs beside the reading
        digest = beside.submit(sha256_of, path)
        return _trace(data, where, options, digest)


def read_together(paths: Sequence[Path], options: ReadOptions) -> Trace:
    """Files of one run as one Trace. Raises SourceError where their clocks differ."""
    files = [mapped(path) for path in paths]
    parts = [opened(data, str(path), options) for data, path in zip(files, paths, strict=True)]
    try:
        built = build_stream(merged([stream for _, _, stream in parts]), options.sink)
    except SourceError as error:
        raise SourceError(error.what, where=str(paths[0]), remedy=HOW_TO_RECORD) from None
    metas = [
        _meta(built, header, notes, str(path), len(data), sha256_of(path))
        for (header, notes, _), data, path in zip(parts, files, paths, strict=True)
    ]
    return Trace(built.tables, of_one_run(metas))


def mapped(path: Path) -> Bytes:
    """The file's bytes, which come into memory as they are read and can be let go (tape.let_go)."""
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def opened(
    data: Bytes, where: str, options: ReadOptions, window_bytes: int = WINDOW_BYTES
) -> tuple[Header, Notes, KernelStream]:
    """What the file says about itself, and its events in the kernel's terms. Raises SourceError."""
    header = read_header(data.data, where)
    notes = notes_of(data, header)
    rows = layouts(header.attrs)
    ids = ids_of(header, rows, where)

    def windows() -> Windows:
        return Windows(data, header, rows, ids, window_bytes)

    chosen = planned(header, notes, rows, windows, where)
    chosen.plan.functions = functions_of(data, header, notes)
    if tells_waits(header.attrs) and not len(chosen.plan.functions.begin):
        chosen.policies.append(UNREAD)
    return header, notes, kernel_stream(windows(), header, chosen, options, len(data))


def _trace(data: Bytes, where: str, options: ReadOptions, digest: Future[str]) -> Trace:
    header, notes, stream = opened(data, where, options)
    try:
        built = build_stream(stream, options.sink)
    except SourceError as error:
        raise SourceError(error.what, where=where, remedy=HOW_TO_RECORD) from None
    options.progress(len(data), len(data))
    return Trace(built.tables, _meta(built, header, notes, where, len(data), digest.result()))


def _meta(built: Built, header: Header, notes: Notes, where: str, size: int, digest: str) -> dict[str, Any]:
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
        "repeats": built.repeats,
        "callchains": tells_waits(header.attrs),
        "form": built.form,
        "policies": built.policies,
        "tool_version": __version__,
    }
