"""Lines to events: one compiled loop over a window of whole lines."""

from __future__ import annotations

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import (
    CPU_MAX,
    EVENT_KINDS,
    PREV_STATE_CODES,
    Number,
    Row,
    Rows,
    wide,
)
from tracekit.sources.kernel_text import words as w
from tracekit.sources.kernel_text.header import (
    FRACTION,
    H_CPU,
    H_FLAGS,
    H_TGID,
    H_TID,
    HAS_DASH,
    HAS_FLAGS,
    TIME,
    read_header,
)
from tracekit.sources.kernel_text.payload import read_note, read_switch, read_task_event
from tracekit.sources.kernel_text.scan import (
    CLOSE_ROUND,
    COLON,
    NEWLINE,
    NOWHERE,
    OPEN_ROUND,
    find,
    has,
    identity,
    is_digit,
    next_byte,
    number,
    past_number,
    past_spaces,
)
from tracekit.sources.kernel_text.state import (
    COMMENTS,
    DAMAGED,
    FINEST,
    HEADERS,
    LAST_NS,
    LOST_UNKNOWN,
    N_COMMENTS,
    NOT_LOST,
    OTHER_TID,
    PERF_LINES,
    SWITCHES,
    SYSTEM_CALLS,
    TICKS,
    WAKEUPS,
    WITH_FLAGS,
    WITH_TID,
    Parsed,
    Reading,
)
from tracekit.sources.kernel_text.words import NAME_BYTES, Bytes
from tracekit.vocabulary import GAP_CAUSES

_SWITCH, _COMM, _FORK = (wide(EVENT_KINDS[kind]) for kind in ("switch", "comm", "fork"))
_WAKING, _WAKEUP = (wide(EVENT_KINDS[kind]) for kind in ("waking", "wakeup"))
_SYS_ENTER, _SYS_EXIT = (wide(EVENT_KINDS[kind]) for kind in ("sys_enter", "sys_exit"))
_OTHER_STATE: Number = wide(PREV_STATE_CODES["?"])
_LOST_RECORDS, _CORRUPT = (wide(GAP_CAUSES[cause]) for cause in ("lost_records", "corrupt"))
_HASH: Number = wide(ord("#"))
_C: Number = wide(ord("C"))
_LOST_MOST = 1 << 48  # more is no count, and sums of it must fit 64 bits


@lean
def _add_gap(into: Parsed, cpu: int, start_ns: int, end_ns: int, lost: int, cause: int) -> None:
    gap = into.gaps[into.found[1]]
    into.found[1] += 1
    gap["cpu"] = cpu
    gap["start_ns"] = start_ns
    gap["end_ns"] = max(start_ns, end_ns)
    gap["lost_events"] = min(lost, _LOST_MOST)
    gap["cause"] = cause


@lean
def _kind(data: Bytes, at: int, end: int) -> Number:
    """The kind of the tracepoint whose name begins at `at`, behind its "sched_"; -1: another."""
    for row in range(len(w.LENGTHS)):
        stop = at + w.LENGTHS[row]
        begins_so = stop < end and data[stop] == COLON and data[at] == w.NAMES[row, 0]
        if begins_so and has(data, at, stop, w.NAMES[row, : w.LENGTHS[row]]):
            return wide(row)
    return NOWHERE


@lean
def _blank(event: Row, names: Bytes, said: Rows, use_tids: bool) -> None:
    for role in range(2):
        for place in range(NAME_BYTES):
            names[role, place] = 0
    event["time_ns"] = said[TIME]
    event["cpu"] = said[H_CPU]
    event["tid"] = said[H_TID] if use_tids else NOWHERE
    event["tgid"] = said[H_TGID] if use_tids else NOWHERE
    event["flags"] = said[H_FLAGS]
    event["value"] = event["target_tid"] = event["target_cpu"] = NOWHERE
    event["prev_state"] = _OTHER_STATE


@lean
def _scheduling(data: Bytes, at: int, end: int, r: Reading, into: Parsed, row: int) -> None:
    """The event whose text begins at `at` and whose tracepoint is the one of `row`."""
    counts, said = r.counts, r.said
    event, names = into.events[into.found[0]], into.names[into.found[0]]
    _blank(event, names, said, r.use_tids[0] != 0)
    kind = w.KINDS[row]
    event["kind"] = kind
    if kind == _SWITCH:
        whole = read_switch(data, at, end, event, names, r.states)
        same = event["tid"] == said[H_TID]
        counts[SWITCHES] += 1
        counts[WITH_TID] += same
        counts[OTHER_TID] += not same and said[H_TID] >= 0
        if not same:
            event["tgid"] = NOWHERE
    else:
        whole = read_task_event(data, at, end, kind, event, names)
    if not whole:
        counts[DAMAGED] += 1
        _add_gap(into, said[H_CPU], said[TIME], said[TIME], 1, _CORRUPT)
        return
    if kind in (_WAKING, _WAKEUP):
        counts[WAKEUPS] += 1
    into.found[0] += 1


@lean
def _note(data: Bytes, at: int, end: int, r: Reading, into: Parsed) -> None:
    """A line of perf's about a record that is no sample."""
    said, cpu = r.said, r.said[H_CPU]
    if has(data, at, end, w.NOTE_LOST):
        count = number(data, past_spaces(data, at + len(w.NOTE_LOST), end), end)
        _add_gap(into, cpu, max(r.seen_ns[cpu], 0), said[TIME], count, _LOST_RECORDS)
        return
    event, names = into.events[into.found[0]], into.names[into.found[0]]
    _blank(event, names, said, False)
    event["flags"] = 0
    kind = read_note(data, at, end, event, names)
    if kind < 0 or event["target_tid"] < 0:
        return
    event["kind"] = kind
    if kind in (_COMM, _FORK):
        event["cpu"] = NOWHERE
    into.found[0] += 1


@lean
def _event_line(data: Bytes, at: int, end: int, r: Reading, into: Parsed) -> None:
    """A line whose header has been read: its event's name begins at `at`, perhaps behind a period."""
    counts, said = r.counts, r.said
    at = past_spaces(data, at, end)
    if at < end and is_digit(data[at]):  # a period, where perf was asked for it
        at = past_spaces(data, past_number(data, at, end), end)
    elif at < end and data[at] == OPEN_ROUND:  # the time since the line before, where trace-cmd was asked for it
        while at < end and data[at] != CLOSE_ROUND:
            at += 1
        at = past_spaces(data, at + 1, end)
    if has(data, at, end, w.NOTE):
        counts[PERF_LINES] += 1
        _note(data, at + len(w.NOTE), end, r, into)
        return
    prefix = len(w.SCHED_COLON) if has(data, at, end, w.SCHED_COLON) else 0
    prefix = len(w.RAW_COLON) if has(data, at, end, w.RAW_COLON) else prefix
    if prefix:
        counts[PERF_LINES] += 1
        at += prefix
        if said[HAS_DASH]:
            said[H_TID] = NOWHERE  # perf writes a task that has gone as -1
    if has(data, at, end, w.SCHED):
        at += len(w.SCHED)
        row = _kind(data, at, end)
        if row >= 0:
            _count_columns(counts, said)
            _scheduling(data, past_spaces(data, wide(at + w.LENGTHS[row] + 1), end), end, r, into, row)
    elif has(data, at, end, w.SYS_ENTER) or has(data, at, end, w.SYS_EXIT):
        _system_call(data, at, end, r, into)


@lean
def _count_columns(counts: Rows, said: Rows) -> None:
    counts[TICKS] += said[FRACTION] == 0
    counts[WITH_FLAGS] += said[HAS_FLAGS]
    counts[FINEST] = max(counts[FINEST], said[FRACTION])


@lean
def _system_call(data: Bytes, at: int, end: int, r: Reading, into: Parsed) -> None:
    """sys_enter: NR NUMBER (…) or sys_exit: NR NUMBER = RESULT; raw, id=NUMBER."""
    event, names = into.events[into.found[0]], into.names[into.found[0]]
    _blank(event, names, r.said, r.use_tids[0] != 0)
    enters = has(data, at, end, w.SYS_ENTER)
    event["kind"] = _SYS_ENTER if enters else _SYS_EXIT
    at = past_spaces(data, at + len(w.SYS_ENTER if enters else w.SYS_EXIT), end)
    for key in (w.NR, w.ID):
        if has(data, at, end, key):
            event["value"] = number(data, at + len(key), end)
    r.counts[SYSTEM_CALLS] += enters
    into.found[0] += 1


@lean
def _remark(data: Bytes, begin: int, end: int, r: Reading, into: Parsed) -> None:
    """A line that is no event: a comment, a loss, or anything else."""
    counts = r.counts
    at: Number = begin
    if data[begin] == _HASH:
        if has(data, begin, end, w.BUFFER_LINE):
            at = begin + len(w.BUFFER_LINE)
        elif counts[N_COMMENTS] < COMMENTS:
            into.comments[counts[N_COMMENTS], 0] = begin
            into.comments[counts[N_COMMENTS], 1] = end
            counts[N_COMMENTS] += 1
    elif has(data, begin, end, w.CPU_LINE):
        at = begin + len(w.CPU_LINE)
        if find(data, at, end, w.LOST) < 0 and find(data, at, end, w.DROPPED) < 0:
            return
    if at == begin:
        return
    cpu = identity(data, at, end)
    if cpu < 0 or cpu >= CPU_MAX:
        return
    count = LOST_UNKNOWN
    for place in range(past_number(data, at, end), end):
        if is_digit(data[place]):
            count = number(data, place, end)
            break
    r.lost[cpu] = count


@lean
def _line(data: Bytes, begin: int, end: int, r: Reading, into: Parsed) -> None:
    if begin >= end:
        return
    if data[begin] == _HASH or (data[begin] == _C and has(data, begin, end, w.CPU_LINE)):
        _remark(data, begin, end, r, into)
        return
    said = r.said
    at = read_header(data, begin, end, said)
    if at < 0 or said[H_CPU] < 0 or said[H_CPU] >= CPU_MAX:
        return
    cpu = said[H_CPU]
    r.counts[HEADERS] += 1
    if r.lost[cpu] != NOT_LOST:
        _add_gap(into, cpu, max(r.seen_ns[cpu], 0), said[TIME], r.lost[cpu], _LOST_RECORDS)
        r.lost[cpu] = NOT_LOST
    _event_line(data, at, end, r, into)
    r.seen_ns[cpu] = said[TIME]
    r.counts[LAST_NS] = max(r.counts[LAST_NS], said[TIME])


@cached_njit
def parse(data: Bytes, begin: int, r: Reading, into: Parsed) -> int:
    """Read whole lines, of which the first begins at `begin`, into `into`. Returns where it stopped: before the end
    when there was no room for one more."""
    begin, last = wide(begin), len(data) - 1
    into.found[:] = 0
    while begin <= last and into.found[0] < len(into.events) and into.found[1] + 2 <= len(into.gaps):
        end = next_byte(data, begin, last, NEWLINE)
        _line(data, begin, end, r, into)
        begin = end + 1
    return begin
