"""The file's outer structure: batches, and the generations that they make up."""

from __future__ import annotations

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
from tracekit.sources.go_trace.spec import FIRST_SYNC_VERSION, MAX_BATCH_BYTES
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


class Generation(NamedTuple):
    """One generation's batches (rows of the index), and whether all of it is known to be there."""

    number: int
    batches: Any
    whole: bool


class Outline(NamedTuple):
    """The file's generations in order, where reading had to stop, and why (DONE: at the end)."""

    generations: list[Generation]
    reached: int
    fault: int
    strays: int  # batches of generations that can't follow: skipped


def read_outline(data: Any, offset: int, version: int) -> Outline:
    """Index all batches from `offset`, and group them into generations.

    A generation ends with its end mark (since 1.26) or where the next one's batches begin. Batches of a generation
    that is neither the current nor the next one are damaged, and are skipped.
    """
    sync_kind = SYNC if version >= FIRST_SYNC_VERSION else FREQUENCY
    blocks, fault = [], DONE
    while fault == DONE and offset < len(data):
        out = np.zeros((4096, 7), np.int64)
        count, offset, fault = index_batches(data, offset, sync_kind, out)
        blocks.append(out[:count])
    index = np.concatenate(blocks) if blocks else np.zeros((0, 7), np.int64)
    generations, strays = _group(index)
    return Outline(generations, int(offset), int(fault), strays)


def _group(index: Any) -> tuple[list[Generation], int]:
    marks = index[:, KIND] == END_OF_GENERATION
    numbers = index[:, GENERATION]
    # Only where the number changes, or at a mark, is there something to decide.
    edges = np.flatnonzero(marks[1:] | marks[:-1] | (numbers[1:] != numbers[:-1])) + 1
    generations: list[Generation] = []
    parts: list[Any] = []
    current, strays = 0, 0
    for part in np.split(index, edges):
        if not len(part):
            continue
        if part[0, KIND] == END_OF_GENERATION:
            if parts:
                generations.append(Generation(current, np.concatenate(parts), True))
            parts = []
            continue
        number = int(part[0, GENERATION])
        if current and number not in (current, current + 1):
            strays += len(part)
            continue
        if number != current and parts:
            generations.append(Generation(current, np.concatenate(parts), True))
            parts = []
        current = number
        parts.append(part)
    if parts:
        generations.append(Generation(current, np.concatenate(parts), False))
    return generations, strays
