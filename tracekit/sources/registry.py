"""Which formats can be read, and which of them a file is of. By content: a file's name says nothing.

Built-in sources are modules that export `SOURCE`; third parties add theirs by an entry point in the group
`tracekit.sources`. A source whose module can't be imported is named in the error, not hidden.
"""

from __future__ import annotations

import codecs
import importlib
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import BinaryIO

from tracekit.errors import SourceError, TracekitError
from tracekit.sources.base import HEAD_BYTES, ReadOptions, Sink, Source
from tracekit.sources.given import noted, opened, together, told_of
from tracekit.sources.wrapped import spooled, unpacked_head, wrapper_of
from tracekit.tables.bundle import Trace

GROUP = "tracekit.sources"
_COPY_AGAIN = "copy or record it again"
BUILT_IN = (
    "tracekit.sources.perf_data",
    "tracekit.sources.go_trace",
    "tracekit.sources.trace_dat",
    "tracekit.sources.perfetto",
    "tracekit.sources.kernel_text",
    "tracekit.sources.chrome_json",
    "tracekit.sources.tables",
)

# What people hand over by mistake, by how it begins: said back to them by name.
_FAMILIAR = {
    b"\x7fELF": "a program (ELF)",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"PAR1": "a Parquet file; give the bundle folder that it is in",
    b"BZh": "bzip2-compressed data; unpack it first",
    b"\x04\x22\x4d\x18": "lz4-compressed data; unpack it first",
}


def sources() -> dict[str, Source]:
    """Every source by name, the built-in ones first. Raises SourceError for one that can't be loaded."""
    named: dict[str, Source] = {}
    for source in _each():
        if source.name in named:
            raise SourceError(f"two sources are called {source.name!r}", remedy="uninstall one of the packages")
        named[source.name] = source
    return named


def identify(path: Path) -> Source:
    """The source that reads `path`, packed or not. Raises SourceError for what none reads, naming what was found."""
    head, wrapper = _head(path)
    packed = f", packed with {wrapper}" if wrapper else ""
    for source in _each():
        with _named(source, path):
            if source.matches(head):
                return source
    raise SourceError(
        f"no recording that tracekit knows; it looks like {_looks_like(head)}{packed}",
        where=str(path),
        remedy="readable: " + ", or ".join(f"{s.title} ({s.how_to_record})" for s in sources().values()),
    )


def ingest(path: Path | str | Sequence[Path], options: ReadOptions | None = None) -> Trace:
    """Read a recording, whatever its format and packing; several files are of one run. Raises SourceError.

    With a sink in the options all rows go there, whether or not the source makes them piece by piece.
    """
    options = options or ReadOptions()
    paths = [Path(path)] if isinstance(path, str | Path) else list(path)
    sources = [identify(path) for path in paths]
    with ExitStack() as stack:
        given = [stack.enter_context(opened(path, options.progress)) for path in paths]
        unpacked_from = {file.plain.path: str(file.path) for file in given if file.wrapper}
        with told_of(unpacked_from), _named(sources[0], paths[0]):
            if len(paths) == 1:
                trace = sources[0].read(given[0].plain.path, options)
            else:
                trace = together(sources, given, options)
        return _delivered(noted(trace, given), options.sink)


def ingest_pipe(stream: BinaryIO, shown: str, options: ReadOptions) -> Trace:
    """`ingest` of all that comes from a pipe, which is called `shown`. Raises SourceError."""
    with spooled(stream, shown) as plain, told_of({plain.path: shown}):
        trace = ingest(plain.path, options)
        trace.meta["source"] = {**(trace.meta.get("source") or {}), "path": shown}
        return trace


def _delivered(trace: Trace, sink: Sink | None) -> Trace:
    """The trace, or where there is a sink, its meta, when the rows are there."""
    if sink is None or not any(table.num_rows for table in trace.tables.values()):
        return trace
    for name, table in trace.tables.items():
        sink.append(name, table)
    return Trace({name: table.slice(0, 0) for name, table in trace.tables.items()}, trace.meta)


def _each() -> Iterator[Source]:
    """Loaded one by one, so that a broken third party's does not stop a built-in one."""
    for module in BUILT_IN:
        yield _loaded(module, partial(_built_in, module))
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        yield _loaded(f"{entry.name} ({entry.value})", entry.load)


def _built_in(module: str) -> object:
    return importlib.import_module(module).SOURCE


@contextmanager
def _named(source: Source, path: Path) -> Iterator[None]:
    """Whatever a source trips over, the user learns which source and which file."""
    try:
        yield
    except (TracekitError, MemoryError):
        raise
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror or error})", where=str(path)) from error
    except Exception as error:
        raise SourceError(
            f"the source {source.name} failed ({_reason(error)})", where=str(path), remedy="please report it"
        ) from error


def _loaded(name: str, load: Callable[[], object]) -> Source:
    """A source object proven to be one: third parties' code may do anything while it is imported."""
    try:
        source = load()
    except Exception as error:
        raise SourceError(
            f"the source {name} can't be loaded ({_reason(error)})", remedy="reinstall or uninstall it"
        ) from error
    if not isinstance(source, Source):
        raise SourceError(f"{name} is no source: it needs name, title, how_to_record, matches and read")
    return source


def _head(path: Path) -> tuple[bytes, str | None]:
    """The first bytes of a regular file, and what it is packed with. A pipe or device would block or never end."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(
                "a directory, not a recording", where=str(path), remedy="give a file or a tracekit bundle"
            )
        if not stat.S_ISREG(mode):
            raise SourceError("not a regular file", where=str(path), remedy="save the recording to a file first")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"can't be read ({reason})", where=str(path)) from None
    if not head:
        raise SourceError("the file is empty", where=str(path), remedy="record again, and check the disk has room")
    wrapper = wrapper_of(head)
    if wrapper is None:
        return head, None
    inside = unpacked_head(path, wrapper, HEAD_BYTES)
    if not inside:
        raise SourceError(
            f"{wrapper} data with nothing in it that can be unpacked", where=str(path), remedy=_COPY_AGAIN
        )
    return inside, wrapper


def _looks_like(head: bytes) -> str:
    if inner := wrapper_of(head):
        return f"something packed with {inner}"
    for magic, words in _FAMILIAR.items():
        if head.startswith(magic):
            return words
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the head may end within a character
    except UnicodeDecodeError:
        return f"binary data beginning with {head[:8].hex(' ')}"
    return "binary zeros" if not text.strip("\0") else "a text file"


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
