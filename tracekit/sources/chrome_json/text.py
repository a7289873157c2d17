"""Texts and numbers of JSON as bytes: where they end, what they are, and each different one once."""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.chrome_json.layout import (
    ARENA,
    LAST_PID,
    LAST_ROW,
    LAST_TID,
    NONE,
    ROWS,
    TEXTS,
    Bytes,
    Number,
    Store,
)

MORE, BAD, ROOMLESS = -1, -2, -3  # what stands in for a position: the bytes end; they are wrong; no room
QUOTE, BACKSLASH, COMMA, COLON = ord('"'), ord("\\"), ord(","), ord(":")
OPEN, CLOSE, OPEN_LIST, CLOSE_LIST = ord("{"), ord("}"), ord("["), ord("]")
MINUS, PLUS, DOT, ZERO, NINE, SMALL_E, BIG_E = ord("-"), ord("+"), ord("."), ord("0"), ord("9"), ord("e"), ord("E")
SPACE = ord(" ")

MAX_DIGITS = 18  # of a mantissa in an int64
LIMIT_NS = 1 << 60  # 36 years; a sum of two still fits
_FNV_PRIME, _FNV_BASE, _MASK = 16777619, 2166136261, 0xFFFFFFFF  # FNV-1a, 32 bits (RFC 9923)


@lean
def blank(b: Bytes, at: int, end: int) -> Number:
    """The first byte from `at` that is no white space, or `end`."""
    while at < end and b[at] <= SPACE:
        at += 1
    return at


@lean
def after_text(b: Bytes, at: int, end: int) -> Number:
    """The position after the closing quote of a text whose first byte is at `at`, or MORE."""
    while at < end:
        c = b[at]
        if c == QUOTE:
            return at + 1
        at += 2 if c == BACKSLASH else 1
    return MORE


@lean
def after_value(b: Bytes, at: int, end: int) -> Number:
    """The position after the value that begins at `at`; MORE, or BAD where no value can begin."""
    if at >= end:
        return MORE
    c = b[at]
    if c in (COMMA, COLON, CLOSE, CLOSE_LIST):
        return BAD
    depth = 0
    while at < end:
        c = b[at]
        if c == QUOTE:
            at = after_text(b, at + 1, end)
            if at < 0:
                return MORE
            if depth == 0:
                return at
            continue
        if c in (OPEN, OPEN_LIST):
            depth += 1
        elif c in (CLOSE, CLOSE_LIST):
            if depth == 0:
                return at
            depth -= 1
            if depth == 0:
                return at + 1
        elif depth == 0 and (c == COMMA or c <= SPACE):
            return at
        at += 1
    return MORE


@lean
def power(exponent: int) -> Number:
    """10 to the `exponent`, from 0 to 18."""
    result = 1
    for _ in range(exponent):
        result *= 10
    return result


@lean
def microseconds(b: Bytes, at: int, end: int) -> tuple[Number, Number]:
    """A whole number token of microseconds as ns: (ns, how well).

    0: exact; 1: rounded half up to the nearest ns; BAD: no number, or none that fits. Digits and the exponent are
    taken from the text, so that 123456789.123 stays what it is, which a double would not.
    """
    negative = at < end and b[at] == MINUS
    if negative:
        at += 1
    mantissa, digits, scale, seen, point = 0, 0, 0, 0, False
    lost = False
    while at < end and ((ZERO <= b[at] <= NINE) or (b[at] == DOT and not point)):
        if b[at] == DOT:
            point = True
        elif digits < MAX_DIGITS:
            mantissa = mantissa * 10 + (int(b[at]) - ZERO)
            digits += 1 if mantissa else 0
            scale += 1 if point else 0
            seen += 1
        elif not point:
            return 0, BAD
        else:
            lost = lost or b[at] != ZERO
        at += 1
    if seen == 0:
        return 0, BAD
    exponent = 0
    if at < end and (b[at] == SMALL_E or b[at] == BIG_E):
        at += 1
        less = at < end and b[at] == MINUS
        if at < end and (b[at] == MINUS or b[at] == PLUS):
            at += 1
        if at == end:
            return 0, BAD
        while at < end and ZERO <= b[at] <= NINE:
            exponent = min(exponent * 10 + (int(b[at]) - ZERO), 10000)
            at += 1
        if less:
            exponent = -exponent
    if at != end:
        return 0, BAD
    ns, how = scaled(mantissa, exponent + 3 - scale)
    if how == 0 and lost:
        how = 1
    return (-ns if negative else ns), how


@lean
def scaled(mantissa: int, exponent: int) -> tuple[Number, Number]:
    """`mantissa` times 10 to the `exponent`, and 0 when exact, 1 when rounded, BAD when too large."""
    if mantissa == 0:
        return 0, 0
    if exponent >= 0:
        if exponent > MAX_DIGITS or mantissa > LIMIT_NS // power(exponent):
            return 0, BAD
        return mantissa * power(exponent), 0
    if exponent < -MAX_DIGITS:
        return 0, 1
    unit = power(-exponent)
    rest = mantissa % unit
    return mantissa // unit + (1 if rest * 2 >= unit else 0), (1 if rest else 0)


@lean
def whole(b: Bytes, at: int, end: int) -> Number:
    """A number token without sign, point or exponent, or NONE."""
    if at >= end or end - at > MAX_DIGITS:
        return NONE
    result = 0
    for i in range(at, end):
        if not ZERO <= b[i] <= NINE:
            return NONE
        result = result * 10 + (int(b[i]) - ZERO)
    return result


@lean
def same(b: Bytes, at: int, arena: Bytes, start: int, size: int) -> Number:
    """Whether `size` bytes are equal."""
    for i in range(size):  # noqa: SIM110 (compiled code)
        if b[at + i] != arena[start + i]:
            return False
    return True


@lean
def text_hash(b: Bytes, at: int, end: int) -> Number:
    """FNV-1a of the bytes."""
    h = _FNV_BASE
    for i in range(at, end):
        h = ((h ^ int(b[i])) * _FNV_PRIME) & _MASK
    return h


@lean
def text_slot(b: Bytes, at: int, end: int, h: int, s: Store) -> Number:
    """Where in `slots` the text is, or the free place where it belongs."""
    size = end - at
    last = len(s.slots) - 1
    slot = (h ^ (h >> 15)) & last
    while s.slots[slot] >= 0:
        start = s.starts[s.slots[slot]]
        if s.starts[s.slots[slot] + 1] - start == size and same(b, at, s.arena, start, size):
            break
        slot = (slot + 1) & last
    return slot


@lean
def text_id(b: Bytes, at: int, end: int, s: Store) -> Number:
    """The number of a text, the same for the same bytes; ROOMLESS when the tables must grow first."""
    size = end - at
    slot = text_slot(b, at, end, text_hash(b, at, end), s)
    if s.slots[slot] >= 0:
        return int(s.slots[slot])
    number, start = s.state[TEXTS], s.state[ARENA]
    if (number + 1) * 2 > len(s.slots) or number + 2 > len(s.starts) or start + size > len(s.arena):
        return ROOMLESS
    s.slots[slot] = number
    for i in range(size):
        s.arena[start + i] = b[at + i]
    s.state[TEXTS], s.state[ARENA] = number + 1, start + size
    s.starts[number + 1] = start + size
    return int(number)


@lean
def row_slot(pid: int, tid: int, s: Store) -> Number:
    """Where in `pairs` a row is, or the free place where it belongs."""
    last = len(s.pairs) - 1
    slot = ((pid + 1) * 40503 + (tid + 1) * 97) & last
    while s.pairs[slot] >= 0 and (s.row_pid[s.pairs[slot]] != pid or s.row_tid[s.pairs[slot]] != tid):
        slot = (slot + 1) & last
    return slot


@lean
def row_id(pid: int, tid: int, s: Store) -> Number:
    """The number of the row of events that `pid` and `tid` (texts) name; ROOMLESS as in `text_id`."""
    if s.state[LAST_ROW] >= 0 and pid == s.state[LAST_PID] and tid == s.state[LAST_TID]:
        return s.state[LAST_ROW]
    slot = row_slot(pid, tid, s)
    row = int(s.pairs[slot])
    if row < 0:
        row = s.state[ROWS]
        if (row + 1) * 2 > len(s.pairs) or row >= len(s.row_pid):
            return ROOMLESS
        s.pairs[slot] = row
        s.row_pid[row], s.row_tid[row] = pid, tid
        s.state[ROWS] = row + 1
    s.state[LAST_PID], s.state[LAST_TID], s.state[LAST_ROW] = pid, tid, row
    return row
