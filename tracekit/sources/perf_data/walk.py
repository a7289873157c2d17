"""From record to record through the data of a perf.data file, and what each of them is."""

from __future__ import annotations

import numpy as np

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import Number, Records, Row, Rows
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
from tracekit.sources.perf_data.numbers import Bytes, i32, i64, u16, u32

# enum perf_event_type (include/uapi/linux/perf_event.h) and perf_user_event_type (tools/lib/perf).
LOST, COMM, EXIT, FORK, SAMPLE, LOST_SAMPLES = 2, 3, 4, 7, 9, 13
HEADER_ATTR, TRACING_DATA, AUXTRACE, HEADER_FEATURE, COMPRESSED, COMPRESSED2 = 64, 66, 71, 80, 81, 83
KERNEL_TYPES_END, USER_TYPES_END = 64, 128  # room for types newer than this reader

DONE, FULL, IMPOSSIBLE, PACKED = range(4)

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
def record_size(data: Bytes, at: int, end: int, big: bool) -> Number:
    """The size of the record at `at` with all that belongs to it; 0 when there can be no record."""
    if at + HEADER_SIZE > end:
        return 0
    kind, size = u32(data, at, big), u16(data, at + 6, big)
    if kind == 0 or kind >= USER_TYPES_END or size < HEADER_SIZE or at + size > end:
        return 0
    if kind < KERNEL_TYPES_END and size % 8:  # perf's own records may have any size
        return 0
    after = payload_after(data, at, kind, size, big)
    return size + after if 0 <= after <= end - at - size else 0


@lean
def raw_at(data: Bytes, at: int, layout: Rows, big: bool) -> Number:
    """Where a sample's raw data begins: after its 32-bit size. -1 when the sample is too short for it."""
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
        if frames < 0 or frames > (end - place) // 8:
            return -1
        place += 8 + 8 * frames
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


@cached_njit
def walk(
    data: Bytes, at: int, end: int, big: bool, rows: Rows, id_at: int, ids: Rows, attr_of_id: Rows, out: Records
) -> tuple[int, int, int]:
    """Write the records of data[at:end] that matter into `out`; returns how many, where it stopped, and why."""
    count = 0
    while at < end:
        size = record_size(data, at, end, big)
        if size == 0:
            return count, at, IMPOSSIBLE
        kind = u32(data, at, big)
        if kind in (COMPRESSED, COMPRESSED2):
            return count, at, PACKED
        if kind in (SAMPLE, COMM, FORK, EXIT, LOST, LOST_SAMPLES):
            if count == len(out):
                return count, at, FULL
            attr = 0
            if kind == SAMPLE and id_at >= 0:
                attr = attr_of(ids, attr_of_id, i64(data, at + id_at, big)) if id_at + 8 <= size else -1
            layout = rows[max(attr, 0)]
            _fill(out[count], data, at, kind, size, attr, layout, big)
            count += 1
        at += size
    return count, at, DONE


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
def find(data: Bytes, at: int, end: int, big: bool, wanted: Rows, out: Rows) -> int:
    """Places of the records of the `wanted` types in data[at:end], as far as records make sense."""
    count = 0
    while at < end and count < len(out):
        size = record_size(data, at, end, big)
        if size == 0:
            break
        kind = u32(data, at, big)
        for number in wanted:
            if kind == number:
                out[count] = at
                count += 1
                break
        at += size
    return count


@cached_njit
def out_of_order(records: Records, cpus: int, tolerance_ns: int) -> Rows:
    """Samples where a CPU's time jumps back by more than the tolerance: the odd one out of each three in a row."""
    last = np.full(cpus, -1, np.int64)  # the row of each CPU's last sound sample, and of the one before it
    before = np.full(cpus, -1, np.int64)
    found = [0]
    for row in range(len(records)):
        cpu, time_ns = records[row]["cpu"], records[row]["time_ns"]
        if records[row]["type"] != SAMPLE or cpu < 0 or cpu >= cpus:
            continue
        previous = last[cpu]
        if previous >= 0 and time_ns < records[previous]["time_ns"] - tolerance_ns:
            earlier = before[cpu]
            if earlier >= 0 and time_ns < records[earlier]["time_ns"] - tolerance_ns:
                found.append(row)
                continue
            found.append(previous)
        else:
            before[cpu] = previous
        last[cpu] = row
    return np.sort(np.array(found[1:], dtype=np.int64))
