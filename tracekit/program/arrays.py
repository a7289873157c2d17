"""Contract columns as numpy arrays: null is -1, words are codes of their vocabulary."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tracekit.vocabulary import Words

NULL = -1
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def ints(table: pa.Table, column: str) -> Ints:
    """An integer column as int64, null as -1."""
    values = table.column(column)
    if values.null_count:
        values = pc.fill_null(values, NULL)
    result: Ints = values.to_numpy().astype(np.int64, copy=False)
    return result


def flags(table: pa.Table, column: str) -> Flags:
    """A column of booleans."""
    result: Flags = table.column(column).to_numpy().astype(np.bool_, copy=False)
    return result


def codes(table: pa.Table, column: str, words: Words) -> Ints:
    """A column of words as their codes in `words`, null as -1. A stored dictionary may be in any order."""
    values = table.column(column)
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    values = values.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = values.unify_dictionaries().chunk(0)
    known = [words.get(name, NULL) for name in values.dictionary.to_pylist()]
    meanings = np.array([*known, NULL], dtype=np.int64)  # index -1, a null, finds the last
    result: Ints = meanings[pc.fill_null(values.indices, NULL).to_numpy()]
    return result


def starts_of(groups: Ints) -> Flags:
    """Where a new group begins in an array whose equal values are neighbours."""
    first = np.ones(len(groups), np.bool_)
    np.not_equal(groups[1:], groups[:-1], out=first[1:])
    return first
