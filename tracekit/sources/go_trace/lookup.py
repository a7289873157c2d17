"""A hash table from ids of the file (any 64 bits) to indexes of arrays: two columns, key and index."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.sources.go_trace.compiled import constant, kernel, nth, part

NONE = constant(-1)


def new_slots(at_least: int) -> Any:
    """An empty table: int64, shape (a power of two, 2). Keep it no more than half full."""
    return np.full((1 << (at_least - 1).bit_length(), 2), NONE, np.int64)


@kernel
def fill_slots(slots: Any, ids: Any) -> None:
    """Enter ids[i] → i into an empty table; of equal ids the last one counts."""
    for index in range(len(ids)):
        put(slots, ids[nth(index)], index)


def refilled(slots: Any) -> Any:
    """The same table in four times the room."""
    larger = new_slots(4 * len(slots))
    copy_slots(np.ascontiguousarray(slots[slots[:, 1] != NONE]), larger)
    return larger


@kernel
def copy_slots(entries: Any, slots: Any) -> None:
    """Enter rows (key, index) into a table."""
    for row in range(len(entries)):
        put(slots, entries[nth(row), 0], entries[nth(row), 1])


@part
def slot_of(slots: Any, key: int) -> int:
    """Where `key` is in the table, or where it would go: linear probing.

    The runtime hands goroutine ids to each P 16 at a time, so 16 neighbours stay together and groups are spread.
    """
    mask = len(slots) - 1
    group = (((key >> 4) & 0x7FFFFFFF) * 0x1E3779B1) >> 20
    slot = ((group << 4) | (key & 15)) & mask
    while slots[nth(slot), 1] != NONE and slots[nth(slot), 0] != key:
        slot = (slot + 1) & mask
    return slot


@part
def put(slots: Any, key: int, index: int) -> None:
    """Set key → index."""
    slot = slot_of(slots, key)
    slots[nth(slot), 0] = key
    slots[nth(slot), 1] = index


@part
def find(slots: Any, key: int) -> Any:
    """The index of `key`, or NONE."""
    return slots[nth(slot_of(slots, key)), 1]
