"""Where things are in a sample, and at the end of the other records, by an event's sample_type.

The order of fields is `perf_event_sample` in include/uapi/linux/perf_event.h (PERF_RECORD_SAMPLE, and
`struct sample_id` for the others).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tracekit.sources.kernel.events import Rows

IP, TID, TIME, ADDR, READ, CALLCHAIN, ID, CPU, PERIOD, STREAM_ID, RAW = (1 << bit for bit in range(11))
IDENTIFIER = 1 << 16

_READ_TIMES = (1 << 0, 1 << 1)  # PERF_FORMAT_TOTAL_TIME_ENABLED, _RUNNING
_READ_ID, _READ_GROUP, _READ_LOST = 1 << 2, 1 << 3, 1 << 4

TRACEPOINT = 2  # PERF_TYPE_TRACEPOINT
USE_CLOCKID = 1 << 25  # the bit's place in perf_event_attr's flags
SAMPLE_ID_ALL = 1 << 18
CONTEXT_SWITCH = 1 << 26

HEADER_SIZE = 8
ABSENT = -1
# Columns of a layout row: offsets from a sample's start; from another record's end (negative numbers).
TID_AT, TIME_AT, ID_AT, CPU_AT, FIXED_END, READ_FIXED, READ_EACH, HAS_CALLCHAIN, HAS_RAW = range(9)
END_TID, END_TIME, END_CPU, END_ID, END_SIZE = range(9, 14)
COLUMNS = 14


@dataclass
class Attr:
    """One recorded event (perf_event_attr) and the ids its samples carry."""

    type: int
    config: int
    sample_type: int
    read_format: int
    flags: int
    clockid: int
    ids: list[int] = field(default_factory=list)


def layouts(attrs: Sequence[Attr]) -> Rows:
    """One row of COLUMNS per event; 0 at an END column, and ABSENT elsewhere, where there is no such field."""
    rows = np.zeros((len(attrs), COLUMNS), np.int64)
    for row, attr in zip(rows, attrs, strict=True):
        _sample_layout(row, attr)
        _end_layout(row, attr)
    return rows


def _sample_layout(row: Rows, attr: Attr) -> None:
    at = HEADER_SIZE
    row[[TID_AT, TIME_AT, ID_AT, CPU_AT]] = ABSENT
    fields = ((IDENTIFIER, ID_AT), (IP, None), (TID, TID_AT), (TIME, TIME_AT), (ADDR, None), (ID, ID_AT),
              (STREAM_ID, None), (CPU, CPU_AT), (PERIOD, None))  # fmt: skip
    for bit, column in fields:
        if not attr.sample_type & bit:
            continue
        if column is not None and row[column] == ABSENT:  # IDENTIFIER and ID are the same number
            row[column] = at
        at += 8
    row[FIXED_END] = at
    if attr.sample_type & READ:
        times = 8 * sum(bool(attr.read_format & bit) for bit in _READ_TIMES)
        each = 8 + 8 * bool(attr.read_format & _READ_ID) + 8 * bool(attr.read_format & _READ_LOST)
        group = bool(attr.read_format & _READ_GROUP)
        row[READ_FIXED], row[READ_EACH] = (times + 8, each) if group else (times + each, 0)
    row[HAS_CALLCHAIN] = bool(attr.sample_type & CALLCHAIN)
    row[HAS_RAW] = bool(attr.sample_type & RAW)


def _end_layout(row: Rows, attr: Attr) -> None:
    if not attr.flags & SAMPLE_ID_ALL:
        return
    at = 0
    fields = ((IDENTIFIER, END_ID), (CPU, END_CPU), (STREAM_ID, None), (ID, END_ID), (TIME, END_TIME), (TID, END_TID))
    for bit, column in fields:
        if attr.sample_type & bit:
            at -= 8
            if column is not None and row[column] == 0:  # IDENTIFIER and ID are the same number
                row[column] = at
    row[END_SIZE] = -at
