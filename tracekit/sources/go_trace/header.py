"""The file's first 16 bytes: which version of the format follows."""

from __future__ import annotations

import re

from tracekit.errors import SourceError
from tracekit.sources.go_trace.spec import OLD_VERSIONS, VERSIONS

HEADER_BYTES = 16
_HEADER = re.compile(rb"go 1\.(\d{1,3}) trace\0+")


def is_go_trace(head: bytes) -> bool:
    """Whether a file begins as an execution trace of any Go version."""
    return _HEADER.match(head[:HEADER_BYTES]) is not None


def read_version(head: bytes, where: str) -> int:
    """The format's minor version, one of VERSIONS. Raises SourceError naming a version that can't be read."""
    match = _HEADER.fullmatch(head[:HEADER_BYTES])
    if match is None:
        raise SourceError("not a Go execution trace", where=f"{where}, byte 0", remedy="record with runtime/trace")
    version = int(match[1])
    if version in VERSIONS:
        return version
    if version in OLD_VERSIONS:
        raise SourceError(
            f"a Go execution trace in the format of Go 1.{version}, which is not supported",
            where=where,
            remedy="build the program with Go 1.22 or later and record again",
        )
    known = ", ".join(f"1.{v}" for v in VERSIONS)
    raise SourceError(
        f"a Go execution trace in the unknown format version 1.{version} (known: {known})",
        where=where,
        remedy="use a newer tracekit",
    )
