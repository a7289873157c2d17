"""Histories of steps as tests write them: (kind, task, object), or (kind, task, task) for spawn and join."""

from __future__ import annotations

import numpy as np

from tracekit.analysis.races.detector import CODES, Operations

TASKS = 4
# by name: its id, and a channel's capacity
THINGS = {"m": 0, "rw": 1, "c0": 2, "c1": 3, "c2": 4, "e": 5, "g": 6, "x": 7, "y": 8}
CAPACITIES = {"c0": 0, "c1": 1, "c2": 2}
Row = tuple[str, int, str | int]


def history(rows: list[Row]) -> Operations:
    """The detector's own form of it."""
    ids = [THINGS[thing] if isinstance(thing, str) else thing for _, _, thing in rows]
    capacity = [CAPACITIES.get(name, 0) for name in THINGS]
    kinds = [CODES[kind] for kind, _, _ in rows]
    columns = (np.array(kinds, np.int8), np.array([task for _, task, _ in rows], np.int32), np.array(ids, np.int32))
    return Operations(*columns, np.array(capacity, np.int64))
