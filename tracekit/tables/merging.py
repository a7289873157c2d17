"""Sorted runs to one sorted table, with a block of each run in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tracekit.tables.order import canonical, first_key


def merged(name: str, runs: list[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """The rows of all runs of table `name` in order; rows that are equal in it as the runs stand.

    Each run gives its blocks in order. Of every run the next block is at hand; what comes before all that is not
    yet read is settled.
    """
    open_runs = [_Run(name, blocks) for blocks in runs]
    while True:
        unread = [run for run in open_runs if not run.ended]
        if not unread:
            yield canonical(name, pa.concat_tables([run.rest for run in open_runs]).combine_chunks())
            return
        bound = min(run.last for run in unread)
        settled = [run.take_before(bound) for run in open_runs]
        for run in unread:
            if run.last == bound:
                run.read_on()
        together = pa.concat_tables(settled)
        if together.num_rows:
            yield canonical(name, together.combine_chunks())


class _Run:
    """What is at hand of one run: rows read and not yet settled."""

    def __init__(self, name: str, blocks: Iterator[pa.Table]) -> None:
        from tracekit.tables.build import empty

        first = next(blocks, None)
        self.ended = first is None
        self.rest = empty(name) if first is None else first
        self._name, self._blocks = name, blocks
        self._keys = first_key(name, self.rest)

    @property
    def last(self) -> int:
        """The first key of the last row at hand: what is not yet read has no smaller one."""
        return int(self._keys[-1])

    def read_on(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self.ended = True
            return
        self.rest = pa.concat_tables([self.rest, block])
        self._keys = np.concatenate([self._keys, first_key(self._name, block)])

    def take_before(self, bound: int) -> pa.Table:
        count = int(np.searchsorted(self._keys, bound, side="left"))
        taken, self.rest, self._keys = self.rest.slice(0, count), self.rest.slice(count), self._keys[count:]
        return taken
