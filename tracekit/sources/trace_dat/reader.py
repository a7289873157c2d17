"""A trace.dat file to a Trace."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit import __version__
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.digest import sha256_of
from tracekit.sources.kernel import merging as kernel_merging
from tracekit.sources.kernel.build import Built, build_stream
from tracekit.sources.kernel.events import KernelStream
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.trace_dat.blocks import let_go, mapped
from tracekit.sources.trace_dat.buffers import Chosen, choose, streams
from tracekit.sources.trace_dat.header import Header, read_header
from tracekit.sources.trace_dat.holes import Holes
from tracekit.sources.trace_dat.merging import merged
from tracekit.sources.trace_dat.names import namer
from tracekit.sources.trace_dat.streams import CpuStream
from tracekit.tables.bundle import Trace

HOW_TO_RECORD = "record with: trace-cmd record -C mono -e sched -- COMMAND"


def read(path: Path, options: ReadOptions) -> Trace:
    """The whole file as a Trace. Raises SourceError."""
    with ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter, and so runs beside the reading
        digest = beside.submit(sha256_of, path)
        file = _opened(path, options)
        built = _built(file.stream, options, file)
        options.progress(len(file.data), len(file.data))
        return Trace(built.tables, _meta(built, file, digest.result()))


def read_together(paths: Sequence[Path], options: ReadOptions) -> Trace:
    """Files of one run as one Trace. Raises SourceError where their clocks, hosts or kernels differ."""
    files = [_opened(path, options) for path in paths]
    _refuse_apart(files)
    built = _built(kernel_merging.merged([file.stream for file in files]), options, files[0])
    metas = [_meta(built, file, sha256_of(path)) for file, path in zip(files, paths, strict=True)]
    return Trace(built.tables, kernel_merging.of_one_run(metas))


@dataclass
class _File:
    """A file whose header is read, and its events."""

    where: str
    data: Bytes
    header: Header
    chosen: Chosen
    stream: KernelStream


def _opened(path: Path, options: ReadOptions) -> _File:
    where = str(path)
    if path.stat().st_size == 0:
        raise SourceError("the file is empty", where=where, remedy=HOW_TO_RECORD)
    data = mapped(path)
    header = read_header(data.data, where)
    try:
        chosen = choose(data, header)
        return _File(where, data, header, chosen, kernel_stream(data, header, chosen, options))
    except SourceError as error:
        raise SourceError(error.what, where=where, remedy=error.remedy or HOW_TO_RECORD) from None


def _refuse_apart(files: Sequence[_File]) -> None:
    """Times go together when they are of one clock by name, in one unit, of one machine; `of_one_run` sees the rest."""
    first = files[0]
    for file in files:
        if not file.chosen.clock.named:
            what = "it does not say which clock its times are of"
        elif file.chosen.clock.in_ns != first.chosen.clock.in_ns:
            what = f"of it and {first.where} one is in ticks of its clock and the other in ns"
        elif bool(file.header.options.shifts) != bool(first.header.options.shifts):
            what = f"of it and {first.where} one is of a virtual machine and the other is not"
        elif not _numbered_alike(file.header, first.header):
            what = f"its events are numbered otherwise than those of {first.where}, so another kernel recorded them"
        else:
            continue
        raise SourceError(what, where=file.where, remedy="ingest each by itself")


def _numbered_alike(one: Header, other: Header) -> bool:
    """Whether the events that both have are of one number: kernels number them as they are built and booted."""
    known = {event.name: number for number, event in one.formats.items()}
    return all(known.get(event.name, number) == number for number, event in other.formats.items())


def _built(stream: KernelStream, options: ReadOptions, first: _File) -> Built:
    try:
        return build_stream(stream, options.sink)
    except SourceError as error:
        raise SourceError(error.what, where=first.where, remedy=error.remedy or HOW_TO_RECORD) from None


def kernel_stream(data: Bytes, header: Header, chosen: Chosen, options: ReadOptions) -> KernelStream:
    """The recording in the kernel's terms. Its gaps and policies are complete when its batches are read."""
    if not header.formats:
        raise SourceError("it has no scheduling events")
    holes = Holes()
    for part in header.unread:
        holes.add(-1, (0, 0), "truncated", part=part)
    sources = streams(data, header, chosen.buffers, chosen.clock, holes)
    stream = KernelStream((), holes.gaps, holes.streams, options.wakeup, list(chosen.policies))

    def progress() -> None:
        let_go(data)
        options.progress(min(sum(source.done - source.begin for source in sources), len(data)), len(data))

    def batches() -> Any:
        yield from merged(sources, namer(header), progress)
        _overruns(header, chosen, sources, holes)
        stream.policies += _policies(chosen, holes)

    stream.batches = batches()
    return stream


def _overruns(header: Header, chosen: Chosen, sources: Sequence[CpuStream], holes: Holes) -> None:
    """Losses that the kernel counted (per_cpu/cpuN/stats) beyond those that its pages tell of."""
    if len(header.options.buffers) > 1:
        return  # it is not said which buffer's they are
    for source in sources:
        told = [gap for gap in holes.gaps if gap["cpu"][0] == source.cpu and gap["lost_events"][0] > 0]
        excess = header.options.lost.get(source.cpu, 0) - sum(int(gap["lost_events"][0]) for gap in told)
        if excess > 0:
            holes.add(source.cpu, (source.began_ns, source.reached_ns), "lost_records", excess)


def _policies(chosen: Chosen, holes: Holes) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    if not chosen.clock.in_ns:
        policy = f"the clock {chosen.clock.name} counts ticks, and the file does not say how long they are"
        found.append({"policy": policy, "choice": "a tick is taken for a nanosecond", "count": 1})
    if holes.mended:
        policy = "an event that is earlier than the one before it on its CPU"
        found.append({"policy": policy, "choice": "it gets that one's time", "count": holes.mended})
    return found


def _meta(built: Built, file: _File, digest: str) -> dict[str, Any]:
    clock, said = file.chosen.clock, file.header.options
    return {
        "source": {
            "path": file.where,
            "format": "trace.dat",
            "version": str(file.header.version),
            "sha256": digest,
            "size_bytes": len(file.data),
        },
        "clock": {
            "name": clock.name,
            "origin_ns": built.origin_ns,
            "wall_origin_ns": None if clock.date_ns is None else clock.date_ns + built.origin_ns,
        },
        "host": said.host,
        "kernel": said.kernel,
        "cpus": said.cpus or built.cpus,
        "end_ns": built.end_ns,
        "events": built.events,
        "repeats": built.repeats,
        "form": built.form,
        "policies": built.policies,
        "tool_version": __version__,
    }
