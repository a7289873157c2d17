"""The columns before an event's own text: task, process, CPU, context, time.

    TASK-PID (TGID) [CPU] FLAGS TIME:      tracefs, trace-cmd report, systrace
    TASK-PID CPU FLAGS TIME:               trace-cmd report -l, CPU and flags without a space
    COMM PID/TID [CPU] TIME:               perf script

A name can hold anything, so columns are read from the time backwards; names stand in 16 columns, which are not
searched for a time where a line is indented as the tools write it.
"""

from __future__ import annotations

import numpy as np

from tracekit.jit import lean
from tracekit.sources.kernel.events import IN_INTERRUPT, Number, Rows, wide
from tracekit.sources.kernel_text.scan import (
    CLOSE,
    CLOSE_ROUND,
    COLON,
    COMMA,
    DOT,
    MINUS,
    NOWHERE,
    OPEN,
    OPEN_ROUND,
    SLASH,
    SPACE,
    TAB,
    ZERO,
    digits,
    identity,
    is_digit,
    next_byte,
)
from tracekit.sources.kernel_text.words import Bytes

# Positions in what a header says.
TIME, FRACTION, H_CPU, H_TID, H_TGID, H_FLAGS, HAS_FLAGS, HAS_DASH = (wide(place) for place in range(8))
HEADER_FIELDS = 8

_NAME_COLUMNS = 16
_MOST_BYTES = 300  # of a header; longer names than systrace's have not been seen
_LEAST_FLAGS, _MOST_FLAGS = 4, 16  # a shorter word there is perf's column for the privilege, which has an H too
_MOST_SECONDS_DIGITS = 9  # more would not fit 63 bits of ns; TICKS below 19 digits do
_MOST_TICKS_DIGITS = 18
_NS_DIGITS = 9
_SCALES = np.array([1, *(10 ** (_NS_DIGITS - digits) for digits in range(1, _NS_DIGITS + 1))], np.int64)
_INTERRUPTS = (ord("h"), ord("H"), ord("Z"))  # trace_print_lat_fmt, kernel/trace/trace_output.c


@lean
def _digits_before(data: Bytes, begin: int, at: int) -> Number:
    """The first of the digits that end at `at`; at + 1 when there are none."""
    while at >= begin and is_digit(data[at]):
        at -= 1
    return wide(at + 1)


@lean
def _spaces_before(data: Bytes, begin: int, at: int) -> Number:
    while at >= begin and (data[at] == SPACE or data[at] == TAB):
        at -= 1
    return wide(at)


@lean
def _read_time(data: Bytes, begin: int, colon: int, said: Rows) -> Number:
    """The time that ends before `colon`: seconds and a fraction in ns, or ticks. Returns the place before it."""
    value, scale, fraction = wide(0), wide(1), wide(0)
    at = colon - 1
    while at > begin:
        byte = wide(data[at])
        if is_digit(byte):
            value += (byte - ZERO) * scale
            scale *= 10
        elif not fraction and byte in (DOT, COMMA) and at < colon - 1:
            fraction = colon - 1 - at
        else:
            break
        at -= 1
    whole = colon - 1 - at - (fraction + 1 if fraction else 0)
    if data[at] not in (SPACE, TAB) or whole < 1 or fraction > _NS_DIGITS:
        return NOWHERE
    if whole > (_MOST_SECONDS_DIGITS if fraction else _MOST_TICKS_DIGITS):
        return NOWHERE
    said[TIME] = value * _SCALES[fraction]
    said[FRACTION] = fraction
    return at


@lean
def _read_flags(data: Bytes, first: int, last: int, said: Rows) -> None:
    if last - first + 1 < _LEAST_FLAGS:
        return
    said[HAS_FLAGS] = 1
    for place in range(first, last + 1):
        if data[place] in _INTERRUPTS:  # no other column has these letters, wherever it stands
            said[H_FLAGS] = IN_INTERRUPT


@lean
def _read_cpu(data: Bytes, begin: int, at: int, said: Rows) -> Number:
    """The CPU and the flags that end at `at`. Returns the place before them."""
    at = _spaces_before(data, begin, at)
    if at > begin and data[at] != CLOSE:
        last = at
        while at > begin and data[at] != SPACE and data[at] != CLOSE and last - at < _MOST_FLAGS:
            at -= 1
        first = at + 1
        if data[at] != CLOSE:
            before = _spaces_before(data, begin, at)
            if before <= begin or data[before] != CLOSE:
                return _read_joined(data, begin, first, last, said)
            at = before
        _read_flags(data, first, last, said)
    if at <= begin or data[at] != CLOSE:
        return NOWHERE
    first = _digits_before(data, begin, at - 1)
    said[H_CPU] = digits(data, first, at)
    at = _spaces_before(data, begin, first - 1)
    return at - 1 if at >= begin and data[at] == OPEN else NOWHERE


@lean
def _read_joined(data: Bytes, begin: int, first: int, last: int, said: Rows) -> Number:
    """CPU and flags as one word, as in the latency format."""
    said[H_CPU] = identity(data, first, last + 1)
    flags = first
    while flags <= last and is_digit(data[flags]):
        flags += 1
    if said[H_CPU] < 0 or flags > last:
        return NOWHERE
    _read_flags(data, flags, last, said)
    return first - 1


@lean
def _read_process(data: Bytes, begin: int, at: int, said: Rows) -> Number:
    """The TGID column, if there is one, that ends at `at`. Returns the place before it."""
    if at < begin or data[at] != CLOSE_ROUND:
        return wide(at)
    first = at - 1
    while first > begin and (is_digit(data[first]) or data[first] == SPACE or data[first] == MINUS):
        first -= 1
    if data[first] != OPEN_ROUND:
        return wide(at)
    number_at = first + 1
    while number_at < at and data[number_at] == SPACE:
        number_at += 1
    said[H_TGID] = identity(data, number_at, at)
    return _spaces_before(data, begin, first - 1)


@lean
def _read_task(data: Bytes, begin: int, at: int, said: Rows) -> None:
    """The task's number, and its process's before a slash, that end at `at`."""
    first = _digits_before(data, begin, at)
    if first > at:
        return
    before = data[first - 1] if first > begin else SPACE
    if before == SLASH:
        process = _digits_before(data, begin, first - 2)
        if process > first - 2:
            return  # a name that ends so
        said[H_TGID] = digits(data, process, first - 1)
    elif before != SPACE and before != MINUS:
        return
    said[HAS_DASH] = 1 if before == MINUS else 0
    said[H_TID] = digits(data, first, at + 1)


@lean
def _read_header(data: Bytes, begin: int, colon: int, said: Rows) -> bool:
    for place in range(HEADER_FIELDS):
        said[place] = NOWHERE
    said[H_FLAGS] = said[HAS_FLAGS] = said[HAS_DASH] = 0
    at = _read_time(data, begin, colon, said)
    if at < 0:
        return False
    at = _read_cpu(data, begin, at, said)
    if at < 0:
        return False
    at = _read_process(data, begin, _spaces_before(data, begin, at), said)
    _read_task(data, begin, at, said)
    return True


@lean
def read_header(data: Bytes, begin: int, end: int, said: Rows) -> Number:
    """Fill `said` from a line's header and return the place behind its colon; -1: it has none."""
    indented = begin < end and (data[begin] == SPACE or data[begin] == TAB)
    place = begin + (_NAME_COLUMNS if indented else 1)
    limit = min(end - 1, begin + _MOST_BYTES)
    while place < limit:
        place = next_byte(data, place, limit, COLON)
        ends_time = place < limit and data[place + 1] == SPACE and is_digit(data[place - 1])
        if ends_time and _read_header(data, begin, place, said):
            return wide(place + 1)
        place = min(place + 1, limit)
        if place == limit and indented:  # none behind the columns: indented, but not by the tools
            indented = False
            place = begin + 1
            limit = min(limit, begin + _NAME_COLUMNS)
    return NOWHERE
