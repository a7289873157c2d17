"""Small steps over bytes: words, numbers and names. Places are int64, -1 is nowhere."""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.kernel.events import Number, wide
from tracekit.sources.kernel.numbers import i64
from tracekit.sources.kernel_text.words import LONGEST_NAME, NAME_BYTES, Bytes

SPACE, TAB, COLON, DOT, COMMA, MINUS, ZERO, SLASH = (wide(ord(letter)) for letter in " \t:.,-0/")
OPEN, CLOSE, OPEN_ROUND, CLOSE_ROUND = (wide(ord(letter)) for letter in "[]()")
NEWLINE: Number = wide(10)
NOWHERE: Number = wide(-1)
# Nothing in these texts has more digits than fit 63 bits, and ids that don't fit 32 are none.
_MOST = 10**17
_LOWEST_BITS: Number = wide(0x0101010101010101)
_HIGHEST_BITS: Number = wide(-0x7F7F7F7F7F7F7F80)
LARGEST_ID = (1 << 31) - 1


@lean
def is_digit(byte: int) -> bool:
    """Whether it is 0 to 9."""
    return 48 <= byte <= 57


@lean
def has(data: Bytes, at: int, end: int, key: Bytes) -> bool:
    """Whether `key` stands at `at`."""
    if at < 0 or at + len(key) > end:
        return False
    same = 0
    while same < len(key) and data[at + same] == key[same]:
        same += 1
    return same == len(key)


@lean
def find(data: Bytes, at: int, end: int, key: Bytes) -> Number:
    """The first place of `key` from `at` on."""
    first, limit = wide(key[0]), end - len(key) + 1
    place = next_byte(data, at, limit, first)
    while place < limit:
        if has(data, place, end, key):
            return place
        place = next_byte(data, place + 1, limit, first)
    return NOWHERE


@lean
def next_byte(data: Bytes, at: int, end: int, byte: int) -> Number:
    """The first place of `byte` from `at` on; `end` where it is not before that."""
    eight = byte * _LOWEST_BITS
    while at + 8 <= end:  # eight at once: a byte of `other` that is zero borrows from its own highest bit
        other = i64(data, at, False) ^ eight
        if (other - _LOWEST_BITS) & ~other & _HIGHEST_BITS:
            break
        at += 8
    while at < end and data[at] != byte:
        at += 1
    return wide(at)


@lean
def past_spaces(data: Bytes, at: int, end: int) -> Number:
    """The first place from `at` on that is no space."""
    while at < end and data[at] == SPACE:
        at += 1
    return wide(at)


@lean
def past_number(data: Bytes, at: int, end: int) -> Number:
    """The first place from `at` on that is no digit; a comma between digits belongs to a grouped number."""
    while at < end and (is_digit(data[at]) or (data[at] == COMMA and at + 1 < end and is_digit(data[at + 1]))):
        at += 1
    return wide(at)


@lean
def number(data: Bytes, at: int, end: int) -> Number:
    """The decimal number at `at`; -1 where there is none, or one that can not be."""
    if at < 0 or at >= end or not is_digit(data[at]):
        return NOWHERE
    value = wide(0)
    while at < end:
        byte = wide(data[at])
        if is_digit(byte):
            if value > _MOST:
                return NOWHERE
            value = value * 10 + (byte - ZERO)
        elif byte != COMMA or at + 1 == end or not is_digit(data[at + 1]):
            break
        at += 1
    return value


@lean
def digits(data: Bytes, first: int, end: int) -> Number:
    """`identity` of what is known to be digits."""
    value = wide(0)
    for place in range(first, end):
        if value > _MOST:
            return NOWHERE
        value = value * 10 + (wide(data[place]) - ZERO)
    return min(value, LARGEST_ID) if first < end else NOWHERE


@lean
def identity(data: Bytes, at: int, end: int) -> Number:
    """A task's or a CPU's number: -1 where there is none, one that no task can have where it is too large."""
    return min(number(data, at, end), LARGEST_ID)


@lean
def field(data: Bytes, at: int, end: int, key: Bytes) -> Number:
    """The number behind the first `key` from `at` on; -1 without."""
    place = find(data, at, end, key)
    return NOWHERE if place < 0 else number(data, place + len(key), end)


@lean
def name_end(data: Bytes, at: int, end: int, key: Bytes) -> Number:
    """Where the name that begins at `at` ends: before `key` and a number.

    A name can itself hold the key, but no name is longer than LONGEST_NAME: the last place that leaves it so short
    is its end. Longer names, which no kernel writes, end at the first.
    """
    found = NOWHERE
    first = key[0]
    for place in range(at, end - len(key)):
        if place > at + LONGEST_NAME and found >= 0:
            break
        if data[place] == first and has(data, place, end, key) and is_digit(data[place + len(key)]):
            found = wide(place)
            if place > at + LONGEST_NAME:
                break
    return found


@lean
def keep_name(data: Bytes, at: int, end: int, name: Bytes) -> None:
    """Copy data[at:end] into `name`, which is zeros."""
    for place in range(min(end - at, NAME_BYTES)):
        name[place] = data[at + place]
