"""What a file's events are, and how their samples are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.kernel.events import EVENT_KINDS, GENERIC_NUMBERS, SCHEDULING_KINDS, Rows
from tracekit.sources.kernel.formats import EventFormat
from tracekit.sources.kernel.syscalls import has_generic_numbers
from tracekit.sources.kernel.tracepoints import ADDED, KIND
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.decode import Plan, plan
from tracekit.sources.perf_data.features import Notes
from tracekit.sources.perf_data.header import Header
from tracekit.sources.perf_data.layout import (
    CONTEXT_SWITCH,
    CPU_AT,
    END_CPU,
    END_TID,
    END_TIME,
    HAS_RAW,
    TIME_AT,
    TRACEPOINT,
)
from tracekit.sources.perf_data.recognise import Recogniser
from tracekit.sources.perf_data.records import Windows

HOW_TO_RECORD = "record with: perf sched record -k CLOCK_MONOTONIC -- COMMAND"
_SYSTEM_CALLS = (EVENT_KINDS["sys_enter"], EVENT_KINDS["sys_exit"])


@dataclass
class Planned:
    """Layouts and formats by event, how to read them, and what was chosen for that."""

    layouts: Rows
    formats: list[EventFormat | None]
    plan: Plan
    policies: list[dict[str, object]] = field(default_factory=list)


def planned(header: Header, notes: Notes, layouts: Rows, windows: Callable[[], Windows], where: str) -> Planned:
    """`windows` begins to read the file anew, which is needed when its formats are lost. Raises SourceError."""
    switches = _tells_switches(header, layouts)
    traced = any(attr.type == TRACEPOINT for attr in header.attrs)
    if not traced and not switches and any(attr.flags & CONTEXT_SWITCH for attr in header.attrs):
        remedy = "record with: perf record --switch-events --timestamp --sample-cpu"
        raise SourceError("its switches lack time or CPU", where=where, remedy=remedy)
    if not traced and not switches:
        raise SourceError("it has no tracepoints, so no scheduling events", where=where, remedy=HOW_TO_RECORD)
    if notes.formats or not traced:
        formats = [notes.formats.get(attr.config) if attr.type == TRACEPOINT else None for attr in header.attrs]
    else:
        formats = recognised(header, layouts, windows())
    how = plan(formats)
    scheduling = (how.rows[:, KIND] >= 0) & (how.rows[:, KIND] < SCHEDULING_KINDS)
    how.switches = switches and not (how.rows[:, KIND] == EVENT_KINDS["switch"]).any()
    if not scheduling.any() and not how.switches:
        raise _no_events(notes, formats, where)
    used = layouts[how.rows[:, KIND] >= 0]
    if (used[:, [TIME_AT, CPU_AT]] < 0).any() or not used[:, HAS_RAW].all():
        raise SourceError("its samples lack time, CPU or raw data", where=where, remedy=HOW_TO_RECORD)
    found = Planned(layouts, formats, how)
    _plan_system_calls(found, notes)
    if traced and not notes.formats:
        found.policies.append(_recognition(header, formats))
    if switches and not how.switches:
        choice = "sched_switch; PERF_RECORD_SWITCH is left out"
        found.policies.append({"policy": "switches are recorded twice", "choice": choice, "count": 1})
    return found


def recognised(header: Header, layouts: Rows, windows: Windows) -> list[EventFormat | None]:
    """Formats that all samples of the file prove."""
    recogniser, none, last = Recogniser(header, layouts), np.empty(0, walk.RECORD), False
    while not last:
        window = windows.next(none)
        recogniser.take(window.data, window.records)
        last = window.last
    return recogniser.formats()


def _tells_switches(header: Header, layouts: Rows) -> bool:
    """Whether switches are recorded beside the samples, with the time, the CPU and the task of each."""
    told = [bool(attr.flags & CONTEXT_SWITCH) for attr in header.attrs]
    found: bool = any(told) and bool((layouts[np.array(told)][:, [END_TID, END_TIME, END_CPU]] < 0).all())
    return found


def _no_events(notes: Notes, formats: list[EventFormat | None], where: str) -> SourceError:
    if notes.formats or any(formats):
        return SourceError("it has no scheduling events", where=where, remedy=HOW_TO_RECORD)
    return SourceError(
        "the formats of its events are lost: perf writes them at the end of the file, and that is missing",
        where=where,
        remedy="copy the file again, whole, or record again and let perf finish",
    )


def _plan_system_calls(found: Planned, notes: Notes) -> None:
    """Their numbers mean what they mean on the machine that recorded; of one that is not known they mean nothing."""
    kinds = found.plan.rows[:, KIND]
    calls = np.isin(kinds, _SYSTEM_CALLS)
    generic = has_generic_numbers(notes.machine)
    found.plan.rows[kinds == EVENT_KINDS["sys_enter"], ADDED] = GENERIC_NUMBERS if generic else 0
    if calls.any() and generic is None:
        kinds[calls] = -1
        choice = "left out: the numbers of this machine's are not known"
        found.policies.append({"policy": f"system calls of {notes.machine}", "choice": choice, "count": 1})


def _recognition(header: Header, formats: list[EventFormat | None]) -> dict[str, object]:
    """The policy of a file without formats: which events were recognised by their samples, and which were not."""
    names = [event.name for event in formats if event]
    lost = sum(attr.type == TRACEPOINT for attr in header.attrs) - len(names)
    choice = f"recognised by all their samples: {', '.join(names)}; left out: {lost} others"
    return {"policy": "the formats of the events are lost", "choice": choice, "count": len(names)}
