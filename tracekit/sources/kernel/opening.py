"""What the beginning of a recording decides about all of it: its time 0, and which event makes tasks runnable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit
from tracekit.sources.copying import concatenated, copied
from tracekit.sources.kernel import world as k
from tracekit.sources.kernel.events import SCHEDULING_KINDS, Batch, Records, Rows

# Of the first events from the first wakeup of either kind on: if the chosen kind is not among these, the recorder
# was not asked for it. Recorders that are asked for both write them in pairs (try_to_wake_up, kernel/sched/core.c).
DECIDING_EVENTS = 1 << 16


@cached_njit
def first_scheduling(events: Records) -> int:
    """The first event that tells of a CPU's scheduling; as many as there are when none does."""
    for row in range(len(events)):
        if events[row]["kind"] < SCHEDULING_KINDS and events[row]["cpu"] >= 0:
            return row
    return len(events)


@cached_njit
def first_wake(events: Records) -> int:
    """The first waking or wakeup; as many as there are events when none is one."""
    for row in range(len(events)):
        if events[row]["kind"] == k.WAKING or events[row]["kind"] == k.WAKEUP:
            return row
    return len(events)


class Opening:
    """Decides as soon as enough has been seen, and so the same however the events come in batches."""

    def __init__(self, chosen: str) -> None:
        self.origin_ns: int | None = None  # of the first scheduling event
        self.use_wakeup = False
        self._decided = False
        self._chosen, self._other = (k.WAKEUP, k.WAKING) if chosen == "wakeup" else (k.WAKING, k.WAKEUP)

    def released(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same events in other batches: each is given when what it depends on is decided."""
        held: Batch | None = None
        for batch in batches:
            whole = batch if held is None else _joined(held, batch)
            if not len(whole.events):
                continue
            cut = min(self._before_origin(whole.events), self._before_decision(whole.events, DECIDING_EVENTS))
            if cut:
                yield _part(whole, 0, cut)
            held = _kept(_part(whole, cut, len(whole.events))) if cut < len(whole.events) else None
        if held is not None:
            self._before_decision(held.events, 0)
            yield held

    def _before_origin(self, events: Records) -> int:
        """How many events are known to be before time 0, or in order after it: all once it is known."""
        if self.origin_ns is None:
            first = first_scheduling(events)
            if first == len(events):  # what has the last time may turn out to be at time 0
                return int(np.searchsorted(events["time_ns"], events["time_ns"][-1]))
            self.origin_ns = int(events["time_ns"][first])
        return len(events)

    def _before_decision(self, events: Records, needed: int) -> int:
        """How many events come before the first wakeup that is not decided about."""
        if self._decided:
            return len(events)
        first = int(first_wake(events))
        deciding = events["kind"][first : first + DECIDING_EVENTS]
        if first == len(events) or (len(deciding) < needed and not (deciding == self._chosen).any()):
            return first
        self._decided = True
        used = self._chosen if (deciding == self._chosen).any() else self._other
        self.use_wakeup = used == k.WAKEUP
        return len(events)


def _part(batch: Batch, start: int, end: int) -> Batch:
    if (start, end) == (0, len(batch.events)):
        return batch
    return Batch(batch.events[start:end], lambda rows, roles: batch.names(rows + start, roles))


def _kept(batch: Batch) -> Batch:
    """A batch that can be used when the next has been asked for: its names are read now."""
    rows = np.arange(len(batch.events))
    by_role = [batch.names(rows, np.full(len(rows), role, np.int8)) for role in (k.FIRST, k.SECOND)]

    def names(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        return [by_role[role][row] for row, role in zip(rows.tolist(), roles.tolist(), strict=True)]

    return Batch(copied(batch.events), names)


def _joined(held: Batch, batch: Batch) -> Batch:
    border = len(held.events)

    def names(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        found = np.empty(len(rows), object)
        for part, start, chosen in ((held, 0, rows < border), (batch, border, rows >= border)):
            found[chosen] = part.names(rows[chosen] - start, roles[chosen])
        return list(found)

    return Batch(concatenated([held.events, batch.events]), names)
