"""What is missing from a file, as gaps: records that were lost, bytes that make no sense, times that can't be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tracekit.sources.kernel.events import CPU_MAX, GAP, Records, Rows
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.numbers import Bytes
from tracekit.sources.perf_data.records import Damage, Recorded
from tracekit.vocabulary import GAP_CAUSES

# A CPU's records are in order of time, but for an interrupt that comes between a record's taking the time and
# its taking its place. None lasts this long, so a record further out of order has a damaged time.
ASTRAY_NS = 1_000_000_000
_LOST_MOST = 1 << 48  # more is no count, and sums of it must fit 64 bits
_LEAST_SIZE = {walk.LOST: 24, walk.LOST_SAMPLES: 16}

Gaps = tuple[Records, list[str | None]]  # GAP records, and for each the part of the file concerned


def gaps(data: Bytes, recorded: Recorded, astray: Rows, big: bool) -> Gaps:
    """All of a file's gaps, times of the recording's clock."""
    records = recorded.records
    found = [_lost(data, records, big), _astray(records, astray), _damaged(records, recorded.damage)]
    return np.concatenate([rows for rows, _ in found]), [stream for _, streams in found for stream in streams]


def records_astray(records: Records) -> Rows:
    """Rows of samples whose time contradicts those before and after them on the same CPU."""
    return walk.out_of_order(records, CPU_MAX, ASTRAY_NS)


def _lost(data: Bytes, records: Records, big: bool) -> Gaps:
    """LOST records; perf's own LOST_SAMPLES at the end are sums over the same losses, so only an excess counts."""
    rows = [row for kind in _LEAST_SIZE for row in _whole(records, kind)]
    timed = np.array([row for row in rows if records["time_ns"][row] > 0], np.int64)
    sums = [row for row in rows if records["time_ns"][row] <= 0]
    lost = np.zeros(len(timed), GAP)
    lost["cpu"], lost["end_ns"] = records["cpu"][timed], records["time_ns"][timed]
    lost["start_ns"] = np.minimum(_last_times_before(records, timed), lost["end_ns"])
    lost["lost_events"] = [_count(data, records[row], big) for row in timed]
    lost["cause"] = GAP_CAUSES["lost_records"]
    excess = sum(_count(data, records[row], big) for row in sums) - int(lost["lost_events"].sum())
    if sums and excess > 0:
        first, last = _span(records)
        lost = np.append(lost, _gap(first, last, "lost_records", excess))
    return lost, [None] * len(lost)


def _whole(records: Records, kind: int) -> Iterator[int]:
    yield from np.flatnonzero((records["type"] == kind) & (records["size"] >= _LEAST_SIZE[kind])).tolist()


def _count(data: Bytes, record: np.void, big: bool) -> int:
    at = int(record["at"]) + (16 if record["type"] == walk.LOST else 8)
    count = int.from_bytes(data[at : at + 8].tobytes(), "big" if big else "little")
    return min(count, _LOST_MOST)


def _last_times_before(records: Records, rows: Rows) -> Rows:
    """The time of the last sample of the same CPU before each row: what was lost came after it."""
    found: Rows = records["time_ns"][rows]
    for cpu in np.unique(records["cpu"][rows]):
        mine = np.flatnonzero((records["cpu"] == cpu) & (records["type"] == walk.SAMPLE))
        here = records["cpu"][rows] == cpu
        place = np.searchsorted(mine, rows[here]) - 1
        if len(mine):
            found[here] = np.where(place >= 0, records["time_ns"][mine[place]], found[here])
    return found


def _gap(start_ns: int, end_ns: int, cause: str, lost: int = -1, cpu: int = -1) -> Records:
    rows = np.zeros(1, GAP)
    rows["start_ns"], rows["end_ns"] = min(start_ns, end_ns), max(start_ns, end_ns)
    rows["cause"], rows["lost_events"], rows["cpu"] = GAP_CAUSES[cause], lost, cpu
    return rows


def _span(records: Records) -> tuple[int, int]:
    times = records["time_ns"][records["time_ns"] > 0]
    return (int(times.min()), int(times.max())) if len(times) else (0, 0)


def _damaged(records: Records, damages: list[Damage]) -> Gaps:
    """Holes in the file: between the samples around each."""
    rows = np.flatnonzero((records["type"] == walk.SAMPLE) & (records["time_ns"] > 0))
    places, times = records["at"][rows], records["time_ns"][rows]
    found = [np.zeros(0, GAP)]
    for damage in damages:
        before = int(np.searchsorted(places, damage.start)) - 1
        after = int(np.searchsorted(places, damage.end))
        if after < len(rows):
            found.append(_gap(int(times[max(before, 0)]), int(times[after]), damage.cause))
        else:
            found.append(_gap(*_end(records[rows[: before + 1]]), damage.cause))
    return np.concatenate(found), [f"bytes {damage.start} to {damage.end}" for damage in damages]


def _end(samples: Records) -> tuple[int, int]:
    """From when the first CPU says nothing more to when none does: a cut file ends at another time for each."""
    if not len(samples):
        return 0, 0
    silent = [int(samples["time_ns"][samples["cpu"] == cpu].max()) for cpu in np.unique(samples["cpu"])]
    return min(silent), max(silent)


def _astray(records: Records, rows: Rows) -> Gaps:
    found = np.zeros(len(rows), GAP)
    cpus = records["cpu"][rows]
    found["cpu"], found["lost_events"], found["cause"] = cpus, 1, GAP_CAUSES["corrupt"]
    found["start_ns"] = found["end_ns"] = _last_times_before(records, rows)
    return found, [f"bytes {at} to {at + size}" for at, size in zip(
        records["at"][rows].tolist(), records["size"][rows].tolist(), strict=True)]  # fmt: skip
