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
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.header import Header
from tracekit.sources.perf_data.layout import TRACEPOINT

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


class Recogniser:
    """Takes all of a file's samples, window by window, and tells which event each is of."""

    def __init__(self, header: Header, layouts: Rows) -> None:
        self._big, self._layouts, self._configs = header.big, layouts, [attr.config for attr in header.attrs]
        # by event: what all its samples so far fit; None while there were none
        self._fits: list[list[EventFormat] | None] = [
            None if attr.type == TRACEPOINT else [] for attr in header.attrs
        ]  # fmt: skip
        self._counts = [0] * len(header.attrs)
        self._forked: set[int] = set()
        self._woken: list[_Woken] = [_Woken() for _ in header.attrs]

    def take(self, data: Bytes, records: Records) -> None:
        """More of the file's records."""
        forks = records[(records["type"] == walk.FORK) & (records["size"] >= _FORK_CHILD_AT + 4)]["at"]
        self._forked.update(_column(data, forks, 4, self._big, _FORK_CHILD_AT).tolist())
        for number in np.unique(records["attr"][records["type"] == walk.SAMPLE]).tolist():
            if number < 0 or self._fits[number] == []:
                continue
            rows = records[(records["type"] == walk.SAMPLE) & (records["attr"] == number)]
            self._counts[number] += len(rows)
            found = list(_fitting(data, rows, self._layouts, self._configs[number], self._big))
            before = self._fits[number]
            self._fits[number] = found if before is None else [event for event in before if event in found]
            self._note_woken(data, rows, number)

    def _note_woken(self, data: Bytes, rows: Records, number: int) -> None:
        event = next((event for event in self._fits[number] or [] if event.name == "wake"), None)
        if event:
            places = walk.raw_places(data, rows, self._layouts, self._big)
            targets = _column(data, places, 4, self._big, event.fields["pid"].offset)
            self._woken[number].take(targets, _column(data, places, 4, self._big, event.fields["common_pid"].offset))

    def formats(self) -> list[EventFormat | None]:
        """A format for each event that its samples prove; None for all others."""
        found: list[EventFormat | None] = [
            fits[0] if fits and len(fits) == 1 and count >= LEAST_SAMPLES else None
            for fits, count in zip(self._fits, self._counts, strict=True)
        ]
        return self._named_wakeups(found)

    def _named_wakeups(self, found: list[EventFormat | None]) -> list[EventFormat | None]:
        """wakeup_new is for forked tasks, once each. Of the others, one alone is the event that makes runnable.

        Nobody wakes only itself: sched_process_exit has the same layout and is about itself alone.
        """
        others = []
        for number, event in enumerate(found):
            if event is None or event.name != "wake":
                continue
            found[number] = None
            woken = self._woken[number]
            if woken.once is not None and woken.once <= self._forked and not woken.only_self:
                found[number] = EventFormat("sched_wakeup_new", event.id, event.fields, "")
            elif not woken.only_self:
                others.append((number, event))
        if len(others) == 1:
            number, event = others[0]
            found[number] = EventFormat("sched_waking", event.id, event.fields, "")
        return found


class _Woken:
    """Of an event that may be a wakeup: who was woken, as long as none was twice, and whether only who woke."""

    def __init__(self) -> None:
        self.once: set[int] | None = set()
        self.only_self = True

    def take(self, targets: Numbers, own: Numbers) -> None:
        self.only_self = self.only_self and bool((targets == own).all())
        if self.once is None:
            return
        new = set(targets.tolist())
        self.once = self.once | new if len(new) == len(targets) and not new & self.once else None


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
