"""Which records count: times that contradict those around them, and what matters for scheduling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracekit.jit import cached_njit, lean
from tracekit.sources.kernel.events import Records, Rows, wide
from tracekit.sources.perf_data.walk import LOST, LOST_SAMPLES, SAMPLE, SWITCH, SWITCH_CPU_WIDE

Chosen = npt.NDArray[np.bool_]


class Past(NamedTuple):
    """By CPU: the times of its last sound sample and of the one before (-1: none), and the last one's row."""

    last_ns: Rows
    before_ns: Rows
    last_row: Rows


@lean
def _judge_time(row: int, cpu: int, time_ns: int, past: Past, tolerance_ns: int, verdicts: Rows) -> None:
    """The odd one out of three times in a row on one CPU gets the time before it as its verdict."""
    previous = past.last_ns[cpu]
    if previous >= 0 and time_ns < previous - tolerance_ns:
        earlier = past.before_ns[cpu]
        if earlier >= 0 and time_ns < earlier - tolerance_ns:
            verdicts[row] = previous
            return
        if past.last_row[cpu] >= 0:
            verdicts[past.last_row[cpu]] = earlier if earlier >= 0 else time_ns
    else:
        past.before_ns[cpu] = previous
    past.last_ns[cpu] = time_ns
    past.last_row[cpu] = row


@cached_njit
def judge(records: Records, first_row: int, past: Past, tolerance_ns: int, verdicts: Rows) -> None:
    """Look at new records in file order; `verdicts` are of rows from `first_row` on, and of those kept before.

    A sample whose time jumps back by more than the tolerance, or forth and then back, gets the time of the CPU's
    sample before it; so does a note of lost records. All others keep what they have.
    """
    cpus = len(past.last_ns)
    for number in range(len(records)):
        record = records[number]
        cpu, time_ns, kind = wide(record["cpu"]), record["time_ns"], record["type"]
        if cpu < 0 or cpu >= cpus or time_ns <= 0:
            continue
        if kind in (SAMPLE, SWITCH, SWITCH_CPU_WIDE):
            _judge_time(first_row + number, cpu, time_ns, past, tolerance_ns, verdicts)
        elif kind in (LOST, LOST_SAMPLES) and past.last_ns[cpu] >= 0:
            verdicts[first_row + number] = min(past.last_ns[cpu], time_ns)


@cached_njit
def choose(
    records: Records, first_row: int, verdicts: Rows, planned: Chosen, switches: bool, wanted: Chosen
) -> int:  # fmt: skip
    """Which rows matter for scheduling (`wanted`), of new records and of those before `first_row`, which all do.

    Samples that are `planned`, by event, switches where these are used, and notes about tasks; none with a verdict.
    Returns how many samples have one.
    """
    astray = 0
    for row in range(len(wanted)):
        odd = verdicts[row] >= 0
        if row < first_row:
            wanted[row] = not odd
            astray += odd
            continue
        kind, attr = records[row - first_row]["type"], records[row - first_row]["attr"]
        if kind in (LOST, LOST_SAMPLES):
            wanted[row] = False
            continue
        astray += odd
        if kind == SAMPLE:
            wanted[row] = not odd and attr >= 0 and planned[attr]
        elif kind in (SWITCH, SWITCH_CPU_WIDE):
            wanted[row] = not odd and switches
        else:
            wanted[row] = True
    return astray


def contradicted(records: Records, verdicts: Rows) -> Chosen:
    """Which records have a time that can't be: notes of lost records have a verdict of another meaning."""
    found: Chosen = (verdicts >= 0) & ~np.isin(records["type"], (LOST, LOST_SAMPLES))
    return found
