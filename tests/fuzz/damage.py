"""What every kind of damage has in common: what came of a damaged file, cuts, and changes made at random."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tracekit.errors import SourceError
from tracekit.sources.base import HEAD_BYTES, ReadOptions, Source
from tracekit.tables.checks import check


def outcome(source: Source, data: bytes, folder: Path) -> str:
    """`read`, or the error's first words. Anything but a sound Trace or a SourceError goes through."""
    path = folder / "damaged"
    path.write_bytes(data)
    source.matches(data[:HEAD_BYTES])
    try:
        trace = source.read(path, ReadOptions())
    except SourceError as error:
        line = str(error)
        assert "\n" not in line and line.startswith(str(path)), line
        return re.sub(r"\d+", "N", error.what)[:60]
    assert [str(finding) for finding in check(trace)] == []
    return "read"


def cuts(data: bytes) -> Iterator[bytes]:
    """The file's beginning, of every length."""
    return (data[:size] for size in range(len(data)))


def mutations(
    change: Callable[[bytearray, random.Random], None], data: bytes, count: int, seed: int
) -> Iterator[bytes]:
    """Copies with one to four changes each, by a function that makes one in place."""
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            change(changed, chance)
        yield bytes(changed)
