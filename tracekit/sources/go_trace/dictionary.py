"""A generation's strings and stacks: reasons, names and places by their ids, for the kernels to look up.

Both tables are self-contained in each generation: the same id may mean something else in the next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.go_trace.codes import STACK, STRING
from tracekit.sources.go_trace.compiled import kernel, nth, part
from tracekit.sources.go_trace.faults import BAD_STACKS, BAD_STRINGS, DONE
from tracekit.sources.go_trace.places import Places
from tracekit.sources.go_trace.spec import MAX_FRAMES, MAX_STRING_BYTES
from tracekit.sources.go_trace.varint import varint
from tracekit.sources.go_trace.words import CODES, REFINE

MAX_ID = 1 << 22  # strings and stacks are numbered 1, 2, 3 …; a larger id is a damaged one
MISSING = -2  # not in the table
_LENGTHS = np.unique([len(word) for word in CODES])


class Dictionary(NamedTuple):
    """Lookup arrays by id. Reason codes are int8; texts and places are int32 rows of `Places`, NONE where unknown."""

    block: Any  # by string id: reason of GoBlock, + REFINE where the stack may tell more
    stop: Any  # by string id: reason of GoStop
    text: Any  # by string id
    stack: Any  # by stack id: reason told by the innermost known function
    place: Any  # by stack id
    root: Any  # by stack id: text of the outermost function


@part
def block_reason(d: Dictionary, string: int, stack: int) -> int:
    """The reason code of a GoBlock, or NONE."""
    if not 0 <= string < len(d.block) or d.block[nth(string)] == MISSING:
        return -1
    reason = int(d.block[nth(string)])
    if reason < REFINE - 1:
        return reason
    if 0 <= stack < len(d.stack) and d.stack[nth(stack)] >= 0:
        return int(d.stack[nth(stack)])
    return reason - REFINE


@part
def stop_reason(d: Dictionary, string: int) -> int:
    """The reason code of a GoStop, or NONE."""
    if not 0 <= string < len(d.stop) or d.stop[nth(string)] == MISSING:
        return -1
    return int(d.stop[nth(string)])


@part
def text(d: Dictionary, string: int) -> Any:
    """The text of a string id, or NONE."""
    if not 0 <= string < len(d.text):
        return np.int32(-1)
    return d.text[nth(string)]


@part
def place(d: Dictionary, stack: int) -> Any:
    """The row of a stack id in the table of stacks, or NONE."""
    if not 0 <= stack < len(d.place):
        return np.int32(-1)
    return d.place[nth(stack)]


@part
def root_name(d: Dictionary, stack: int) -> Any:
    """The text of a stack's outermost function, or NONE."""
    if not 0 <= stack < len(d.root):
        return np.int32(-1)
    return d.root[nth(stack)]


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
def index_stacks(
    data: Any, offset: int, limit: int, functions: Any, out: Any, count: int, frames: Any, used: int
) -> tuple[int, int, int, int]:
    """Append (id, reason, first frame, frame count) of each stack in a batch, and its frames (function, file, line).

    Frames stand innermost first. Returns (count, frames used, fault or DONE, where).
    """
    while offset < limit:
        start = offset
        if data[offset] != STACK:
            return count, used, BAD_STACKS, start
        number, offset = varint(data, offset + 1, limit)
        depth, offset = varint(data, offset, limit)
        if offset < 0 or not 0 <= depth <= MAX_FRAMES:
            return count, used, BAD_STACKS, start
        reason, first = -1, used
        for _ in range(depth):
            _pc, offset = varint(data, offset, limit)
            function, offset = varint(data, offset, limit)
            file, offset = varint(data, offset, limit)
            line, offset = varint(data, offset, limit)
            if offset < 0:
                return count, first, BAD_STACKS, start
            if reason < 0 and 0 <= function < len(functions):
                reason = int(functions[function])
            frames[used, 0], frames[used, 1], frames[used, 2] = function, file, line
            used += 1
        out[count, 0], out[count, 1], out[count, 2], out[count, 3] = number, reason, first, depth
        count += 1
    return count, used, DONE, limit


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


def _texts(data: Any, strings: Any, places: Places) -> Any:
    """The index of each string's text, by its id."""
    found = np.empty((len(strings), 2), np.int64)
    found[:, 0] = strings[:, 0]
    found[:, 1] = [places.text(data[start : start + size].tobytes()) for start, size in strings[:, 1:].tolist()]
    return _dense(found, 1, -1, np.int32)


_Faults = list[tuple[int, int]]


def _read_strings(data: Any, batches: Any) -> tuple[Any, _Faults]:
    strings = np.empty((int((batches[:, 1] - batches[:, 0]).sum()) // 3 + 1, 3), np.int64)
    count, faults = 0, []
    for start, limit in batches:
        count, fault, where = index_strings(data, start, limit, strings, count)
        faults += [(fault, where)] if fault != DONE else []
    return strings[:count], faults


def _read_stacks(data: Any, batches: Any, functions: Any) -> tuple[Any, Any, _Faults]:
    size = int((batches[:, 1] - batches[:, 0]).sum())
    stacks, frames = np.empty((size // 3 + 1, 4), np.int64), np.empty((size // 4 + 1, 3), np.int64)
    count, used, faults = 0, 0, []
    for start, limit in batches:
        count, used, fault, where = index_stacks(data, start, limit, functions, stacks, count, frames, used)
        faults += [(fault, where)] if fault != DONE else []
    return stacks[:count], frames[:used], faults


def read_dictionary(data: Any, string_batches: Any, stack_batches: Any, places: Places) -> tuple[Dictionary, _Faults]:
    """Read a generation's tables, entering texts and stacks into `places`. Batches are rows (offset, limit).

    Returns also the faults: a list of (fault, offset). A damaged batch keeps what stands before the damage.
    """
    strings, bad_strings = _read_strings(data, string_batches)
    lexicon = _lexicon(data, strings)
    texts = _texts(data, strings, places)
    stacks, frames, bad_stacks = _read_stacks(data, stack_batches, np.ascontiguousarray(lexicon[:, 2]))
    entered = np.stack([stacks[:, 0], *places.enter(stacks[:, 2:], frames, texts)], axis=1)
    dictionary = Dictionary(
        np.ascontiguousarray(lexicon[:, 0]), np.ascontiguousarray(lexicon[:, 1]), texts,
        _dense(stacks, 1, MISSING, np.int8), _dense(entered, 1, -1, np.int32), _dense(entered, 2, -1, np.int32),
    )  # fmt: skip
    return dictionary, bad_strings + bad_stacks
