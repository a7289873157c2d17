"""Events that can not be: their ids would index arrays, so none of them reaches the loop. What the others come to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import CPU_MAX, PID_MAX, Number, Records, Row, Rows, wide
from tracekit.sources.kernel.world import (
    AIMLESS,
    EXEC,
    EXIT,
    FLAWED,
    NULL,
    STAT_RUNTIME,
    SWITCH,
    SYS_ENTER,
    WAKEUP,
    WAKING,
)

# Positions in what `tally` gives.
SCHEDULING, LAST_NS, TIDS, CPUS, WAKINGS, WAKEUPS, ACCOUNTINGS = (wide(place) for place in range(7))
TALLIES = 7


@lean
def _flaw(event: Row) -> Number:
    tid, target, cpu, kind = event["tid"], event["target_tid"], event["cpu"], event["kind"]
    if tid < -1 or tid > PID_MAX or target < -1 or target > PID_MAX or event["time_ns"] < 0:
        return FLAWED
    if cpu < -1 or cpu >= CPU_MAX or (cpu < 0 and kind == SWITCH):
        return FLAWED
    if target <= 0 and kind not in (SWITCH, EXEC) and kind < SYS_ENTER:
        return AIMLESS if kind >= EXIT else FLAWED
    return NULL


@cached_njit
def find_flaws(events: Records, flaws: npt.NDArray[np.int8]) -> int:
    """Mark events that the loop can not take, and return how many; what is unknown in the others becomes NULL."""
    count = 0
    for row in range(len(events)):
        event = events[row]
        flaw = _flaw(event)
        if flaw != NULL:
            flaws[row] = flaw
            count += 1
        if event["target_cpu"] < 0 or event["target_cpu"] >= CPU_MAX:
            event["target_cpu"] = NULL
        if event["value"] < 0:
            event["value"] = NULL
    return count


@cached_njit
def tally(events: Records, found: Rows) -> None:
    """Of events without flaws: how many are about scheduling, the last of these's time, how many tids and CPUs there
    must be places for, how many are wakings, wakeups and accountings. `found` is zeros."""
    for row in range(len(events)):
        event = events[row]
        kind, cpu = event["kind"], event["cpu"]
        if kind < EXIT and cpu >= 0:
            found[SCHEDULING] += 1
            found[LAST_NS] = event["time_ns"]
        found[TIDS] = max(found[TIDS], wide(event["tid"]) + 1, wide(event["target_tid"]) + 1)
        found[CPUS] = max(found[CPUS], wide(cpu) + 1)
        found[WAKINGS] += kind == WAKING
        found[WAKEUPS] += kind == WAKEUP
        found[ACCOUNTINGS] += kind == STAT_RUNTIME
