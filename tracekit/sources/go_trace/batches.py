"""The file's outer structure: batches, and the generations that they make up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tracekit.sources.go_trace.codes import (
    CPU_SAMPLES,
    END_OF_GENERATION,
    EVENT_BATCH,
    EXPERIMENTAL_BATCH,
    FREQUENCY,
    STACKS,
    STRINGS,
    SYNC,
)
from tracekit.sources.go_trace.compiled import kernel
from tracekit.sources.go_trace.faults import BAD_BATCH, BAD_NUMBER, DONE
from tracekit.sources.go_trace.spec import FIRST_MARKED_VERSION, FIRST_SYNC_VERSION, MAX_BATCH_BYTES
from tracekit.sources.go_trace.varint import varint

# Columns of the batch index. `kind` is the code of the batch's first event for batches that hold a table, else
# EVENT_BATCH, EXPERIMENTAL_BATCH or END_OF_GENERATION.
KIND, GENERATION, THREAD, TIME, OFFSET, LIMIT, START = range(7)
CUT = -100  # fault: the file ends within a batch


@kernel
def index_batches(data: Any, offset: int, sync_kind: int, out: Any) -> tuple[int, int, int]:
    """Fill `out` with the batches from `offset` on. Returns (count, offset reached, DONE or what stopped it)."""
    end = len(data)
    for count in range(len(out)):
        if offset >= end:
            return count, offset, DONE
        start, code = offset, int(data[offset])
        row = out[count]
        row[KIND], row[START] = code, start
        if code == END_OF_GENERATION:
            row[GENERATION], row[THREAD], row[TIME], row[OFFSET], row[LIMIT] = 0, -1, 0, offset, offset + 1
            offset += 1
            continue
        if code not in (EVENT_BATCH, EXPERIMENTAL_BATCH):
            return count, start, BAD_BATCH
        offset += 2 if code == EXPERIMENTAL_BATCH else 1
        for column in (GENERATION, THREAD, TIME):
            row[column], offset = varint(data, offset, end)
        size, offset = varint(data, offset, end)
        if offset < 0:
            return count, start, CUT if end - start < 48 else BAD_NUMBER
        if not 0 <= size <= MAX_BATCH_BYTES or row[GENERATION] <= 0 or row[TIME] < 0:
            return count, start, BAD_BATCH
        if size > end - offset:
            return count, start, CUT
        row[OFFSET], row[LIMIT] = offset, offset + size
        if code == EVENT_BATCH and size > 0:
            first = data[offset]
            if first in (STRINGS, STACKS, CPU_SAMPLES, sync_kind):
                row[KIND] = first
        offset += size
    return len(out), offset, DONE


@kernel
def next_plausible(data: Any, offset: int, generation: int) -> int:
    """The next offset where a batch of `generation` or the next one may begin, or the file's end.

    Plausible is a batch whose size leads to the start of another batch or to the end of the file.
    """
    end = len(data)
    while offset < end:
        if data[offset] == EVENT_BATCH:
            number, after = varint(data, offset + 1, end)
            _thread, after = varint(data, after, end)
            _time, after = varint(data, after, end)
            size, after = varint(data, after, end)
            if after >= 0 and number in (generation, generation + 1) and 0 < size <= min(MAX_BATCH_BYTES, end - after):
                after += size
                if after == end or data[after] in (EVENT_BATCH, EXPERIMENTAL_BATCH, END_OF_GENERATION):
                    return offset
        offset += 1
    return end


_INDEXED_AT_ONCE = 512  # batches, of at most 64 kB
_MAX_DAMAGE = 1000  # pieces of a file told apart; in one that is damaged in more places, the rest is given up


class Generation(NamedTuple):
    """One generation's batches (rows of the index), and whether all of it is known to be there."""

    number: int
    batches: Any
    whole: bool


class Damage(NamedTuple):
    """Bytes that are no batch, or that the file's end cuts off."""

    offset: int
    size: int
    fault: int  # CUT, or why this is no batch


class Outline(NamedTuple):
    """The file's generations in order, and what is not part of any."""

    generations: list[Generation]
    damage: list[Damage]


def read_outline(data: Any, offset: int, version: int, seen: Callable[[], None] = lambda: None) -> Outline:
    """Index all batches from `offset`, and group them into generations. `seen` is called now and then on the way.

    A generation ends with its end mark (since 1.26) or where the next one's batches begin. Batches of a generation
    that is neither the current nor the next one have a damaged header, and are skipped.
    """
    sync_kind = SYNC if version >= FIRST_SYNC_VERSION else FREQUENCY
    blocks, damage, number = [np.zeros((0, 7), np.int64)], list[Damage](), 0
    out = np.zeros((_INDEXED_AT_ONCE, 7), np.int64)
    while offset < len(data):
        count, reached, fault = index_batches(data, offset, sync_kind, out)
        blocks.append(out[:count].copy())
        numbers = out[:count, GENERATION]
        number = int(numbers[numbers > 0][-1]) if np.any(numbers > 0) else number
        offset = reached
        seen()
        if fault != DONE:
            hopeless = fault == CUT or not number or len(damage) >= _MAX_DAMAGE
            offset = len(data) if hopeless else next_plausible(data, reached + 1, number)
            damage.append(Damage(reached, offset - reached, fault))
    index, strays = _in_sequence(np.concatenate(blocks))
    complete = version < FIRST_MARKED_VERSION and not any(part.fault == CUT for part in damage)
    return Outline(_generations(index, complete), damage + strays)


def _in_sequence(index: Any) -> tuple[Any, list[Damage]]:
    """The batches without those of a generation that can't stand where it does, which are damage.

    A generation follows the one before it, and is followed by the next one or an end mark (number 0), never by the
    one before it.
    """
    numbers = index[:, GENERATION]
    kept, current = np.ones(len(index), np.bool_), 0
    edges = [*np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), len(numbers)]
    for edge, until in pairwise(edges):
        number = int(numbers[edge])
        if number in (0, current):
            continue
        after = int(numbers[until]) if until < len(numbers) else 0
        if current in (0, number - 1) and after in (0, number, number + 1):
            current = number
        else:
            kept[edge:until] = False
    strays = index[~kept]
    sizes = strays[:, LIMIT] - strays[:, START]
    if len(strays) > _MAX_DAMAGE:
        return index[kept], [Damage(int(strays[0, START]), int(sizes.sum()), BAD_BATCH)]
    found = zip(strays[:, START].tolist(), sizes.tolist(), strict=True)
    return index[kept], [Damage(start, size, BAD_BATCH) for start, size in found]


def _generations(index: Any, complete: bool) -> list[Generation]:
    """Split at end marks and where the number changes. `complete`: the last one needs no end mark."""
    marks = index[:, KIND] == END_OF_GENERATION
    numbers = index[:, GENERATION]
    edges = np.flatnonzero(marks[1:] | marks[:-1] | (numbers[1:] != numbers[:-1])) + 1
    parts = [part for part in np.split(index, edges) if len(part)]
    found = []
    for number, part in enumerate(parts):
        if part[0, KIND] != END_OF_GENERATION:
            last = number == len(parts) - 1
            found.append(Generation(int(part[0, GENERATION]), part, complete or not last))
    return found
