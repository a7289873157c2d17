"""What a source is: one recorded format, found by content, read into a Trace.

A third party adds one with a module and an entry point in the group `tracekit.sources` that names its
`SOURCE` object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tracekit.tables.bundle import Trace

if TYPE_CHECKING:
    import pyarrow as pa

HEAD_BYTES = 64 * 1024  # how much of a file `matches` may look at

Progress = Callable[[int, int], None]  # (bytes done, bytes in all)


def no_progress(done: int, total: int) -> None:
    """The progress of a caller that shows none."""


class Sink(Protocol):
    """Takes the rows of a trace's tables as they are made, so that no reader need hold them all."""

    def append(self, name: str, table: pa.Table, *, ahead: bool = False) -> None:
        """More rows of table `name`, in any order. `ahead`: before others that are equal in the table's order."""
        ...


@dataclass(frozen=True)
class ReadOptions:
    """Choices a user has while reading. `wakeup` says which kernel event makes a task runnable.

    A source that makes tables piece by piece appends them to `sink` where there is one; the Trace that it gives has
    no rows then. Any other source leaves it alone.
    """

    wakeup: str = "waking"  # waking or wakeup, where a recording has both
    progress: Progress = field(default=no_progress)
    sink: Sink | None = None


@runtime_checkable
class Source(Protocol):
    """One format. `read` raises SourceError with the file and, where there is one, the byte offset."""

    name: str
    title: str
    how_to_record: str

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins with `head` (at most HEAD_BYTES) is of this format."""
        ...

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """The whole file as a Trace; what can't be read is a row in gaps."""
        ...


@runtime_checkable
class Combining(Source, Protocol):
    """A source whose format allows several files of one run, such as one for each CPU or one after the other."""

    def read_together(self, paths: Sequence[Path], options: ReadOptions) -> Trace:
        """The files as one Trace, whose meta has a `files` list in `source`. Raises SourceError if they do not fit."""
        ...
