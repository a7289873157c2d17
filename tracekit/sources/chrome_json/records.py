"""One event, its values found, as a record."""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.chrome_json.layout import (
    ARG_CPU,
    ARG_INFERRED,
    ARG_REASON,
    ARG_TARGET,
    ARG_THREAD,
    ARG_TID,
    BAD_AT,
    BIND,
    BP,
    CAT,
    DUR,
    ENCLOSING,
    EVENTS,
    EXTRAS,
    FIELDS,
    FLOW_IN,
    FLOW_OUT,
    ID,
    IN,
    INEXACT,
    NAME,
    NONE,
    NOTES,
    OUT,
    PH,
    PID,
    READ,
    TID,
    TS,
    UNPLACED,
    Bytes,
    Number,
    Store,
)
from tracekit.sources.chrome_json.members import packed, word_at
from tracekit.sources.chrome_json.text import BAD, ROOMLESS, microseconds, row_id, text_id, whole

_TRUE, _GAP = packed("true"), packed("gap")
_WAKEUP, _SCHED_WAKEUP, _SCHED_WAKING = map(packed, ("wakeup", "sched_wakeup", "sched_waking"))
_ENCLOSED = ord("e")
_X, _B, _E, _S, _T, _F, _I, _OLD_I, _M = map(ord, "XBEstfiIM")


@lean
def find_texts(b: Bytes, last: int, s: Store) -> Number:
    """Number the texts of the values from PID to `last`; NONE where there is none. ROOMLESS as in `text_id`, or 0."""
    for field in range(PID, last + 1):
        s.known[field] = NONE
        if s.fields[2 * field] >= 0:
            number = text_id(b, s.fields[2 * field], s.fields[2 * field + 1], s)
            if number == ROOMLESS:
                return ROOMLESS
            s.known[field] = number
    return 0


@lean
def find_times(b: Bytes, last: int, s: Store) -> Number:
    """Read the times from TS to `last` in ns; NONE where there is none. BAD, or 0."""
    for field in range(TS, last + 1):
        s.known[field] = NONE
        if s.fields[2 * field] >= 0:
            ns, how = microseconds(b, s.fields[2 * field], s.fields[2 * field + 1])
            if how == BAD or (field == DUR and ns < 0):
                s.state[BAD_AT] = s.fields[2 * field]
                return BAD
            s.state[INEXACT] += how
            s.known[field] = ns
    return 0


@lean
def number_of(b: Bytes, field: int, s: Store) -> Number:
    """A whole number among the values, or NONE."""
    if s.fields[2 * field] < 0:
        return NONE
    return whole(b, s.fields[2 * field], s.fields[2 * field + 1])


@lean
def small_number_of(b: Bytes, field: int, s: Store) -> Number:
    """The same, of those that an int32 holds."""
    number = number_of(b, field, s)
    return number if number < 1 << 31 else NONE


@lean
def is_true(b: Bytes, field: int, s: Store) -> Number:
    """Whether a value is `true`."""
    return s.fields[2 * field] >= 0 and word_at(b, s.fields[2 * field], s.fields[2 * field + 1]) == _TRUE


@lean
def needs_extra(s: Store, phase: int) -> Number:
    """Whether the event carries what only some do."""
    wanted = phase in (_S, _T, _F) or s.fields[2 * BIND] >= 0 or s.fields[2 * ARG_REASON] >= 0
    for field in range(ARG_TID, FIELDS):
        wanted = wanted or s.fields[2 * field] >= 0
    return wanted


@lean
def add_extra(b: Bytes, s: Store) -> Number:
    """That, as a new row of extras: its number, or ROOMLESS."""
    row = s.state[EXTRAS]
    if row >= len(s.extras):
        return ROOMLESS
    extra = s.extras[row]
    extra["cat"], extra["id"], extra["bind"] = s.known[CAT], s.known[ID], s.known[BIND]
    extra["reason"] = s.known[ARG_REASON]
    extra["tid"] = number_of(b, ARG_TID, s)
    extra["cpu"] = small_number_of(b, ARG_CPU, s)
    extra["thread"] = small_number_of(b, ARG_THREAD, s)
    extra["target"] = small_number_of(b, ARG_TARGET, s)
    extra["inferred"] = 1 if is_true(b, ARG_INFERRED, s) else 0
    s.state[EXTRAS] = row + 1
    return row


@lean
def flags_of(b: Bytes, s: Store) -> Number:
    """How an event takes part in flows."""
    flags = FLOW_IN if is_true(b, IN, s) else 0
    flags |= FLOW_OUT if is_true(b, OUT, s) else 0
    enclosing = s.fields[2 * BP + 1] - s.fields[2 * BP] == 1 and b[s.fields[2 * BP]] == _ENCLOSED
    return flags | (ENCLOSING if enclosing else 0)


@lean
def phase_of(b: Bytes, s: Store) -> Number:
    """The phase as a byte; 0 where it is none."""
    return int(b[s.fields[2 * PH]]) if s.fields[2 * PH + 1] - s.fields[2 * PH] == 1 else 0


@lean
def is_note(b: Bytes, s: Store, phase: int) -> Number:
    """Whether the whole event is read again later: metadata, and instants that tell of a gap."""
    if phase == _M:
        return True
    instant = phase in (_I, _OLD_I)
    return instant and s.fields[2 * CAT] >= 0 and word_at(b, s.fields[2 * CAT], s.fields[2 * CAT + 1]) == _GAP


@lean
def is_wakeup(b: Bytes, s: Store, phase: int) -> Number:
    """Whether it is an instant that says that the thread of its row became runnable."""
    if phase != _I and phase != _OLD_I:
        return False
    word = word_at(b, s.fields[2 * NAME], s.fields[2 * NAME + 1]) if s.fields[2 * NAME] >= 0 else 0
    return word in (_WAKEUP, _SCHED_WAKEUP, _SCHED_WAKING)


@lean
def keep(b: Bytes, start: int, end: int, s: Store) -> Number:
    """Turn the values noted of the event from `start` to `end` into a record: 0, BAD or ROOMLESS."""
    phase = phase_of(b, s)
    slices = phase in (_X, _B, _E)
    flow = phase in (_S, _T, _F)
    noted = is_note(b, s, phase)
    if not (slices or flow or noted or is_wakeup(b, s, phase)):
        s.state[READ] += 1
        s.ignored[phase] += 1
        return 0
    extra = NONE if noted or phase == _E or not needs_extra(s, phase) else 0
    if find_texts(b, TID if noted or phase == _E else ARG_REASON if extra == 0 else NAME, s) == ROOMLESS:
        return ROOMLESS
    # An event without a tid is in the row of its pid.
    row = row_id(s.known[PID], s.known[TID] if s.known[TID] >= 0 else s.known[PID], s)
    if row == ROOMLESS:
        return ROOMLESS
    if noted:
        note = s.notes[s.state[NOTES]]
        note["row"], note["start"], note["end"] = row, start, end
        s.state[NOTES] += 1
        s.state[READ] += 1
        return 0
    if s.fields[2 * TS] < 0:
        s.state[READ] += 1
        s.state[UNPLACED] += 1
        return 0
    if find_times(b, DUR if phase == _X else TS, s) == BAD:
        return BAD
    if extra == 0:
        extra = add_extra(b, s)
        if extra == ROOMLESS:
            return ROOMLESS
    event = s.events[s.state[EVENTS]]
    event["ts"], event["dur"] = s.known[TS], s.known[DUR] if phase == _X else NONE
    event["row"], event["name"], event["extra"] = row, s.known[NAME] if phase != _E else NONE, extra
    event["ph"], event["flags"] = phase, flags_of(b, s)
    s.state[EVENTS] += 1
    s.state[READ] += 1
    return 0
