"""What the events themselves say, in the kernel's print formats, raw, and as trace-cmd's plugin prints them.

Each reader takes the place where an event's text begins and says whether it is whole; it fills in what differs
from a blank event.
"""

from __future__ import annotations

from tracekit.jit import lean
from tracekit.sources.kernel.events import EVENT_KINDS, EXECUTED, PREV_STATE_CODES, Number, Row, Rows, wide
from tracekit.sources.kernel_text import words as w
from tracekit.sources.kernel_text.scan import (
    CLOSE,
    COLON,
    LARGEST_ID,
    MINUS,
    NOWHERE,
    OPEN,
    SPACE,
    field,
    find,
    has,
    identity,
    is_digit,
    keep_name,
    name_end,
    number,
    past_number,
)
from tracekit.sources.kernel_text.words import LONGEST_NAME, Bytes

_SWITCH, _FORK, _EXIT, _COMM = (wide(EVENT_KINDS[kind]) for kind in ("switch", "fork", "exit", "comm"))
_EXEC, _STAT_RUNTIME, _MIGRATE = (wide(EVENT_KINDS[kind]) for kind in ("exec", "stat_runtime", "migrate"))
_R, _PREEMPTED, _PARKED, _OTHER = (wide(PREV_STATE_CODES[letter]) for letter in ("R", "R+", "P", "?"))
_FIRST_KNOWN_BIT, _KNOWN_BITS = 1, 0xFF
_PLUS, _R_LETTER, _X_LETTER, _BAR = (wide(ord(letter)) for letter in "+Rx|")

# Positions in what is counted of states.
OLD_STATES, NUMBER_STATES, PLUGIN_STATES = (wide(place) for place in range(3))
STATE_COUNTS = 3


@lean
def _number_state(value: int, states: Rows) -> Number:
    states[NUMBER_STATES] += 1
    if value == 0:
        return _R
    if value & w.OLD_PREEMPTED:
        states[OLD_STATES] |= 2
    if value & w.OLD_DEAD and states[OLD_STATES] & 1:
        return wide(w.STATE_CODES[_X_LETTER])
    strongest, code = wide(len(w.STATE_RANKS)), _OTHER
    for place in range(len(w.STATE_BITS)):
        letter = w.STATE_BITS[place, 1]
        if value & w.STATE_BITS[place, 0] and w.STATE_RANKS[letter] < strongest:
            strongest = w.STATE_RANKS[letter]
            code = w.STATE_CODES[letter]
    return _PREEMPTED if not value & _KNOWN_BITS else code


@lean
def _state(data: Bytes, at: int, end: int, plugin: bool, states: Rows) -> Number:
    """The PREV_STATE_CODES code of the state at `at`: letters, or a number."""
    if at < end and is_digit(data[at]):
        return _number_state(number(data, at, end), states)
    strongest, code, runs, preempted = wide(len(w.STATE_RANKS)), _OTHER, False, False
    while at < end and data[at] > SPACE:
        letter = data[at]
        if letter == _PLUS:
            preempted = True
        elif letter == _R_LETTER:
            runs = True
        elif w.STATE_RANKS[letter] < strongest:
            strongest = w.STATE_RANKS[letter]
            code = wide(w.STATE_CODES[letter])
            if plugin and letter == _X_LETTER:  # the plugin's letter of 0x40
                code = wide(w.STATE_CODES[_X_LETTER]) if states[OLD_STATES] & 1 else _PARKED
        at += 1
    if plugin:
        states[PLUGIN_STATES] += 1
    if preempted:
        return _PREEMPTED
    return _R if runs else code


@lean
def _past_pair(data: Bytes, at: int, end: int) -> Number:
    """The place behind the ":PID [PRIO]" at `at`; -1 where there is none."""
    digits = past_number(data, at + 1, end)
    if digits == at + 1 or digits + 2 >= end or data[digits] != SPACE or data[digits + 1] != OPEN:
        return NOWHERE
    priority = digits + 2 + (1 if data[digits + 2] == MINUS else 0)
    last = past_number(data, priority, end)
    return last + 1 if last > priority and last < end and data[last] == CLOSE else NOWHERE


@lean
def _past_state(data: Bytes, at: int, end: int) -> Number:
    """The place behind the " STATE ==> " at `at`; -1 where there is none."""
    at += 1
    while at < end and data[at] > SPACE:
        at += 1
    return at + len(w.ARROW) if has(data, at, end, w.ARROW) else NOWHERE


@lean
def _pair_end(data: Bytes, at: int, end: int, leaves: bool) -> Number:
    """Where the name ends that begins at `at` and is followed by ":PID [PRIO]"; as `name_end`.

    `leaves`: a state and an arrow follow too, as behind the task that leaves.
    """
    found = NOWHERE
    for place in range(at, end):
        if place > at + LONGEST_NAME and found >= 0:
            break
        if data[place] != COLON:
            continue
        past = _past_pair(data, place, end)
        if past >= 0 and (not leaves or _past_state(data, past, end) >= 0):
            found = wide(place)
            if place > at + LONGEST_NAME:
                break
    return found


@lean
def _switch_pairs(data: Bytes, at: int, end: int, event: Row, names: Bytes, states: Rows) -> bool:
    """PREV:PID [PRIO] STATE ==> NEXT:PID [PRIO]"""
    stop = _pair_end(data, at, end, True)
    if stop < 0:
        return False
    keep_name(data, at, stop, names[0])
    event["tid"] = identity(data, stop + 1, end)
    state = _past_pair(data, stop, end) + 1
    event["prev_state"] = _state(data, state, end, True, states)
    at = _past_state(data, state - 1, end)
    stop = _pair_end(data, at, end, False)
    if stop < 0:
        return False
    keep_name(data, at, stop, names[1])
    event["target_tid"] = identity(data, stop + 1, end)
    return True


@lean
def read_switch(data: Bytes, at: int, end: int, event: Row, names: Bytes, states: Rows) -> bool:
    """prev_comm=NAME prev_pid=PID prev_prio=PRIO prev_state=STATE [==>] next_comm=NAME next_pid=PID next_prio=PRIO"""
    if not has(data, at, end, w.PREV_COMM):
        return _switch_pairs(data, at, end, event, names, states)
    at += len(w.PREV_COMM)
    stop = name_end(data, at, end, w.PREV_PID)
    if stop < 0:
        return False
    keep_name(data, at, stop, names[0])
    at = stop + len(w.PREV_PID)
    event["tid"] = identity(data, at, end)
    at = find(data, at, end, w.PREV_STATE)
    if at < 0:
        return False
    event["prev_state"] = _state(data, at + len(w.PREV_STATE), end, False, states)
    at = find(data, at, end, w.NEXT_COMM)
    if at < 0:
        return False
    at += len(w.NEXT_COMM)
    stop = name_end(data, at, end, w.NEXT_PID)
    if stop < 0:
        return False
    keep_name(data, at, stop, names[1])
    at = stop + len(w.NEXT_PID)
    event["target_tid"] = identity(data, at, end)
    return has(data, past_number(data, at, end), end, w.NEXT_PRIO)


@lean
def _read_fork(data: Bytes, at: int, end: int, event: Row, names: Bytes) -> bool:
    """[parent_]comm=NAME [parent_]pid=PID child_comm=NAME child_pid=PID"""
    if has(data, at, end, w.PARENT_COMM):
        at = name_end(data, at + len(w.PARENT_COMM), end, w.PARENT_PID)
    elif has(data, at, end, w.COMM):
        at = name_end(data, at + len(w.COMM), end, w.PID)
    else:
        return False
    at = NOWHERE if at < 0 else find(data, at, end, w.CHILD_COMM)
    if at < 0:
        return False
    at += len(w.CHILD_COMM)
    stop = name_end(data, at, end, w.CHILD_PID)
    if stop < 0:
        return False
    keep_name(data, at, stop, names[1])
    event["target_tid"] = identity(data, stop + len(w.CHILD_PID), end)
    return True


@lean
def _read_wakee(data: Bytes, at: int, end: int, event: Row, names: Bytes) -> bool:
    """NAME:PID [PRIO] CPU:CPU"""
    stop = _pair_end(data, at, end, False)
    if stop < 0:
        return False
    keep_name(data, at, stop, names[1])
    event["target_tid"] = identity(data, stop + 1, end)
    event["target_cpu"] = min(field(data, stop, end, w.CPU), LARGEST_ID)
    return True


@lean
def read_task_event(data: Bytes, at: int, end: int, kind: int, event: Row, names: Bytes) -> bool:
    """All but the switch: comm=NAME pid=PID and one number more, whose name depends on the kind."""
    if kind == _EXEC:
        return True
    if kind == _FORK:
        return _read_fork(data, at, end, event, names)
    if not has(data, at, end, w.COMM):
        return _read_wakee(data, at, end, event, names)
    at += len(w.COMM)
    stop = name_end(data, at, end, w.PID)
    if stop < 0:
        return False
    keep_name(data, at, stop, names[1])
    at = stop + len(w.PID)
    event["target_tid"] = identity(data, at, end)
    if kind == _STAT_RUNTIME:
        runtime_ns = field(data, at, end, w.RUNTIME)
        event["value"] = runtime_ns
        return bool(runtime_ns >= 0)
    if kind == _MIGRATE:
        cpu = min(field(data, at, end, w.DEST_CPU), LARGEST_ID)
        event["target_cpu"] = cpu
        return bool(cpu >= 0)
    if kind != _EXIT:
        event["target_cpu"] = min(field(data, at, end, w.TARGET_CPU), LARGEST_ID)
    return True


@lean
def read_note(data: Bytes, at: int, end: int, event: Row, names: Bytes) -> Number:
    """perf's FORK(PID:TID):(PID:TID), EXIT the same, COMM[ exec]: NAME:PID/TID. Returns the kind; -1: another."""
    if has(data, at, end, w.NOTE_FORK) or has(data, at, end, w.NOTE_EXIT):
        kind = _FORK if has(data, at, end, w.NOTE_FORK) else _EXIT
        at += len(w.NOTE_FORK)
        event["value"] = identity(data, at, end)
        at = past_number(data, at, end) + 1
        event["target_tid"] = identity(data, at, end)
        at = past_number(data, at, end) + len("):(")
        event["tgid"] = identity(data, at, end)
        event["tid"] = identity(data, past_number(data, at, end) + 1, end)
        if kind == _EXIT:  # it is the ending task itself that reports
            event["tid"], event["tgid"] = event["target_tid"], event["value"]
        return kind
    if not has(data, at, end, w.NOTE_COMM):
        return NOWHERE
    at += len(w.NOTE_COMM)
    event["flags"] = EXECUTED if has(data, at, end, w.EXEC_NOTE) else 0
    at = find(data, at, end, w.NAME_BEGINS)
    stop = end - 1
    while stop > at and data[stop] != COLON:
        stop -= 1
    if at < 0 or stop <= at:
        return NOWHERE
    keep_name(data, at + len(w.NAME_BEGINS), stop, names[1])
    event["value"] = identity(data, stop + 1, end)
    event["target_tid"] = identity(data, past_number(data, stop + 1, end) + 1, end)
    event["tid"] = event["tgid"] = NOWHERE
    return _COMM
