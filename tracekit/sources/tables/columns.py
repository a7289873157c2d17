"""Which columns of a foreign table say what, and their values as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracekit.errors import SourceError
from tracekit.units import NS_PER_MS, NS_PER_S, NS_PER_US
from tracekit.vocabulary import Words

NULL = -1
UNITS = {"ns": 1, "us": NS_PER_US, "ms": NS_PER_MS, "s": NS_PER_S}
LIMIT_NS = 1 << 60

# Our name → names that others use, lower case; times may have a unit as suffix.
NAMES: dict[str, tuple[str, ...]] = {
    "task": ("task", "task_name", "thread_name", "name", "comm"),
    "task_id": ("task_id", "tid", "utid", "thread", "goid", "goroutine"),
    "start": ("start", "begin", "ts", "start_time", "from"),
    "end": ("end", "stop", "finish", "end_time", "until"),
    "state": ("state", "thread_state", "status"),
    "cpu": ("cpu", "core", "cpu_id"),
    "thread_id": ("thread_id",),
    "reason": ("reason", "blocked_on"),
    "inferred": ("inferred",),
    "kind": ("kind", "task_kind"),
    "process": ("process_id", "process", "pid", "upid"),
    "source_id": ("source_id",),
    "waker": ("waker_id", "waker"),
}


@dataclass(frozen=True)
class Given:
    """A table and where each of our columns is in it."""

    table: pa.Table
    found: dict[str, str]
    units: dict[str, int]
    where: str
    first_row: int = 0  # what the first row is in the whole table

    def fail(self, what: str, column: str | None = None, row: int | None = None) -> NoReturn:
        """Raise SourceError naming row (from 1, of the whole table) and column."""
        place = f"row {row + 1}" if row is not None else ""
        place += (", " if place else "") + (f"column {self.found.get(column, column)}" if column else "")
        raise SourceError(f"{place}: {what}" if place else what, where=self.where,
                          remedy="a table needs task, start, end and state")  # fmt: skip

    def has(self, column: str) -> bool:
        """Whether the table has it."""
        return column in self.found

    def values(self, column: str) -> Any:
        """The column, dictionaries resolved, in one piece."""
        values = self.table.column(self.found[column])
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_string_view(values.type) or pa.types.is_large_string(values.type):
            values = values.cast(pa.string())  # not every kernel knows the others
        return values.combine_chunks()

    def texts(self, column: str) -> Any:
        """As texts; numbers are written out."""
        values = self.values(column)
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            try:
                return values.cast(pa.string())
            except pa.ArrowException:
                self.fail(f"{values.type} is no text", column)
        return values.cast(pa.string())

    def integers(self, column: str, limit: int) -> Any:
        """As int64 from 0 to below `limit`, null as -1."""
        values = self.values(column)
        if pa.types.is_floating(values.type):  # pandas has whole numbers with holes as floats
            values = self._whole(values, column)
        if not pa.types.is_integer(values.type) and not pa.types.is_null(values.type):
            self.fail(f"{values.type} is no whole number", column)
        try:
            array = pc.fill_null(values.cast(pa.int64()), NULL).to_numpy(zero_copy_only=False)
        except pa.ArrowException:
            self.fail("a number is out of range", column)
        self.refuse(((array < 0) | (array >= limit)) & ~self.nulls(column), column, "out of range")
        return array

    def _whole(self, values: Any, column: str) -> Any:
        numbers = values.to_numpy(zero_copy_only=False)
        known = np.isfinite(numbers)
        self.refuse(known & (numbers != np.floor(numbers)), column, "not a whole number")
        self.refuse(known & (np.abs(numbers) >= 2.0**53), column, "too large for a float to be exact")
        return pa.array(np.where(known, numbers, 0).astype(np.int64), mask=~known)

    def nulls(self, column: str) -> Any:
        """Which rows have no value; not-a-number is none."""
        return pc.is_null(self.values(column), nan_is_null=True).to_numpy(zero_copy_only=False)

    def refuse(self, wrong: Any, column: str, what: str) -> None:
        """SourceError for the first row that is wrong, with its value."""
        rows = np.flatnonzero(wrong)
        if len(rows):
            row = int(rows[0])
            self.fail(f"{self.values(column)[row].as_py()!r}: {what}", column, self.first_row + row)

    def times_ns(self, column: str) -> Any:
        """Times in ns: whole numbers times their unit, decimals and floats rounded, timestamps as they are."""
        self.refuse(self.nulls(column), column, "no time")
        values, unit = self.values(column), self.units[column]
        if pa.types.is_timestamp(values.type) or pa.types.is_duration(values.type):
            kind = pa.timestamp("ns") if pa.types.is_timestamp(values.type) else pa.duration("ns")
            try:
                return values.cast(kind).cast(pa.int64()).to_numpy(zero_copy_only=False)
            except pa.ArrowException:
                self.fail("a time is out of range", column)
        if pa.types.is_floating(values.type):
            numbers = np.rint(values.to_numpy(zero_copy_only=False) * unit)
            self.refuse(np.abs(numbers) >= LIMIT_NS, column, "out of range")
            return numbers.astype(np.int64)
        if not pa.types.is_integer(values.type):
            self.fail(f"{values.type} is no time", column)
        try:
            array = values.cast(pa.int64()).to_numpy(zero_copy_only=False)
        except pa.ArrowException:
            self.fail("a time is out of range", column)
        self.refuse(np.abs(array) >= LIMIT_NS // unit, column, "out of range")
        return array * unit


def coded(given: Given, column: str, words: Words) -> Any:
    """A column of words as codes, null as -1; an unknown one is refused."""
    encoded = given.texts(column).dictionary_encode()
    known = [words.get((word or "").strip().lower(), NULL) for word in encoded.dictionary.to_pylist()]
    codes = np.array([*known, NULL], np.int8)[pc.fill_null(encoded.indices, len(known)).to_numpy(zero_copy_only=False)]
    empty = pc.fill_null(pc.equal(given.texts(column), ""), True).to_numpy(zero_copy_only=False)
    given.refuse((codes == NULL) & ~given.nulls(column) & ~empty, column, f"unknown {words.title}")
    return codes


def given(table: pa.Table, unit: str | None, where: str, first_row: int = 0) -> Given:
    """Find the columns by their names, whatever their case. Raises SourceError for one that is missing."""
    if unit is not None and unit not in UNITS:
        raise SourceError(f"unknown unit {unit!r}", where=where, remedy=f"one of {', '.join(UNITS)}")
    by_name = {name.strip().lower(): name for name in reversed(table.column_names)}
    found: dict[str, str] = {}
    units: dict[str, int] = {}
    for ours, theirs in NAMES.items():
        for name in theirs:
            suffixes = ("", *(f"_{u}" for u in UNITS)) if ours in ("start", "end") else ("",)
            hits = [suffix for suffix in suffixes if name + suffix in by_name]
            if hits and ours not in found:
                found[ours] = by_name[name + hits[0]]
                units[ours] = UNITS[hits[0][1:] or unit or "ns"]
    result = Given(table, found, units, where, first_row)
    twice = [name for name in found.values() if table.column_names.count(name) > 1]
    if twice:
        result.fail(f"there are several columns {twice[0]}")
    missing = [name for name in ("start", "end", "state") if name not in found]
    if "task" not in found and "task_id" not in found:
        missing.insert(0, "task")
    if missing:
        result.fail(f"no column {', '.join(missing)}; there are {', '.join(table.column_names[:20])}")
    return result
