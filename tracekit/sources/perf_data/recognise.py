"""Which event is which when their formats are lost: a cut file, as perf writes the formats at the very end.

Nothing is taken on trust: an event counts as recognised when every one of its samples fits one of the layouts
that the kernel has had (include/trace/events/sched.h), in every field and to the last byte, and no other. What
fits none or several is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import CPU_MAX, PID_MAX, Records, Rows
from tracekit.sources.kernel.formats import EventFormat, Field
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.header import Header
from tracekit.sources.perf_data.layout import TRACEPOINT
from tracekit.sources.perf_data.numbers import Bytes
from tracekit.sources.perf_data.records import Recorded

LEAST_SAMPLES = 8  # fewer prove too little
_FORK_CHILD_AT = 16
_COMMON_SIZE = 8
_SIZES = {"comm": 16, "loc": 4, "i32": 4, "u64": 8}  # loc: where a text is, behind the fields (__data_loc)

_WAKE = (("comm", "comm"), ("pid", "i32"), ("prio", "i32"), ("target_cpu", "i32"))
_MOVE = (("pid", "i32"), ("prio", "i32"), ("orig_cpu", "i32"), ("dest_cpu", "i32"))
_RUNTIME = (("pid", "i32"), ("runtime", "u64"))
# Names of fields and their types, in order. Of wakeups all have the same.
_LAYOUTS: dict[str, tuple[tuple[tuple[str, str], ...], ...]] = {
    "sched_switch": ((
        ("prev_comm", "comm"), ("prev_pid", "i32"), ("prev_prio", "i32"), ("prev_state", "u64"),
        ("next_comm", "comm"), ("next_pid", "i32"), ("next_prio", "i32")),),
    "wake": (_WAKE,),
    "sched_migrate_task": ((("comm", "comm"), *_MOVE), (("comm", "loc"), *_MOVE)),
    "sched_stat_runtime": ((("comm", "comm"), *_RUNTIME), (("comm", "loc"), *_RUNTIME)),
}  # fmt: skip

Numbers = npt.NDArray[np.int64]
_PRIORITY: Callable[[Numbers], npt.NDArray[np.bool_]] = lambda x: (x >= -1) & (x < 140)  # noqa: E731 (MAX_PRIO)
_PID: Callable[[Numbers], npt.NDArray[np.bool_]] = lambda x: (x >= 0) & (x <= PID_MAX)  # noqa: E731
_CPU: Callable[[Numbers], npt.NDArray[np.bool_]] = lambda x: (x >= 0) & (x < CPU_MAX)  # noqa: E731
# What holds for every value of a field.
_HOLDS: dict[str, Callable[[Numbers], npt.NDArray[np.bool_]]] = {
    "prev_prio": _PRIORITY, "next_prio": _PRIORITY, "prio": _PRIORITY, "prev_pid": _PID, "next_pid": _PID, "pid": _PID,
    "target_cpu": _CPU, "orig_cpu": _CPU, "dest_cpu": _CPU,
    "prev_state": lambda x: (x >= 0) & (x < 1 << 12),
    "runtime": lambda x: (x > 0) & (x < 1 << 32),
}  # fmt: skip


def recognise(data: Bytes, header: Header, recorded: Recorded) -> list[EventFormat | None]:
    """A format for each event that its samples prove; None for all others."""
    found: list[EventFormat | None] = []
    for number, attr in enumerate(header.attrs):
        rows = recorded.records[(recorded.records["type"] == walk.SAMPLE) & (recorded.records["attr"] == number)]
        whole = attr.type == TRACEPOINT and len(rows) >= LEAST_SAMPLES
        fits = list(_fitting(data, rows, recorded.layouts, attr.config, header.big)) if whole else []
        found.append(fits[0] if len(fits) == 1 else None)
    return _name_wakeups(data, header.big, recorded.records, recorded.layouts, found)


def _fitting(data: Bytes, rows: Records, layouts: Rows, config: int, big: bool) -> Iterator[EventFormat]:
    places = walk.raw_places(data, rows, layouts, big)
    if (places < 0).any():
        return
    sizes = _column(data, places - 4, 4, big)
    if int(sizes.min()) < _COMMON_SIZE or (_column(data, places, 2, big) != config).any():
        return
    for name, choices in _LAYOUTS.items():
        for choice in choices:
            fields, end = _fields(choice)
            if int(sizes.min()) >= end and _fits(data, places, sizes, fields, end, big):
                yield EventFormat(name, config, fields, "")


def _fields(layout: tuple[tuple[str, str], ...]) -> tuple[dict[str, Field], int]:
    """Fields where a C struct has them, behind the common ones, and the struct's end."""
    fields = {"common_flags": Field(2, 1, False, False), "common_pid": Field(4, 4, True, False)}
    at = _COMMON_SIZE
    for name, kind in layout:
        size = _SIZES[kind]
        at = at if kind == "comm" else -(-at // size) * size
        fields[name] = Field(at, size, kind == "i32", kind == "loc")
        at += size
    return fields, at


def _fits(data: Bytes, places: Rows, sizes: Rows, fields: dict[str, Field], end: int, big: bool) -> bool:
    own = _column(data, places, 4, big, 4)
    texts = np.zeros(len(places), np.int64)
    for name, field in fields.items():
        if name in _HOLDS:
            values = _column(data, places, field.size, big, field.offset)
            if not _HOLDS[name](values).all() or (name == "prev_pid" and (values != own).any()):
                return False
        elif field.dynamic:
            word = _column(data, places, 4, big, field.offset)
            texts = word >> 16
            if (word & 0xFFFF != end).any() or ((texts < 1) | (texts > 16)).any():
                return False
        elif field.size == 16 and not _are_names(data, places + field.offset):
            return False
    padded = -(-(end + texts + 4) // 8) * 8 - 4  # with the 32-bit size before it, raw data fills up 8 bytes
    return bool((sizes == padded).all())


def _are_names(data: Bytes, places: Rows) -> bool:
    names = data[places[:, None] + np.arange(16)]
    return bool((names[:, 0] != 0).all() and (names == 0).any(axis=1).all())


def _column(data: Bytes, places: Rows, size: int, big: bool, offset: int = 0) -> Numbers:
    """The number of `size` bytes at each place; those of 2 unsigned, others signed."""
    code = f"{'>' if big else '<'}{'u' if size == 2 else 'i'}{size}"
    raw = data[(places + offset)[:, None] + np.arange(size)]
    return np.ascontiguousarray(raw).view(code)[:, 0].astype(np.int64)


def _name_wakeups(
    data: Bytes, big: bool, records: Records, layouts: Rows, found: list[EventFormat | None]
) -> list[EventFormat | None]:
    """wakeup_new is for forked tasks, once each. Of the others, one alone is the event that makes runnable.

    Nobody wakes only itself: sched_process_exit has the same layout and is about itself alone.
    """
    forks = records[(records["type"] == walk.FORK) & (records["size"] >= _FORK_CHILD_AT + 4)]["at"]
    forked = _column(data, forks, 4, big, _FORK_CHILD_AT)
    others = []
    for number, event in enumerate(found):
        if event is None or event.name != "wake":
            continue
        rows = records[(records["type"] == walk.SAMPLE) & (records["attr"] == number)]
        places = walk.raw_places(data, rows, layouts, big)
        targets = _column(data, places, 4, big, event.fields["pid"].offset)
        own = _column(data, places, 4, big, event.fields["common_pid"].offset)
        found[number] = None
        if (targets == own).all():
            continue
        new = len(np.unique(targets)) == len(targets) and bool(np.isin(targets, forked).all())
        if new:
            found[number] = EventFormat("sched_wakeup_new", event.id, event.fields, "")
        else:
            others.append((number, event))
    if len(others) == 1:
        number, event = others[0]
        found[number] = EventFormat("sched_waking", event.id, event.fields, "")
    return found
