"""What needs whole programs: memory per task, and what recording costs. Run by the runners themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import polars as pl

from tracekit.errors import TracekitError
from tracekit.machine.calibrate.rounds import Measurements, Say
from tracekit.machine.host import host
from tracekit.native.execute import Prepared
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import parse_workload
from tracekit.tables.bundle import Program
from tracekit.vocabulary import FORMS

# The kernel takes memory for a CPU by 256 KiB (memcontrol.c: MEMCG_CHARGE_BATCH), so the more must differ by many of it.
_WAITERS_OF = {"process": (100, 600), "thread": (100, 600), "goroutine": (100, 8100)}
# Few enough to have ended before a grace period of RCU, of two ticks at least, lets the first go.
_ENDED_OF = {"process": (20, 80), "thread": (100, 400)}
_ENDED_ALONE = 200
_MOST_CPUS = 8
_REPEATS = 3
_ROUNDS = 5000
_WAITING = """
name = "waiting"
claim = "a task takes memory while it waits"
look_for = "peak memory"
[objects.gate]
kind = "wait_group"
[objects.free]
kind = "mutex"
[tasks.main]
start = "0ms"
steps = [
  { wait_group_add = "gate", count = 1 }, { spawn = "waiter" }, { sleep = "50ms" },
  { wait_group_done = "gate" }, { join = "waiter" },
]
[tasks.waiter]
count = COUNT
steps = [{ lock = "free" }, { unlock = "free" }, { wait_group_wait = "gate" }]
"""
_ONE_BY_ONE = """
name = "one_by_one"
claim = "what an ended task held is not free at once"
look_for = "peak memory"
[tasks.main]
start = "0ms"
count = CPUS
steps = [{ repeat = COUNT, as = "k", steps = [{ spawn = "child[i * COUNT + k]" }, { join = "child[i * COUNT + k]" }] }]
[tasks.child]
count = "CPUS * COUNT"
steps = [{ compute = "WORK" }]
"""
# Several, so that CPUs idle as briefly as they do in a program at work: after a longer rest all takes twice as long.
_WAITERS, _WAITS, _WORK_NS = 8, 100, 20_000
_TIMED = f"""
name = "timed"
claim = "a timer wakes a thread on an idle CPU"
look_for = "wakeup latency, and CPU time beyond the work"
[tasks.waiter]
start = "0ms"
count = {_WAITERS}
steps = [{{ repeat = {_WAITS}, steps = [{{ network = {{ exponential = "1ms" }} }}, {{ compute = {_WORK_NS} }}] }}]
"""
_TIMED_BUSY = """
name = "timed_busy"
claim = "a timer wakes a thread on the CPU that another computes on"
look_for = "wakeup latency"
[tasks.waiter]
start = "0ms"
steps = [{ repeat = 200, steps = [{ network = "700us" }, { compute = "5us" }] }]
[tasks.computer]
start = "0ms"
steps = [{ compute = "150ms" }]
"""
_PING_PONG = """
name = "ping_pong"
claim = "recording takes time"
look_for = "the makespan"
[objects.there]
kind = "event"
[objects.back]
kind = "event"
[tasks.first]
start = "0ms"
steps = [{ repeat = ROUNDS, steps = [{ signal = "there" }, { wait = "back" }] }]
[tasks.second]
start = "0ms"
steps = [{ repeat = ROUNDS, steps = [{ wait = "there" }, { signal = "back" }] }]
"""
_YIELDS = """
name = "yields"
claim = "recording takes time"
look_for = "the makespan"
[tasks.one]
start = "0ms"
count = 2
steps = [{ repeat = ROUNDS, steps = ["yield"] }]
"""


def probe(found: Measurements, progress: Say = lambda done, total: None) -> None:
    """Add what whole programs show to `found`; what can't be measured here becomes one of its warnings."""
    parts = [
        *((_memory, form) for form in FORMS),
        *((part, form) for form in ("process", "thread") for part in (_kept, _reclaim)),
        (_perf, "thread"),
        (_go_tracer, "goroutine"),
        (_timed_waits, "thread"),
    ]
    for number, (part, form) in enumerate(parts):
        try:
            part(found, form)
        except TracekitError as error:
            found.warnings.append(f"{form}: {error.line()}")
        progress(number + 1, len(parts))


def _program(text: str) -> Program:
    return synthesize(parse_workload(text, where="calibration"))


def _memory(found: Measurements, form: str) -> None:
    """Physical memory that grows with the number of waiting tasks, which called the C library before: a process's own
    copies of what its first call there writes to are part of it. For Go, what is there with none besides."""
    count = _WAITERS_OF[form]
    (few, idle), (many, _) = (_peaks(_WAITING.replace("COUNT", str(tasks)), form) for tasks in count)
    for low, high in zip(few, many, strict=True):
        each = (high - low) / (count[1] - count[0])
        found.add(f"{form}_resident_bytes", each)
        if form == "goroutine" and idle is not None:
            found.add("go_runtime_resident_bytes", max(low + idle - count[0] * each, 0.0))


def _one_by_one(count: int, work: str, cpus: int = 1) -> str:
    return _ONE_BY_ONE.replace("COUNT", str(count)).replace("WORK", work).replace("CPUS", str(cpus))


def _kept(found: Measurements, form: str) -> None:
    """What ended tasks still hold: memory that grows with their number, while none of it can be free yet."""
    count = _ENDED_OF[form]
    (few, _), (many, _) = (_peaks(_one_by_one(tasks, "1us"), form) for tasks in count)
    for low, high in zip(few, many, strict=True):
        found.add(f"{form}_reclaim_bytes", max(high - low, 0) / (count[1] - count[0]))


def _peaks(text: str, form: str) -> tuple[list[int], int | None]:
    """Of some executions, in order; and that of the runner with nothing to do."""
    with Prepared(_program(text)) as prepared:
        peaks = [prepared.execute(form, cpus=1).peak_bytes for _ in range(_REPEATS)]
        known = sorted(peak for peak in peaks if peak is not None)
        if not known:
            raise TracekitError("memory per task is unknown here", remedy="needs the right to make a memory cgroup")
        return known, prepared.idle_bytes(form, 1)


def _reclaim(found: Measurements, form: str) -> None:
    """For each CPU one task lives at a time, and its creator: what memory there is above theirs is of those that ended
    so lately. On all CPUs: one that idles has to be found idle first (kernel/rcu/tree.c: force_qs_rnp)."""
    each, kept = (found.rounds.get(f"{form}_{part}_bytes") for part in ("resident", "reclaim"))
    if not each or not kept or not median(kept):
        return
    cpus = min(_MOST_CPUS, int(host()["cpus"]))
    with Prepared(_program(_one_by_one(_ENDED_ALONE, "300us", cpus))) as prepared:
        for _ in range(_REPEATS):
            execution = prepared.execute(form, cpus=cpus)
            ended = ((execution.peak_bytes or 0) - 2 * cpus * median(each)) / median(kept)
            found.add(f"{form}_reclaim_ns", max(ended, 0.0) * execution.makespan_ns / (_ENDED_ALONE * cpus))


def _perf(found: Measurements, form: str) -> None:
    """How much longer yields take while perf records them, which are switches and no more, with callchains and without;
    and hand-overs, which are wakeups too."""
    for extra_ns, switches, wakeups in _while_recorded(_YIELDS, form, callchains=False):
        found.add("perf_switch_ns", extra_ns / (switches + wakeups))
    switch_ns = median(found.rounds["perf_switch_ns"])
    for extra_ns, switches, wakeups in _while_recorded(_YIELDS, form):
        found.add("perf_callchain_ns", max(extra_ns / (switches + wakeups) - switch_ns, 0.0))
    for extra_ns, switches, wakeups in _while_recorded(_PING_PONG, form, callchains=False):
        found.add("perf_event_ns", max(extra_ns - switches * switch_ns, 0.0) / wakeups)


def _go_tracer(found: Measurements, form: str) -> None:
    """How much longer a hand-over takes while Go's tracer records it, by event."""
    for extra_ns, switches, wakeups in _while_recorded(_PING_PONG, form):
        found.add("go_trace_event_ns", extra_ns / (switches + wakeups))


def _while_recorded(text: str, form: str, callchains: bool = True) -> Iterator[tuple[float, int, int]]:
    """How much longer a program on one CPU takes while it is recorded, how many events are not of wakeups, and how
    many are."""
    from tracekit.recording.perf import under_perf
    from tracekit.sources.registry import ingest

    with Prepared(_program(text.replace("ROUNDS", str(_ROUNDS)))) as prepared, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "recording"
        go_trace = target if form == "goroutine" else None
        with_perf = None if go_trace else under_perf(target, callchains=callchains)
        for _ in range(_REPEATS):
            plain = prepared.execute(form, cpus=1).makespan_ns
            recorded = prepared.execute(form, cpus=1, recorder=with_perf, go_trace=go_trace).makespan_ns
            trace = ingest(target)
            wakeups = trace.tables["wakeups"].num_rows
            yield max(recorded - plain, 0), int(trace.meta["events"]) - wakeups, wakeups


def _timed_waits(found: Measurements, form: str) -> None:
    """What a wait on an idle CPU is billed beyond the work: the search for other work before the CPU idles is in it
    (sched_balance_newidle runs before the switch). And from the wakeup to the switch, as perf sees them, where it may:
    what a timer is late by before that can't be seen from inside."""
    cpus = min(2, int(host()["cpus"]))
    with Prepared(_program(_TIMED)) as prepared:
        for _ in range(_REPEATS):
            billed = prepared.execute(form, cpus=cpus).result.cpu_ns / (_WAITERS * _WAITS) - _WORK_NS
            found.add("billed_for_a_wait", max(billed, 0.0))
    for name, text, used in (("timer_wakeup", _TIMED, cpus), ("timer_wakeup_busy", _TIMED_BUSY, 1)):
        for latency_ns in _seen_latencies(text, form, used):
            found.add(name, latency_ns)


def _seen_latencies(text: str, form: str, cpus: int) -> Iterator[float]:
    """The median wakeup latency of each of some executions, as perf sees it."""
    from tracekit.recording.perf import under_perf
    from tracekit.sources.registry import ingest
    from tracekit.verify.predict import quantities
    from tracekit.verify.recording import PROCESS

    with Prepared(_program(text)) as prepared, tempfile.TemporaryDirectory() as folder:
        for number in range(_REPEATS):
            target = Path(folder) / str(number)
            prepared.execute(form, cpus=cpus, recorder=under_perf(target))
            trace = ingest(target)
            named = trace.frame("tasks").filter(pl.col("name") == PROCESS)["task_id"].to_list()
            yield quantities(trace, named)["wakeup_p50"]
