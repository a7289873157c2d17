"""The files that a user gives for one recording, as readers need them; and the user's names for them in what is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit.errors import SourceError, TracekitError
from tracekit.sources.base import Combining, Progress, ReadOptions, Source
from tracekit.sources.digest import sha256_of
from tracekit.sources.wrapped import Plain, unpacked, wrapper_of
from tracekit.tables.bundle import Trace


@dataclass(frozen=True)
class Given:
    """A file as it is given, and the plain one that is read: the same, unless it is packed."""

    path: Path
    wrapper: str | None
    plain: Plain


@contextmanager
def opened(path: Path, progress: Progress) -> Iterator[Given]:
    """A file, unpacked for as long as it is read. Raises SourceError when there is no room for that."""
    with path.open("rb") as file:
        wrapper = wrapper_of(file.read(8))
    if wrapper is None:
        yield Given(path, None, Plain(path))
        return
    with unpacked(path, wrapper, progress) as plain:
        yield Given(path, wrapper, plain)


@contextmanager
def told_of(names: Mapping[Path, str]) -> Iterator[None]:
    """An error about one of these files is about what the user calls it."""
    try:
        yield
    except TracekitError as error:
        for path, name in names.items():
            if error.where and str(path) in error.where:
                where = error.where.replace(str(path), name)
                raise type(error)(error.what, where=where, remedy=error.remedy) from None
        raise


def together(sources: Sequence[Source], files: Sequence[Given], options: ReadOptions) -> Trace:
    """Several files of one run as one Trace. Raises SourceError where their format does not allow that."""
    first = sources[0]
    for source, file in zip(sources, files, strict=True):
        if source.name != first.name:
            raise SourceError(
                f"it is {source.title}, and {files[0].path} is {first.title}",
                where=str(file.path),
                remedy="only files of one kind make one run; ingest each by itself",
            )
    if not isinstance(first, Combining):
        raise SourceError(
            f"several files of {first.title} are not one run", where=str(files[1].path), remedy="ingest each by itself"
        )
    return first.read_together([file.plain.path for file in files], options)


def noted(trace: Trace, files: Sequence[Given]) -> Trace:
    """The trace with the given files in its meta, in place of what they were unpacked to."""
    source = dict(trace.meta.get("source") or {})
    if len(files) == 1 and files[0].wrapper:
        source |= _facts(files[0])
    elif len(files) > 1:
        source["path"] = ", ".join(str(file.path) for file in files)
        source["files"] = [
            {**part, **_facts(file)} if file.wrapper else part
            for part, file in zip(source["files"], files, strict=True)
        ]
    if source:
        trace.meta["source"] = source
    damaged = [
        {"policy": file.plain.damage, "choice": "what comes before is read", "count": 1}
        for file in files
        if file.plain.damage
    ]
    if damaged:
        trace.meta["policies"] = [*(trace.meta.get("policies") or []), *damaged]
    return trace


def _facts(file: Given) -> dict[str, Any]:
    return {
        "path": str(file.path),
        "sha256": sha256_of(file.path),
        "size_bytes": file.path.stat().st_size,
        "wrapper": file.wrapper,
        "unpacked_bytes": file.plain.path.stat().st_size,
    }
