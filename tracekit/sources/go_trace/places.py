"""All texts of a trace, each once, and its stacks as a tree: a place is a frame and the place that called it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tracekit.tables.build import NULL, table

_MAX_LINE = 2**31 - 1  # beyond it, a line number is damaged


class Places:
    """Texts by index, and places by row of the table `stacks`. Stacks that generations share are entered once."""

    def __init__(self) -> None:
        self._texts: dict[bytes, int] = {}
        self._places: dict[tuple[int, int, int, int], int] = {}  # (caller, function, file, line)

    def text(self, text: bytes) -> int:
        """The index of a text, entered if new."""
        return self._texts.setdefault(text, len(self._texts))

    def texts(self) -> pa.Array:
        """All texts in the order of their indexes."""
        return pa.array([text.decode("utf-8", "replace") for text in self._texts], pa.string())

    def enter(self, stacks: Any, frames: Any, texts: Any) -> tuple[Any, Any]:
        """Rows (first frame, count) of stacks to their places, and the text of each outermost function.

        `frames` are rows (function, file, line), innermost first, with string ids; `texts` are the texts of those.
        """
        named = np.concatenate([_looked_up(texts, frames[:, :2]), np.where(_sane(frames), frames[:, 2:], NULL)], axis=1)
        rows = [tuple(frame) for frame in named.tolist()]
        places, roots = np.full(len(stacks), NULL), np.full(len(stacks), NULL)
        for number, (first, count) in enumerate(stacks.tolist()):
            if count:
                places[number] = self._enter(rows[first : first + count])
                roots[number] = rows[first + count - 1][0]
        return places, roots

    def _enter(self, frames: list[tuple[int, ...]]) -> int:
        place = NULL
        for function, file, line in reversed(frames):
            place = self._places.setdefault((place, function, file, line), len(self._places))
        return place

    def stacks(self, texts: pa.Array) -> pa.Table:
        """The table `stacks`; `texts` as `texts()` gives them."""
        rows = np.array(list(self._places), np.int64).reshape(-1, 4)
        return table("stacks", {
            "stack_id": np.arange(len(rows), dtype=np.int32),
            "caller_id": rows[:, 0],
            "function": taken(texts, rows[:, 1]),
            "file": taken(texts, rows[:, 2]),
            "line": rows[:, 3],
        })  # fmt: skip


def _looked_up(texts: Any, ids: Any) -> Any:
    """The text index of each string id; NULL for ids that the table does not have."""
    known = (ids > 0) & (ids < len(texts))
    return np.where(known, texts[np.where(known, ids, 0)], NULL)


def _sane(frames: Any) -> Any:
    return (frames[:, 2:] >= 0) & (frames[:, 2:] <= _MAX_LINE)


def taken(texts: pa.Array, indexes: Any) -> pa.Array:
    """The text of each index; null for NULL."""
    return texts.take(pa.array(indexes, pa.int32(), mask=np.asarray(indexes) == NULL))
