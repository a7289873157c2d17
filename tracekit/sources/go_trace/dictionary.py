"""A generation's strings and stacks, reduced to what the tables need: reasons, and the functions goroutines run.

Both tables are self-contained in each generation: the same id may mean something else in the next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.go_trace.codes import STACK, STRING
from tracekit.sources.go_trace.compiled import kernel, part
from tracekit.sources.go_trace.faults import BAD_STACKS, BAD_STRINGS, DONE
from tracekit.sources.go_trace.spec import MAX_FRAMES, MAX_STRING_BYTES
from tracekit.sources.go_trace.varint import varint
from tracekit.sources.go_trace.words import CODES, REFINE

MAX_ID = 1 << 22  # strings and stacks are numbered 1, 2, 3 …; a larger id is a damaged one
MISSING = -2  # not in the table
_LENGTHS = np.unique([len(word) for word in CODES])


class Dictionary(NamedTuple):
    """Lookup arrays for the kernels, int8 reason codes by id; MISSING where the file has no such id."""

    block: Any  # by string id: reason of GoBlock, + REFINE where the stack may tell more
    stop: Any  # by string id: reason of GoStop
    stack: Any  # by stack id: reason told by the innermost known function


class Names(NamedTuple):
    """For naming goroutines: the outermost function of each stack, and where each string stands in the file."""

    roots: Any  # by stack id: string id of the function
    offsets: Any  # by string id
    sizes: Any  # by string id; MISSING where there is none


@part
def block_reason(d: Dictionary, string: int, stack: int) -> int:
    """The reason code of a GoBlock, or NONE."""
    if not 0 <= string < len(d.block) or d.block[string] == MISSING:
        return -1
    reason = int(d.block[string])
    if reason < REFINE - 1:
        return reason
    if 0 <= stack < len(d.stack) and d.stack[stack] >= 0:
        return int(d.stack[stack])
    return reason - REFINE


@part
def stop_reason(d: Dictionary, string: int) -> int:
    """The reason code of a GoStop, or NONE."""
    if not 0 <= string < len(d.stop) or d.stop[string] == MISSING:
        return -1
    return int(d.stop[string])


@kernel
def index_strings(data: Any, offset: int, limit: int, out: Any, count: int) -> tuple[int, int, int]:
    """Append (id, offset, size) of each string in a batch to `out`. Returns (count, fault or DONE, where)."""
    while offset < limit:
        start = offset
        if data[offset] != STRING:
            return count, BAD_STRINGS, start
        number, offset = varint(data, offset + 1, limit)
        size, offset = varint(data, offset, limit)
        if offset < 0 or not 0 <= size <= MAX_STRING_BYTES or offset + size > limit:
            return count, BAD_STRINGS, start
        out[count, 0], out[count, 1], out[count, 2] = number, offset, size
        count += 1
        offset += size
    return count, DONE, limit


@kernel
def index_stacks(data: Any, offset: int, limit: int, functions: Any, out: Any, count: int) -> tuple[int, int, int]:
    """Append (id, outermost function, reason) of each stack in a batch. Returns (count, fault or DONE, where)."""
    while offset < limit:
        start = offset
        if data[offset] != STACK:
            return count, BAD_STACKS, start
        number, offset = varint(data, offset + 1, limit)
        frames, offset = varint(data, offset, limit)
        if offset < 0 or not 0 <= frames <= MAX_FRAMES:
            return count, BAD_STACKS, start
        root, reason = 0, -1
        for _ in range(frames):
            _pc, offset = varint(data, offset, limit)
            root, offset = varint(data, offset, limit)
            _file, offset = varint(data, offset, limit)
            _line, offset = varint(data, offset, limit)
            if reason < 0 and 0 <= root < len(functions):
                reason = int(functions[root])
        if offset < 0:
            return count, BAD_STACKS, start
        out[count, 0], out[count, 1], out[count, 2] = number, root, reason
        count += 1
    return count, DONE, limit


def _dense(rows: Any, column: int, fill: int, dtype: Any) -> Any:
    """rows[:, column] by rows[:, 0]; ids out of range are left out, of equal ids the first one counts."""
    kept = rows[(rows[:, 0] > 0) & (rows[:, 0] < MAX_ID)][::-1]
    dense = np.full(int(kept[:, 0].max(initial=0)) + 1, fill, dtype)
    dense[kept[:, 0]] = kept[:, column]
    return dense


def _lexicon(data: Any, strings: Any) -> Any:
    """(block, stop, function) codes of every string id: int8, shape (ids, 3)."""
    ids = np.concatenate([strings[:, :1], np.full((len(strings), 3), -1)], axis=1)
    for row in np.flatnonzero(np.isin(strings[:, 2], _LENGTHS)):
        start = strings[row, 1]
        ids[row, 1:] = CODES.get(data[start : start + strings[row, 2]].tobytes(), (-1, -1, -1))
    table = np.stack([_dense(ids, column, MISSING, np.int8) for column in (1, 2, 3)], axis=1)
    table[0] = CODES[b""]  # id 0 is the empty string
    return table


def read_dictionary(
    data: Any, string_batches: Any, stack_batches: Any
) -> tuple[Dictionary, Names, list[tuple[int, int]]]:
    """Read a generation's tables. Batches are rows (offset, limit) past the batch's first byte.

    Returns also the faults: a list of (fault, offset). A damaged batch keeps what stands before the damage.
    """
    faults: list[tuple[int, int]] = []
    strings = np.empty((int((string_batches[:, 1] - string_batches[:, 0]).sum()) // 3 + 1, 3), np.int64)
    count = 0
    for start, limit in string_batches:
        count, fault, where = index_strings(data, start, limit, strings, count)
        faults += [(fault, where)] if fault != DONE else []
    strings = strings[:count]
    lexicon = _lexicon(data, strings)
    functions = np.ascontiguousarray(lexicon[:, 2])
    stacks = np.empty((int((stack_batches[:, 1] - stack_batches[:, 0]).sum()) // 3 + 1, 3), np.int64)
    count = 0
    for start, limit in stack_batches:
        count, fault, where = index_stacks(data, start, limit, functions, stacks, count)
        faults += [(fault, where)] if fault != DONE else []
    stacks = stacks[:count]
    dictionary = Dictionary(
        np.ascontiguousarray(lexicon[:, 0]), np.ascontiguousarray(lexicon[:, 1]), _dense(stacks, 2, MISSING, np.int8)
    )
    names = Names(
        _dense(stacks, 1, 0, np.int64), _dense(strings, 1, 0, np.int64), _dense(strings, 2, MISSING, np.int64)
    )
    return dictionary, names, faults
