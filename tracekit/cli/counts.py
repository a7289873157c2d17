"""What a trace holds, counted over its tables piece by piece, so that they may be larger than memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracekit.vocabulary import STATES

if TYPE_CHECKING:
    import pyarrow as pa

_PIECE_ROWS = 1 << 18  # looked at together: some MB
_TIMED = ("RUNNING", "RUNNABLE", "BLOCKED")

# (table, columns) → pieces of the table
Pieces = Callable[[str, Sequence[str]], Iterator["pa.RecordBatch"]]


def of_bundle(tables: dict[str, pa.Table]) -> Pieces:
    """The pieces of tables in memory."""

    def pieces(name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from tables[name].select(list(columns)).to_batches(max_chunksize=_PIECE_ROWS)

    return pieces


def of_folder(folder: Path) -> Pieces:
    """The pieces of a bundle's tables on disk, each read when it is asked for."""

    def pieces(name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(folder / f"{name}.parquet", pre_buffer=False) as file:
            yield from file.iter_batches(_PIECE_ROWS, columns=list(columns))

    return pieces


def count_words(pieces: Iterator[pa.RecordBatch]) -> dict[str, int]:
    """How often each word stands in the pieces' only column, the most frequent first; null is `unknown`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    counts: Counter[str] = Counter()
    for piece in pieces:
        for found in pc.value_counts(piece.column(0).cast(pa.string())).to_pylist():
            counts[found["values"] or "unknown"] += found["counts"]
    return dict(sorted(counts.items(), key=lambda counted: (-counted[1], counted[0])))


def busiest(pieces: Pieces, count: int) -> list[dict[str, Any]]:
    """The `count` tasks that ran longest: name, ids, and their time per state in ns."""
    import pyarrow as pa

    times = np.zeros((len(_TIMED), 0), np.int64)
    seen = np.zeros(0, np.bool_)
    for piece in pieces("intervals", ("task_id", "state", "start_ns", "end_ns")):
        task, start, end = (np.asarray(piece.column(at)) for at in (0, 2, 3))
        missing = int(task.max(initial=-1)) + 1 - len(seen)
        if missing > 0:
            times, seen = np.pad(times, ((0, 0), (0, missing + len(seen)))), np.pad(seen, (0, missing + len(seen)))
        seen[task] = True
        words = piece.column(1).dictionary.to_pylist()
        codes = np.array([*(STATES.get(word, -1) for word in words), -1])[_indices(piece.column(1))]
        for row, state in enumerate(_TIMED):
            chosen = codes == STATES[state]
            np.add.at(times[row], task[chosen], (end - start)[chosen])
    ran = np.flatnonzero(seen)
    first = ran[np.argsort(-times[0, ran], kind="stable")][:count]
    names = _tasks(pieces, pa.array(first, pa.int32()))
    return [
        {**names[task], **{f"{state.lower()}_ns": int(times[row, task]) for row, state in enumerate(_TIMED)}}
        for task in first.tolist()
        if task in names
    ]


def _indices(words: pa.DictionaryArray) -> Any:
    """Each row's place in the dictionary; -1 for null."""
    import pyarrow.compute as pc

    return pc.fill_null(words.indices, -1).to_numpy(zero_copy_only=False)


def _tasks(pieces: Pieces, wanted: pa.Array) -> dict[int, dict[str, Any]]:
    """What the table of tasks says of the wanted ones, by task id."""
    import pyarrow.compute as pc

    found: list[dict[str, Any]] = []
    for piece in pieces("tasks", ("task_id", "name", "kind", "source_id")):
        found += piece.filter(pc.is_in(piece.column(0), value_set=wanted)).to_pylist()
    return {task["task_id"]: task for task in found}
