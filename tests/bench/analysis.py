"""How long each analysis of 10 million intervals takes, and how many accesses a second the race detector sees."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tests.bench.registry import Measurement, benchmark, seconds
from tracekit.analysis.catalog import ANALYSES, analyze
from tracekit.analysis.races.detector import CODES, Operations, detect
from tracekit.tables.build import table
from tracekit.tables.bundle import Trace
from tracekit.tables.order import canonical
from tracekit.vocabulary import COUNTERS, RANGES, REASONS, STATES

INTERVALS = 10_000_000
ACCESSES = 20_000_000
_CPUS, _TASKS, _STEP_NS = 4, 64, 1_000


def large_trace(intervals: int) -> Trace:
    """Tasks that take turns on each CPU: one runs, wakes the next but one and blocks; repeated to the length asked for.

    Of each task the states follow one another as RUNNING, BLOCKED, RUNNABLE. Every 100th turn has a collection.
    """
    turns = intervals // 3
    own = _TASKS // _CPUS
    turn = np.arange(turns)
    cpu, at = turn % _CPUS, turn // _CPUS * _STEP_NS
    task = (turn // _CPUS) % own + cpu * own
    rest, queue = (own - 3) * _STEP_NS, 2 * _STEP_NS  # of a round, between two turns of one task
    states = (("RUNNING", 0, _STEP_NS, None), ("BLOCKED", _STEP_NS, _STEP_NS + rest, "lock"),
              ("RUNNABLE", _STEP_NS + rest, _STEP_NS + rest + queue, "wakeup"))  # fmt: skip
    parts = [(task, cpu, state, at + start, at + end, reason) for state, start, end, reason in states]
    start = np.concatenate([part[3] for part in parts])
    order = np.argsort(start, kind="stable")

    def column(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(values)[order]

    codes = [(STATES[p[2]], -1 if p[5] is None else REASONS[p[5]]) for p in parts]
    woken_at = at + _STEP_NS + rest
    waker = (turn // _CPUS + own - 3) % own + cpu * own  # who is on the CPU at that time
    waking = np.argsort(woken_at, kind="stable")
    starts = at[::100].astype(np.int64)
    return Trace({
        "tasks": table("tasks", {"task_id": np.arange(_TASKS, dtype=np.int32), "name": [f"task {i}" for i in range(_TASKS)],
                                 "kind": ["goroutine"] * _TASKS}, rows=_TASKS),
        "intervals": canonical("intervals", table("intervals", {
            "task_id": column([p[0].astype(np.int32) for p in parts]),
            "cpu": column([np.where(s == STATES["BLOCKED"], -1, p[1]).astype(np.int32) for p, (s, _) in zip(parts, codes, strict=True)]),
            "state": column([np.full(turns, s, np.int8) for s, _ in codes]),
            "reason": column([np.full(turns, r, np.int8) for _, r in codes]),
            "start_ns": column([p[3] for p in parts]), "end_ns": column([p[4] for p in parts]),
        })),
        "wakeups": table("wakeups", {"at_ns": woken_at[waking], "waker_id": waker[waking].astype(np.int32),
                                     "wakee_id": task[waking].astype(np.int32)}),
        "gaps": table("gaps", {}, rows=0),
        "ranges": table("ranges", {
            "range_id": np.arange(min(len(starts), 2000), dtype=np.int32), "kind": np.full(min(len(starts), 2000), RANGES["gc"], np.int8),
            "start_ns": starts[:2000], "end_ns": starts[:2000] + 500}),
        "counters": table("counters", {"at_ns": starts, "kind": np.full(len(starts), COUNTERS["heap_bytes"], np.int8), "value": starts}),
    }, {"cpus": _CPUS, "form": "goroutine", "end_ns": int(start.max()) + _STEP_NS})  # fmt: skip


_MADE: dict[int, Trace] = {}


def _analysis(what: str) -> Callable[[], Measurement]:
    def measure() -> Measurement:
        analyze(large_trace(3_000), what)  # compiles what is not compiled yet
        if INTERVALS not in _MADE:
            _MADE[INTERVALS] = large_trace(INTERVALS)
        made = _MADE[INTERVALS]
        began = time.perf_counter()
        analyze(made, what)
        return Measurement(value=time.perf_counter() - began)

    return measure


for _what in ANALYSES:
    benchmark(f"analyze-{_what}", unit="s", goal=10, better="lower")(_analysis(_what))


@benchmark("races", unit="accesses/s", goal=2e6)
def races() -> Measurement:
    """Eight tasks, a hundred variables each behind one of ten locks, and ten accesses while holding one."""
    chance = np.random.default_rng(1)
    turns = ACCESSES // 10
    task = np.repeat(chance.integers(0, 8, turns), 12)
    lock = np.repeat(chance.integers(0, 10, turns), 12)
    place = np.tile(np.arange(12), turns)
    variable = 10 + lock * 10 + chance.integers(0, 10, len(place))
    access = np.where(chance.integers(0, 4, len(place)) == 0, CODES["write"], CODES["read"])
    kind = np.where(place == 0, CODES["lock"], np.where(place == 11, CODES["unlock"], access)).astype(np.int8)
    thing = np.where((place == 0) | (place == 11), lock, variable).astype(np.int32)
    history = Operations(kind, task.astype(np.int32), thing, np.zeros(110, np.int64))
    assert not detect(history, 8).count.any()
    return Measurement(value=ACCESSES / seconds(lambda: detect(history, 8), repeat=3))
