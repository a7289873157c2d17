"""From record to record through the data of a perf.data file, and what each of them is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import Number, Records, Row, Rows, wide
from tracekit.sources.kernel.numbers import Bytes, i32, i64, u16, u32
from tracekit.sources.perf_data.layout import (
    CPU_AT,
    END_CPU,
    END_SIZE,
    END_TIME,
    FIXED_END,
    HAS_CALLCHAIN,
    HAS_RAW,
    HEADER_SIZE,
    READ_EACH,
    READ_FIXED,
    TIME_AT,
)

# enum perf_event_type (include/uapi/linux/perf_event.h) and perf_user_event_type (tools/lib/perf).
LOST, COMM, EXIT, FORK, SAMPLE, LOST_SAMPLES, SWITCH, SWITCH_CPU_WIDE = 2, 3, 4, 7, 9, 13, 14, 15
HEADER_ATTR, TRACING_DATA, FINISHED_ROUND, AUXTRACE, HEADER_FEATURE, COMPRESSED, COMPRESSED2 = (
    64,
    66,
    68,
    71,
    80,
    81,
    83,
)
KERNEL_TYPES_END, USER_TYPES_END = 64, 128  # room for types newer than this reader

PACKED2_START = HEADER_SIZE + 8  # of a COMPRESSED2's data, behind their size
_U16 = 0xFFFF

DONE, FULL, IMPOSSIBLE, PACKED = range(4)


class Ids(NamedTuple):
    """How records say which event they are of: where a sample has its id, and where others have it from their end.

    A sample place of -1 or an end place of 0 means that there is no telling. `ids` are sorted, `attrs` the events.
    """

    sample_at: int
    end_at: int
    ids: Rows
    attrs: Rows


RECORD = np.dtype(
    [
        ("at", np.int64),  # in the file
        ("time_ns", np.int64),  # 0 where the record carries none
        ("cpu", np.int32),  # -1 unknown
        ("size", np.uint16),
        ("type", np.uint8),
        ("attr", np.int16),  # which event; -1 unknown
    ],
    align=True,
)


@lean
def attr_of(ids: Rows, attr_of_id: Rows, number: int) -> Number:
    """The event that has this id (ids are sorted); -1 for none. Id 0 is in records that perf itself wrote."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        if ids[middle] < number:
            low = middle + 1
        else:
            high = middle
    return attr_of_id[low] if low < len(ids) and ids[low] == number else -1


@lean
def payload_after(data: Bytes, at: int, kind: int, size: int, big: bool) -> Number:
    """Bytes that follow a record outside of its size (util/header.c, util/auxtrace.c); -1 for nonsense."""
    if kind == AUXTRACE and size >= HEADER_SIZE + 8:
        return i64(data, at + HEADER_SIZE, big)
    if kind == TRACING_DATA and size >= HEADER_SIZE + 4:
        return (u32(data, at + HEADER_SIZE, big) + 7) // 8 * 8
    return 0


@lean
def _aligned(size: int) -> Number:
    return (size + 7) // 8 * 8


@lean
def _packed2_size(data: Bytes, at: int, end: int, big: bool) -> Number:
    """A COMPRESSED2's size: its header has 16 bits for it, of which more than 64 KiB leave the lower ones.

    The data may be several records' then, one behind the other, and padding is left out (record__pushfn of
    tools/perf/builtin-record.c since v6.16). Asynchronous writing does not fill the data's size in.
    """
    size = u16(data, at + 6, big)
    if at + PACKED2_START <= end:
        length = i64(data, at + HEADER_SIZE, big)
        if 0 <= length <= end - at - PACKED2_START:
            whole = PACKED2_START + length
            padded = _aligned(whole)
            if whole > _U16 - 7 and size in (padded & _U16, whole & _U16):
                behind = at + whole
                if behind == end or (behind + HEADER_SIZE <= end and 0 < u32(data, behind, big) < USER_TYPES_END):
                    return whole
                return padded if at + padded <= end else 0
    return size if size >= PACKED2_START and at + size <= end else 0


@lean
def record_size(data: Bytes, at: int, end: int, big: bool) -> Number:
    """The size of the record at `at` with all that belongs to it; 0 when there can be no record."""
    if at + HEADER_SIZE > end:
        return 0
    kind, size = u32(data, at, big), u16(data, at + 6, big)
    if kind == COMPRESSED2:
        return _packed2_size(data, at, end, big)
    if kind == 0 or kind >= USER_TYPES_END or size < HEADER_SIZE or at + size > end:
        return 0
    if kind < KERNEL_TYPES_END and size % 8:  # perf's own records may have any size
        return 0
    after = payload_after(data, at, kind, size, big)
    return size + after if 0 <= after <= end - at - size else 0


@lean
def callchain_at(data: Bytes, at: int, layout: Rows, big: bool) -> Number:
    """Where a sample's callchain is, or would be. -1 when the sample is too short for it."""
    end = at + u16(data, at + 6, big)
    place = at + layout[FIXED_END]
    if layout[READ_EACH]:
        if place + 8 > end:
            return -1
        members = i64(data, place, big)
        if members < 0 or members > (end - place) // 8:
            return -1
        place += members * layout[READ_EACH]
    place += layout[READ_FIXED]
    if layout[HAS_CALLCHAIN]:
        if place + 8 > end:
            return -1
        frames = i64(data, place, big)
        if frames < 0 or frames >= (end - place) // 8:
            return -1
    return place


@lean
def raw_at(data: Bytes, at: int, layout: Rows, big: bool) -> Number:
    """Where a sample's raw data begins: after its 32-bit size. -1 when the sample is too short for it."""
    end = at + u16(data, at + 6, big)
    place = callchain_at(data, at, layout, big)
    if place < 0:
        return -1
    if layout[HAS_CALLCHAIN]:
        place += 8 + 8 * i64(data, place, big)
    if not layout[HAS_RAW] or place + 4 > end or place + 4 + u32(data, place, big) > end:
        return -1
    return place + 4


@cached_njit
def raw_places(data: Bytes, records: Records, layouts: Rows, big: bool) -> Rows:
    """`raw_at` for samples of known events."""
    places = np.empty(len(records), np.int64)
    for row in range(len(records)):
        places[row] = raw_at(data, records[row]["at"], layouts[records[row]["attr"]], big)
    return places


@lean
def _fill(record: Row, data: Bytes, at: int, kind: int, size: int, attr: int, layout: Rows, big: bool) -> None:
    record["at"] = at
    record["type"] = kind
    record["size"] = size
    record["attr"] = attr
    record["time_ns"] = 0
    record["cpu"] = -1
    if kind == SAMPLE:
        if size >= layout[FIXED_END]:
            record["time_ns"] = i64(data, at + layout[TIME_AT], big)
            record["cpu"] = i32(data, at + layout[CPU_AT], big) if layout[CPU_AT] >= 0 else -1
    elif size >= HEADER_SIZE + layout[END_SIZE]:
        if layout[END_TIME]:
            record["time_ns"] = i64(data, at + size + layout[END_TIME], big)
        if layout[END_CPU] and record["time_ns"] > 0:
            record["cpu"] = i32(data, at + size + layout[END_CPU], big)


@lean
def _event_of(data: Bytes, at: int, kind: int, size: int, big: bool, ids: Ids) -> Number:
    """Which event the record is of. Where it does not say, it looks like those of the first."""
    place = ids.sample_at if kind == SAMPLE else size + ids.end_at
    known = ids.sample_at >= 0 if kind == SAMPLE else ids.end_at < 0
    if not known:
        return 0
    if place < HEADER_SIZE or place + 8 > size:
        return -1 if kind == SAMPLE else 0
    found = attr_of(ids.ids, ids.attrs, i64(data, at + place, big))
    return found if kind == SAMPLE else max(found, 0)


@cached_njit
def walk(
    data: Bytes, at: int, limit: int, end: int, big: bool, rows: Rows, ids: Ids, out: Records
) -> tuple[int, int, int, int]:
    """Write the records that begin in data[at:limit] and matter into `out`, none of which reaches beyond `end`.

    Returns how many they are, where it stopped, why, and how many rounds had ended on the way.
    """
    count, rounds = 0, 0
    while at < limit:
        size = record_size(data, at, end, big)
        if size == 0:
            return count, at, IMPOSSIBLE, rounds
        kind = u32(data, at, big)
        if kind in (COMPRESSED, COMPRESSED2):
            return count, at, PACKED, rounds
        if kind == FINISHED_ROUND:
            rounds += 1
        elif kind in (SAMPLE, COMM, FORK, EXIT, LOST, LOST_SAMPLES, SWITCH, SWITCH_CPU_WIDE):
            if count == len(out):
                return count, at, FULL, rounds
            attr = _event_of(data, at, kind, size, big, ids)
            _fill(out[count], data, at, kind, size, attr, rows[max(attr, 0)], big)
            count += 1
        at += size
    return count, at, DONE, rounds


@cached_njit
def skim(data: Bytes, at: int, end: int, big: bool) -> tuple[int, int]:
    """Where the next compressed record is, or the next bytes that make no sense, or the end; and which of these."""
    while at < end:
        size = record_size(data, at, end, big)
        if size == 0:
            return at, IMPOSSIBLE
        if u32(data, at, big) in (COMPRESSED, COMPRESSED2):
            return at, PACKED
        at += size
    return at, DONE


@cached_njit
def next_record(data: Bytes, at: int, end: int, big: bool) -> int:
    """`record_size` for Python."""
    return record_size(data, at, end, big)  # type: ignore[no-any-return]


@cached_njit
def whole_until(data: Bytes, big: bool) -> int:
    """Where the first record begins that goes on behind the end of `data`; nonsense goes through as it is."""
    at, end = 0, len(data)
    while at + HEADER_SIZE <= end:
        size = u16(data, at + 6, big)
        if size < HEADER_SIZE:
            return end
        if at + size > end:
            return at
        at += size
    return at


@cached_njit
def gather(data: Bytes, records: Records, out: Bytes) -> int:
    """Copy the records' bytes into `out`, one behind the other, and note their new places; returns the end."""
    to = 0
    for row in range(len(records)):
        at, size = records[row]["at"], wide(records[row]["size"])
        for place in range(size):
            out[to + place] = data[at + place]
        records[row]["at"] = to
        to += size
    return to


@cached_njit
def resync(data: Bytes, at: int, end: int, big: bool, agreeing: int) -> int:
    """The next place from which `agreeing` records in a row make sense, or the end."""
    while at < end:
        place, found = at, 0
        while found < agreeing and place < end:
            size = record_size(data, place, end, big)
            if size == 0:
                break
            place += size
            found += 1
        if found == agreeing or (found > 0 and place == end):
            return at
        at += 4
    return end


@cached_njit
def find(data: Bytes, at: int, limit: int, end: int, big: bool, wanted: Rows, out: Rows) -> tuple[int, int]:
    """Places of the records of the `wanted` types that begin in data[at:limit], as far as records make sense.

    Returns how many they are, and where it stopped: also when there is no room in `out` for one more.
    """
    count = 0
    while at < min(limit, end):
        size = record_size(data, at, end, big)
        if size == 0:
            break
        kind = u32(data, at, big)
        for number in wanted:
            if kind == number:
                if count == len(out):
                    return count, at
                out[count] = at
                count += 1
                break
        at += size
    return count, at
