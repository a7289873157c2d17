"""Scheduling events written as text, and the tables they make written as text: for tests that people read.

An event is a line `TIME CPU TID KIND …`, where TID is the task current on the CPU:

    100 cpu0 1 switch S 2       1 leaves in state S, 2 enters; `switch S 2 lock`: its callchain says that it waits for that
    100 cpu0 1 waking 2 cpu1    1 wakes 2, last on cpu1; `irq` at the end: in hard interrupt context
    100 cpu0 1 wakeup 2 cpu1    100 cpu0 1 wakeup_new 2 cpu0    100 cpu0 1 migrate 2 cpu1
    100 cpu0 1 stat_runtime 1 50      100 cpu0 1 sys_enter 202      100 cpu0 1 sys_exit 202
    100 cpu0 1 fork 2           the tracepoint;  `100 - 1 fork 2` is a recorder's note
    100 - 0 exit 2              100 - 0 comm 2 name          0 - 2 known 3 of 3
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from tracekit.sources.kernel.build import Built, build
from tracekit.sources.kernel.events import (
    EVENT_KINDS,
    IN_INTERRUPT,
    PREV_STATE_CODES,
    KernelRecording,
    Records,
    Row,
    Rows,
    blank_events,
)
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check
from tracekit.vocabulary import REASONS


def events_of(text: str) -> tuple[Records, dict[int, str]]:
    """EVENT records, and the names that comm events give, by tid."""
    lines = [line.split() for line in text.strip().splitlines()]
    events, names = blank_events(len(lines)), {}
    for line, event in zip(lines, events, strict=True):
        time, cpu, tid, kind, *rest = line
        event["time_ns"], event["kind"], event["tid"] = int(time), EVENT_KINDS[kind], int(tid)
        event["cpu"] = -1 if cpu == "-" else int(cpu[3:])
        names |= _arguments(event, kind, rest)
    return events, names


def _arguments(event: Row, kind: str, rest: list[str]) -> dict[int, str]:
    if kind == "switch":
        event["prev_state"], event["target_tid"] = PREV_STATE_CODES[rest[0]], int(rest[1])
        event["value"] = REASONS[rest[2]] if len(rest) > 2 else -1
        return {}
    if rest and rest[-1] == "irq":
        event["flags"] = IN_INTERRUPT
        rest = rest[:-1]
    if kind == "exec":
        return {}
    if kind in ("sys_enter", "sys_exit"):
        event["value"] = int(rest[0])
        return {}
    event["target_tid"] = int(rest[0])
    if kind == "stat_runtime":
        event["value"] = int(rest[1])
    elif kind == "comm":
        return {int(rest[0]): rest[1]}
    elif rest[1:2] == ["of"]:
        event["value"] = int(rest[2])
    elif len(rest) > 1:
        event["target_cpu"] = int(rest[1][3:])
    return {}


def built(text: str, wakeup: str = "waking") -> Built:
    """The tables of these events, which keep all laws."""
    events, names = events_of(text)
    given = events.copy()

    def names_of(rows: Rows, roles: npt.NDArray[np.int8]) -> list[str]:
        named = np.where(roles == 0, given["tid"][rows], given["target_tid"][rows])
        return [names.get(tid, "") for tid in named.tolist()]

    made = build(KernelRecording(events, names_of, wakeup=wakeup))
    assert check(Trace(made.tables)) == []
    return made


def tids(made: Built) -> list[int]:
    return made.tables["tasks"]["source_id"].to_pylist()


def intervals(made: Built, tid: int) -> list[str]:
    """`tid`'s intervals in order, as `START-END STATE cpuC (reason) inferred`."""
    found = []
    for row in pl.DataFrame(made.tables["intervals"]).to_dicts():
        if tids(made)[row["task_id"]] == tid:
            cpu = "" if row["cpu"] is None else f" cpu{row['cpu']}"
            reason = f" ({row['reason']})" if row["reason"] else ""
            inferred = " inferred" if row["inferred"] else ""
            found.append(f"{row['start_ns']}-{row['end_ns']} {row['state']}{cpu}{reason}{inferred}")
    return found


def wakeups(made: Built) -> list[str]:
    """All wakeups in order, as `AT WAKER->WAKEE target cpuC (reason)`, tids and `-` for nobody."""
    found = []
    for row in pl.DataFrame(made.tables["wakeups"]).to_dicts():
        waker = "-" if row["waker_id"] is None else tids(made)[row["waker_id"]]
        reason = f" ({row['reason']})" if row["reason"] else ""
        found.append(f"{row['at_ns']} {waker}->{tids(made)[row['wakee_id']]} target cpu{row['target_cpu']}{reason}")
    return found


def gaps(made: Built) -> list[str]:
    """All gaps in order, as `START-END cpuC cause`."""
    rows = pl.DataFrame(made.tables["gaps"]).to_dicts()
    return [
        f"{row['start_ns']}-{row['end_ns']}{'' if row['cpu'] is None else ' cpu' + str(row['cpu'])} {row['cause']}"
        for row in rows
    ]
