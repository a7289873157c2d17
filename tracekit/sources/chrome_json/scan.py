"""The fast pass over a window of JSON: every event a record, everything else stepped over.

It reads what JSON allows, and a little more (a trailing comma, control characters in texts); within values that
nobody looks at, only texts and brackets are followed. Where it can't go on it says at which byte.
"""

from __future__ import annotations

from tracekit.jit import cached_njit, lean
from tracekit.sources.chrome_json.layout import (
    ARGS,
    ARRAY,
    BAD_AT,
    DAMAGED,
    DEPTH,
    DONE,
    EVENTS,
    FIELDS,
    FOREIGN,
    FULL,
    MODE,
    NONE,
    NOTES,
    OBJECT,
    OTHER_VALUES,
    POS,
    QUOTED,
    SKIP,
    START,
    TOP,
    WANTS_MORE,
    Bytes,
    Number,
    Store,
)
from tracekit.sources.chrome_json.members import members, packed, word_at
from tracekit.sources.chrome_json.records import keep, phase_of
from tracekit.sources.chrome_json.text import (
    BACKSLASH,
    BAD,
    CLOSE,
    CLOSE_LIST,
    COLON,
    COMMA,
    MORE,
    OPEN,
    OPEN_LIST,
    QUOTE,
    ROOMLESS,
    after_text,
    after_value,
    blank,
)

_EVENTS = packed("traceEvents")
_END, _METADATA = ord("E"), ord("M")
_BOM = (0xEF, 0xBB, 0xBF)


@lean
def event(b: Bytes, at: int, end: int, s: Store) -> Number:
    """Read the event that begins at `at`: the position after it, MORE, BAD or ROOMLESS."""
    if s.state[EVENTS] >= len(s.events) or s.state[NOTES] >= len(s.notes):
        return ROOMLESS
    for i in range(2 * FIELDS):
        s.fields[i] = NONE
    after = members(b, at + 1, end, s, False)
    if after < 0:
        return after
    arguments = s.fields[2 * ARGS]
    if arguments >= 0 and b[arguments] == OPEN:
        phase = phase_of(b, s)
        if phase not in (_METADATA, _END):
            told = members(b, arguments + 1, after, s, True)
            if told < 0:
                return BAD
    kept = keep(b, at, after, s)
    return after if kept == 0 else kept


@lean
def step_over(b: Bytes, at: int, end: int, s: Store) -> Number:
    """Go on with a value at the top that nobody looks at: the position reached. Its end makes the mode TOP."""
    while at < end:
        c = b[at]
        if s.state[QUOTED]:
            if c == BACKSLASH:
                if at + 1 >= end:
                    return at
                at += 1
            elif c == QUOTE:
                s.state[QUOTED] = 0
        elif c == QUOTE:
            s.state[QUOTED] = 1
        elif c in (OPEN, OPEN_LIST):
            s.state[DEPTH] += 1
        elif c in (CLOSE, CLOSE_LIST):
            if s.state[DEPTH] == 0:
                s.state[MODE] = TOP
                return at
            s.state[DEPTH] -= 1
        elif c == COMMA and s.state[DEPTH] == 0:
            s.state[MODE] = TOP
            return at
        at += 1
    return at


@lean
def top_member(b: Bytes, at: int, end: int, s: Store) -> Number:
    """A key of the outermost object at `at`: the position of its value, MORE or BAD; sets the mode."""
    s.state[BAD_AT] = at
    if b[at] != QUOTE:
        return BAD
    after = after_text(b, at + 1, end)
    if after < 0:
        return MORE
    key = word_at(b, at + 1, after - 1)
    after = blank(b, after, end)
    if after >= end:
        return MORE
    if b[after] != COLON:
        s.state[BAD_AT] = after
        return BAD
    after = blank(b, after + 1, end)
    if after >= end:
        return MORE
    if key == _EVENTS and b[after] == OPEN_LIST:
        s.state[MODE] = ARRAY
        return after + 1
    s.state[MODE], s.state[DEPTH], s.state[QUOTED] = SKIP, 0, 0
    return after


@lean
def element(b: Bytes, at: int, end: int, s: Store) -> Number:
    """One thing within the array of events at `at`: the position after it, MORE, BAD or ROOMLESS."""
    c = b[at]
    if c == OPEN:
        return event(b, at, end, s)
    if c == COMMA:
        return at + 1
    if c == CLOSE_LIST:
        s.state[MODE] = TOP if s.state[OBJECT] else DONE
        return at + 1
    s.state[BAD_AT] = at
    after = after_value(b, at, end)
    if after >= 0:
        s.state[OTHER_VALUES] += 1
    return after


@lean
def beginning(b: Bytes, at: int, end: int, s: Store) -> Number:
    """The document's first byte: the position after it, or BAD."""
    if at + 2 < end and b[at] == _BOM[0] and b[at + 1] == _BOM[1] and b[at + 2] == _BOM[2]:
        at = blank(b, at + 3, end)
    s.state[BAD_AT] = at
    if at >= end or (b[at] != OPEN and b[at] != OPEN_LIST):
        return BAD
    s.state[OBJECT] = 1 if b[at] == OPEN else 0
    s.state[MODE] = TOP if b[at] == OPEN else ARRAY
    return at + 1


@lean
def next_part(b: Bytes, at: int, end: int, s: Store) -> Number:
    """Whatever is at `at` by the mode: the position after it, MORE, BAD or ROOMLESS."""
    mode = s.state[MODE]
    if mode == ARRAY:
        return element(b, at, end, s)
    if mode == SKIP:
        return step_over(b, at, end, s)
    if mode == START:
        return beginning(b, at, end, s)
    if b[at] == COMMA:
        return at + 1
    if b[at] == CLOSE:
        s.state[MODE] = DONE
        return at + 1
    return top_member(b, at, end, s)


def _scan(b: Bytes, end: int, s: Store) -> int:
    """Read `b[:end]` from `state[POS]` on, as far as whole parts go. WANTS_MORE, DAMAGED, FULL or FOREIGN."""
    at = s.state[POS]
    while s.state[MODE] != DONE:
        if s.state[MODE] != SKIP:
            at = blank(b, at, end)
        s.state[POS] = at
        if at >= end:
            return WANTS_MORE
        began = s.state[MODE]
        after = next_part(b, at, end, s)
        if after == MORE or (after == at and began == SKIP and s.state[MODE] == SKIP):
            return WANTS_MORE
        if after == ROOMLESS:
            return FULL
        if after == BAD:
            return FOREIGN if began == START else DAMAGED
        at = after
    s.state[POS] = at
    return WANTS_MORE


scan = cached_njit(_scan, counted=False)
