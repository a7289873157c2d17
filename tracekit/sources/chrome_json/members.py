"""The members of a JSON object in bytes: where the value of each key that is looked at begins and ends."""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.chrome_json.layout import (
    ARG_CPU,
    ARG_INFERRED,
    ARG_REASON,
    ARG_TARGET,
    ARG_THREAD,
    ARG_TID,
    ARGS,
    BAD_AT,
    BIND,
    BP,
    CAT,
    DUR,
    ID,
    IN,
    NAME,
    NONE,
    OUT,
    PH,
    PID,
    TID,
    TS,
    Bytes,
    Number,
    Store,
)
from tracekit.sources.chrome_json.text import BAD, CLOSE, COLON, COMMA, MORE, QUOTE, after_text, after_value, blank

WORD_BYTES = 7  # of a word's end, beside its length, in 61 bits


def packed(word: str) -> int:
    """A short word as one number, to compare with `word_at`."""
    value = 0
    for byte in word.encode()[-WORD_BYTES:]:
        value = value << 8 | byte
    return value | len(word) << 56


_PH, _TS, _DUR, _PID, _TID, _NAME, _CAT = map(packed, ("ph", "ts", "dur", "pid", "tid", "name", "cat"))
_ID, _BIND, _IN, _OUT, _BP, _ARGS = map(packed, ("id", "bind_id", "flow_in", "flow_out", "bp", "args"))
_GOID, _TASK_ID, _CPU, _THREAD = map(packed, ("goid", "task_id", "cpu", "thread_id"))
_TARGET, _REASON, _INFERRED = map(packed, ("target_cpu", "reason", "inferred"))


@lean
def word_at(b: Bytes, at: int, end: int) -> Number:
    """The bytes of a word of up to 31 bytes as one number; 0 for a longer or an empty one."""
    size = end - at
    if size <= 0 or size > 31:
        return 0
    value = 0
    for i in range(max(at, end - WORD_BYTES), end):
        value = value << 8 | int(b[i])
    return value | size << 56


@lean
def field_of(key: int) -> Number:
    """Which value of an event a key names, or NONE."""
    if key == _NAME:
        return NAME
    if key == _PH:
        return PH
    if key == _TS:
        return TS
    if key == _PID:
        return PID
    if key == _TID:
        return TID
    if key == _DUR:
        return DUR
    if key == _CAT:
        return CAT
    if key == _ARGS:
        return ARGS
    if key == _ID:
        return ID
    if key == _BP:
        return BP
    if key == _BIND:
        return BIND
    if key == _IN:
        return IN
    return OUT if key == _OUT else NONE


@lean
def argument_of(key: int) -> Number:
    """Which value of an event's args a key names, or NONE."""
    if key in (_TID, _GOID, _TASK_ID):
        return ARG_TID
    if key == _CPU:
        return ARG_CPU
    if key == _THREAD:
        return ARG_THREAD
    if key == _TARGET:
        return ARG_TARGET
    if key == _REASON:
        return ARG_REASON
    return ARG_INFERRED if key == _INFERRED else NONE


@lean
def members(b: Bytes, at: int, end: int, s: Store, arguments: bool) -> Number:
    """Note the values of an object whose first byte inside is at `at`; the position after it, MORE or BAD."""
    after_member = False
    while True:
        at = blank(b, at, end)
        if at >= end:
            return MORE
        c = b[at]
        if c == CLOSE:
            return at + 1
        if c == COMMA and after_member:
            at += 1
            after_member = False
            continue
        s.state[BAD_AT] = at
        if c != QUOTE or after_member:
            return BAD
        key_at = at + 1
        at = after_text(b, key_at, end)
        if at < 0:
            return MORE
        key = word_at(b, key_at, at - 1)
        at = blank(b, at, end)
        if at >= end:
            return MORE
        s.state[BAD_AT] = at
        if b[at] != COLON:
            return BAD
        at = blank(b, at + 1, end)
        value_at = at
        s.state[BAD_AT] = at
        at = after_value(b, at, end)
        if at < 0:
            return at
        field = argument_of(key) if arguments else field_of(key)
        if field >= 0:
            inside = 1 if b[value_at] == QUOTE else 0
            s.fields[2 * field] = value_at + inside
            s.fields[2 * field + 1] = at - inside
        after_member = True
