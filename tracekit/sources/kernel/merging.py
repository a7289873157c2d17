"""Several recordings of one run in the same clock, such as one file for each CPU, as one in time order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tracekit.errors import SourceError
from tracekit.sources.copying import concatenated, taken
from tracekit.sources.kernel.events import Batch, KernelStream, Rows


def merged(streams: Sequence[KernelStream]) -> KernelStream:
    """Their events in time order; of equal times in the order of the streams. Holds one batch of each stream."""
    whole = KernelStream((), wakeup=streams[0].wakeup)

    def batches() -> Iterator[Batch]:
        yield from _in_time_order([_Source(iter(stream.batches)) for stream in streams])
        for stream in streams:
            count = sum(len(gaps) for gaps in stream.gaps)
            whole.gaps += stream.gaps
            whole.streams += (stream.streams + [None] * count)[:count]
            whole.policies += stream.policies

    whole.batches = batches()
    return whole


def of_one_run(metas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One meta for all files. Raises SourceError when they tell of different clocks, hosts or kernels."""
    first = metas[0]
    for meta in metas[1:]:
        for what, ours, others in (
            ("clock", first["clock"]["name"], meta["clock"]["name"]),
            ("host", first["host"], meta["host"]),
            ("kernel", first["kernel"], meta["kernel"]),
        ):
            if ours != others and None not in (ours, others):
                raise SourceError(
                    f"its {what} is {others}, that of {first['source']['path']} is {ours}",
                    where=meta["source"]["path"],
                    remedy="only files of one run and one clock go together; ingest each by itself",
                )
    files = [meta["source"] for meta in metas]
    digest = hashlib.sha256(" ".join(file["sha256"] for file in files).encode()).hexdigest()
    size = sum(file["size_bytes"] for file in files)
    known = {what: next((m[what] for m in metas if m[what] is not None), None) for what in ("host", "kernel")}
    return {
        **first,
        **known,
        "source": {**files[0], "sha256": digest, "size_bytes": size, "files": files},
        "cpus": max(meta["cpus"] for meta in metas),
    }


class _Source:
    """One stream's batch at hand, and how far it is taken. The next is asked for when all of it is."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.at = 0
        self.batch: Batch | None = None
        self.read_on()

    def read_on(self) -> None:
        while self.batch is None or self.at == len(self.batch.events):
            self.batch, self.at = next(self._batches, None), 0
            if self.batch is None:
                return

    def last_ns(self) -> int:
        assert self.batch is not None
        return int(self.batch.events["time_ns"][-1])


def _in_time_order(sources: list[_Source]) -> Iterator[Batch]:
    while open_sources := [source for source in sources if source.batch is not None]:
        bound = min(source.last_ns() for source in open_sources)
        parts = []
        for source in open_sources:
            assert source.batch is not None
            end = int(np.searchsorted(source.batch.events["time_ns"], bound, side="right"))
            parts.append((source.batch, slice(source.at, max(end, source.at))))
            source.at = max(end, source.at)
        yield _together(parts)
        for source in open_sources:
            source.read_on()


def _together(parts: list[tuple[Batch, slice]]) -> Batch:
    events = concatenated([batch.events[rows] for batch, rows in parts])
    order = np.argsort(events["time_ns"], kind="stable")
    owners = np.repeat(np.arange(len(parts)), [rows.stop - rows.start for _, rows in parts])[order]
    within = np.concatenate([np.arange(rows.start, rows.stop) for _, rows in parts])[order]

    def names(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        found = np.empty(len(rows), object)
        for owner, (batch, _) in enumerate(parts):
            chosen = owners[rows] == owner
            found[chosen] = batch.names(within[rows[chosen]], roles[chosen])
        return list(found)

    return Batch(taken(events, order), names)
