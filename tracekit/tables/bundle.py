"""The three nouns in memory: a kind, its Arrow tables, and what is known about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tracekit.errors import TableError
from tracekit.tables.schema import BUNDLES, TABLES_SINCE

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


def _with_empty(wanted: Mapping[str, str], given: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """In the declared order, with an empty table for each that may be left out and is."""
    absent = [name for name, declared in wanted.items() if declared in TABLES_SINCE and name not in given]
    if absent:
        from tracekit.tables.build import empty

        given = {**given, **{name: empty(wanted[name]) for name in absent}}
    return {name: given[name] for name in (*wanted, *given) if name in given}


@dataclass
class Bundle:
    """Arrow tables by name (`BUNDLES[kind]`), and `meta`, a JSON-ready dict. Raises TableError on a missing table.

    Those of `TABLES_SINCE` may be left out, and are empty then.
    """

    tables: dict[str, pa.Table]
    meta: dict[str, Any] = field(default_factory=dict)
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        wanted = BUNDLES[self.kind]
        self.tables = _with_empty(wanted, self.tables)
        if set(self.tables) != set(wanted):
            differing = ", ".join(sorted(set(self.tables) ^ set(wanted)))
            raise TableError(f"a {self.kind} has the tables {', '.join(wanted)}; missing or extra: {differing}")

    def frame(self, name: str) -> pl.DataFrame:
        """One table as a polars frame (no copy where polars allows it)."""
        import polars as pl

        frame = pl.from_arrow(self.tables[name])
        assert isinstance(frame, pl.DataFrame)
        return frame


class Trace(Bundle):
    """What happened. Tables: tasks, intervals, wakeups, gaps; ranges, counters and stacks where recorded."""

    kind: ClassVar[str] = "trace"


class Program(Bundle):
    """What the tasks wanted to do. Tables: tasks, segments, objects."""

    kind: ClassVar[str] = "program"


class Run(Bundle):
    """What a model did with a program: a trace's tables, and overheads, memory, operations."""

    kind: ClassVar[str] = "run"


KINDS: dict[str, type[Bundle]] = {"trace": Trace, "program": Program, "run": Run}
