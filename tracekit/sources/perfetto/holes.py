"""What is missing from a recording, as gaps: what the recorder says it lost, and what the file no longer holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import GAP, Records, Rows
from tracekit.sources.perfetto import survey as s
from tracekit.sources.perfetto.facts import Facts
from tracekit.sources.perfetto.order import Flags, by_stream
from tracekit.sources.perfetto.packets import Damage
from tracekit.vocabulary import GAP_CAUSES

Gaps = tuple[Records, list[str | None]]  # GAP records, and for each the part of the file concerned

_MOST_LOST = 1 << 48  # more is no count, and sums of it must fit 64 bits


def mark_holes(bundles: Records, damages: list[Damage]) -> Rows:
    """Mark bundles before which something of their CPU is missing; returns when the one before ended, -1: none.

    `bundles` are in file order, and what `damages` count are rows of them.
    """
    order = by_stream(bundles)
    rows = bundles[order]
    follows = np.zeros(len(order), np.bool_)
    follows[1:] = rows["stream"][1:] == rows["stream"][:-1]
    before = np.roll(order, 1)
    told = rows["previous_end_ns"] >= 0
    missing = told & (rows["previous_end_ns"] > bundles["last_ns"][before])
    missing |= ~told & _packets_missing(bundles, damages, order, before)
    missing |= (rows["flags"] & s.LOST != 0) | (bundles["flags"][before] & s.BROKEN != 0)
    bundles["flags"][order[follows & missing]] |= s.HOLE
    ended = np.full(len(bundles), -1, np.int64)
    ended[order[follows]] = bundles["last_ns"][before[follows]]
    return ended


def _packets_missing(bundles: Records, damages: list[Damage], order: Rows, before: Rows) -> Flags:
    """Where the recorder dropped packets of the sequence, or the file is damaged, between a bundle and the one before."""
    dropped = bundles["flags"] & s.DROPPED != 0
    _, first = np.unique(bundles["sequence"], return_index=True)
    dropped[first] = False  # a sequence's first packet always says so
    breaks = np.bincount([min(each.bundles, len(bundles)) for each in damages], minlength=len(bundles) + 1)
    damaged = np.cumsum(breaks)[: len(bundles)]
    counted = np.zeros(len(bundles), np.int64)
    by_sequence = np.argsort(bundles["sequence"], kind="stable")
    counted[by_sequence] = np.cumsum(dropped[by_sequence])
    found: Flags = (counted[order] > counted[before]) | (damaged[order] > damaged[before])
    return found


def gaps(bundles: Records, ended: Rows, facts: Facts, damages: list[Damage]) -> Gaps:
    """All gaps that are known before anything is decoded; `ended` as from mark_holes."""
    begin_ns, end_ns = int(bundles["first_ns"].min()), int(bundles["last_ns"].max())
    found = [
        _lost(bundles, ended),
        _not_valid_yet(bundles, ended, begin_ns),
        _faults(bundles),
        _broken(bundles),
    ]
    told = np.concatenate(found)
    counted = _overruns(told, facts, np.unique(bundles["sequence"]), begin_ns, end_ns)
    damaged, streams = _damaged(bundles, damages)
    return np.concatenate([told, counted, damaged]), [None] * (len(told) + len(counted)) + streams


def _rows(
    cpu: npt.NDArray[np.int32] | int, start_ns: Rows | int, end_ns: Rows | int, cause: str, count: int
) -> Records:
    found = np.zeros(count, GAP)
    found["cpu"], found["start_ns"] = cpu, start_ns
    found["end_ns"] = np.maximum(end_ns, found["start_ns"])
    found["lost_events"], found["cause"] = -1, GAP_CAUSES[cause]
    return found


def _lost(bundles: Records, ended: Rows) -> Records:
    chosen = (bundles["flags"] & s.HOLE != 0) & (ended >= 0)
    rows = bundles[chosen]
    return _rows(rows["cpu"], ended[chosen], rows["first_ns"], "lost_records", len(rows))


def _not_valid_yet(bundles: Records, ended: Rows, begin_ns: int) -> Records:
    """CPUs whose oldest data was overwritten: each is whole only from a time of its own on."""
    first = bundles[ended < 0]
    valid_ns = np.where(first["flags"] & s.LOST != 0, first["first_ns"], first["previous_end_ns"])
    late = first[valid_ns > begin_ns]
    return _rows(
        late["cpu"], begin_ns, np.minimum(valid_ns[valid_ns > begin_ns], late["first_ns"]), "lost_records", len(late)
    )


def _faults(bundles: Records) -> Records:
    """Pages that the recorder could not decode."""
    rows = bundles[bundles["flags"] & s.FAULTY != 0]
    at_ns = np.where(rows["error_ns"] > 0, rows["error_ns"], rows["last_ns"])
    return _rows(rows["cpu"], at_ns, at_ns, "corrupt", len(rows))


def _broken(bundles: Records) -> Records:
    rows = bundles[bundles["flags"] & s.BROKEN != 0]
    return _rows(rows["cpu"], rows["last_ns"], rows["last_ns"], "corrupt", len(rows))


def _overruns(found: Records, facts: Facts, sequences: Rows, begin_ns: int, end_ns: int) -> Records:
    """The kernel's count of events lost by CPU: on its one gap, or as a gap of its own where none tells when."""
    added = [np.zeros(0, GAP)]
    for cpu, lost in kernel_losses(facts, sequences).items():
        places = np.flatnonzero((found["cpu"] == cpu) & (found["cause"] == GAP_CAUSES["lost_records"]))
        if len(places) == 0:
            added.append(_rows(cpu, begin_ns, end_ns, "lost_records", 1))
            added[-1]["lost_events"] = lost
        elif len(places) == 1:
            found["lost_events"][places] = lost
    return np.concatenate(added)


def kernel_losses(facts: Facts, sequences: Rows) -> dict[int, int]:
    """Events lost by CPU, from the beginning of the recording to its end."""
    found: dict[int, int] = {}
    for sequence in sequences.tolist():
        start, end = facts.losses.get(sequence, ({}, {}))
        for cpu, total in end.items():
            lost = min(total - start.get(cpu, 0), _MOST_LOST)
            if lost > 0 and 0 <= cpu < 1 << 20:
                found[cpu] = max(found.get(cpu, 0), lost)
    return found


def _damaged(bundles: Records, damages: list[Damage]) -> Gaps:
    """Bytes that make no packet: between the bundles around them."""
    found = [np.zeros(0, GAP)]
    for each in damages:
        before, after = bundles["last_ns"][: each.bundles], bundles["first_ns"][each.bundles :]
        start = int(before[-1]) if len(before) else int(bundles["first_ns"].min())
        end = int(after[0]) if len(after) else int(bundles["last_ns"].max())
        if each.cause == "truncated" and len(before):  # each CPU falls silent at a time of its own
            _, newest = np.unique(bundles["stream"][::-1], return_index=True)
            start = int(bundles["last_ns"][::-1][newest].min())
        found.append(_rows(-1, min(start, end), end, each.cause, 1))
    return np.concatenate(found), [f"bytes {each.start} to {each.end}" for each in damages]


def found_while_decoding(bundles: Records) -> Gaps:
    """Events left out for their time, and arrays of a bundle that did not fit each other."""
    astray = bundles[bundles["astray"] > 0]
    rows = _rows(
        astray["cpu"], astray["first_ns"], np.minimum(astray["last_ns"], astray["limit_ns"]), "corrupt", len(astray)
    )
    rows["lost_events"] = astray["astray"]
    uneven = bundles[bundles["flags"] & s.UNEVEN != 0]
    more = _rows(
        uneven["cpu"], uneven["first_ns"], np.minimum(uneven["last_ns"], uneven["limit_ns"]), "corrupt", len(uneven)
    )
    return np.concatenate([rows, more]), [None] * (len(rows) + len(more))
