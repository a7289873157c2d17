"""Names for goroutines: the function each was started with, found in the stacks of its generation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracekit.sources.go_trace.dictionary import Names
from tracekit.sources.go_trace.state import State

_RESOLVED = -1
_UNNAMED = -1


class NameTable:
    """Function names, each once, and which of them each goroutine has."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.of_goroutine: Any = np.zeros(0, np.int32)  # index into texts, or _UNNAMED
        self._codes: dict[bytes, int] = {}
        self._marks_done = 0

    def code(self, text: bytes) -> int:
        """The index of a text, entered if new."""
        if text not in self._codes:
            self._codes[text] = len(self.texts)
            self.texts.append(text.decode("utf-8", "replace"))
        return self._codes[text]

    def resolve(self, state: State, data: Any, names: Names) -> None:
        """Name the goroutines first seen in a generation, and its stopped-world ranges, while its tables are at hand."""
        totals = state.totals[0]
        fresh = np.full(totals.goroutines - len(self.of_goroutine), _UNNAMED, np.int32)
        self.of_goroutine = np.concatenate([self.of_goroutine, fresh])
        stacks = state.goroutines.naming_stack[: totals.goroutines]
        pending = np.flatnonzero(stacks > 0)
        known = pending[stacks[pending] < len(names.roots)]
        functions, inverse = np.unique(names.roots[stacks[known]], return_inverse=True)
        codes = np.array([self._string(data, names, int(function)) for function in functions], np.int32)
        if len(known):
            self.of_goroutine[known] = codes[inverse]
        stacks[pending] = np.where(self.of_goroutine[pending] == _UNNAMED, 0, _RESOLVED)
        self._resolve_marks(state, data, names)

    def _resolve_marks(self, state: State, data: Any, names: Names) -> None:
        done = state.totals[0].marks
        texts = state.marks.text[self._marks_done : done]
        pending = np.flatnonzero(texts)
        found = [self._string(data, names, int(texts[row])) for row in pending]
        texts[:] = _UNNAMED
        texts[pending] = found
        self._marks_done = done

    def _string(self, data: Any, names: Names, number: int) -> int:
        if not 0 < number < len(names.sizes) or names.sizes[number] < 0:
            return _UNNAMED
        start = names.offsets[number]
        return self.code(data[start : start + names.sizes[number]].tobytes())

    def column(self, goids: Any) -> pa.Array:
        """Each goroutine's name; `goroutine N` for one whose function no stack tells."""
        codes = pa.array(self.of_goroutine, mask=self.of_goroutine == _UNNAMED)
        named = pa.array(self.texts, pa.string()).take(codes)
        if not named.null_count:
            return named
        numbered = pc.binary_join_element_wise("goroutine", pa.array(goids).cast(pa.string()), " ")
        return pc.coalesce(named, numbered)
