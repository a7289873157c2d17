"""Objects in short: runs of equal neighbours, so that a run's meta can carry what its tables do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracekit.program.arrays import NULL, codes, ints
from tracekit.tables.build import table
from tracekit.vocabulary import OBJECT_KINDS

Group = dict[str, Any]


def object_groups(objects: pa.Table) -> list[Group]:
    """Objects in id order as groups of kind, capacity, name and count; `ball[0]`, `ball[1]` are one group."""
    if not objects.num_rows:
        return []
    frame = objects.select(["kind", "capacity", "name"])
    base = pc.replace_substring_regex(frame["name"], r"\[\d+\]$", "[]")
    names = np.asarray(pc.fill_null(base, "").combine_chunks().dictionary_encode().indices)
    kinds, capacities = codes(objects, "kind", OBJECT_KINDS), ints(objects, "capacity")
    same = (kinds[1:] == kinds[:-1]) & (capacities[1:] == capacities[:-1]) & (names[1:] == names[:-1])
    starts = np.flatnonzero(np.concatenate(([True], ~same)))
    counts = np.diff(np.append(starts, objects.num_rows))
    texts = base.take(pa.array(starts)).to_pylist()
    return [
        {
            "kind": OBJECT_KINDS.names[kinds[start]],
            "capacity": None if capacities[start] == NULL else int(capacities[start]),
            "name": text,
            "count": int(count),
        }
        for start, count, text in zip(starts, counts, texts, strict=True)
    ]


def objects_of(groups: list[Group]) -> pa.Table:
    """The objects table that `groups` came from."""
    counts = [group["count"] for group in groups]
    capacities = [NULL if group["capacity"] is None else group["capacity"] for group in groups]
    return table("objects", {
        "object_id": np.arange(sum(counts), dtype=np.int32),
        "kind": np.repeat(np.array([OBJECT_KINDS[group["kind"]] for group in groups], np.int8), counts),
        "capacity": np.repeat(np.array(capacities, np.int64), counts),
        "name": pa.concat_arrays([pa.array([], pa.string()), *(numbered(g["name"], g["count"]) for g in groups)]),
    })  # fmt: skip


def numbered(name: str | None, count: int) -> pa.Array:
    """`ball[0]`, `ball[1]` ... for the name `ball[]`; a name without brackets, or null, as it is."""
    if name is None or not name.endswith("[]"):
        return pa.repeat(pa.scalar(name, pa.string()), count)
    numbers = pa.array(np.arange(count)).cast(pa.string())
    return pc.binary_join_element_wise(name[:-1], numbers, "]", "")
