"""What a replay predicts, in the quantities that an execution is measured in."""

from __future__ import annotations

from statistics import median

import polars as pl

from tracekit.engine.replay import replay
from tracekit.machine.host import host
from tracekit.machine.profile import Profile
from tracekit.metrics.measure import measure
from tracekit.tables.bundle import Program, Run, Trace

_METRICS = {
    ("makespan", ""): "makespan",
    ("cpu_time", ""): "cpu_time",
    ("peak_resident", ""): "peak_memory",
    ("wakeup_latency", "p50"): "wakeup_p50",
    ("wakeup_latency", "p99"): "wakeup_p99",
}
RECORDERS = {"process": "perf", "thread": "perf", "goroutine": "go"}
SYSMON_START_NS = 10_000_000  # runner.go lets sysmon come to rest before the program begins
TICK_PHASES = 5  # where a run falls between two ticks is chance, as it is for the executions
GO_CLOCK_NS = 64  # Go's tracer tells time in units of 64 ns of nanotime (runtime/trace.go: traceClockUnitsPerSecond)
_SWITCHES = ("context_switches_voluntary", "context_switches_involuntary")


def predict(program: Program, form: str, *, cpus: int, profile: Profile, seed: int = 0) -> tuple[dict[str, float], Run]:
    """Replay the program as `form`, once for each of `TICK_PHASES`: the median of each quantity, and the first run."""
    tick_ns = profile.value("tick_period_ns")
    runs = [_predict(program, form, cpus, profile, seed + phase, tick_ns * phase // TICK_PHASES)
            for phase in range(TICK_PHASES)]  # fmt: skip
    return {name: median(found[name] for found, _ in runs) for name in runs[0][0]}, runs[0][1]


def _predict(
    program: Program, form: str, cpus: int, profile: Profile, seed: int, tick_phase_ns: int
) -> tuple[dict[str, float], Run]:
    # on fewer CPUs than the machine has, its kernel's times are still those of the whole machine
    parameters = {"eevdf.machine_cpus": int(host()["cpus"]), "eevdf.tick_phase_ns": tick_phase_ns}
    if form == "goroutine":
        parameters["goroutine.sysmon_start_ns"] = SYSMON_START_NS
    run = replay(program, form, cpus=cpus, profile=profile, seed=seed, parameters=parameters)
    event_ns = profile.form_costs(form, RECORDERS[form]).recorder_event_ns
    found = quantities(_as_recorded(run, form, event_ns))
    if (
        "makespan" in found
    ):  # the runners note when a task has done its last step, not when its thread or process is gone
        found["makespan"] = run.meta["done"]["at_ns"]
        found["throughput"] = program.tables["tasks"].num_rows * 1e9 / max(found["makespan"], 1)
    if form == "goroutine" and "peak_memory" in found:  # what is measured is above a runner that idles
        found["peak_memory"] -= profile.value("go_runtime_resident_bytes")
    if form == "thread" and "cpu_time" in found:
        found |= _until_done(run, found["cpu_time"])
    for name in ("wakeup_p50", "wakeup_p99"):
        if name in found:
            found[name] = _noted(found[name], form, event_ns)
    return found, run


def _until_done(run: Run, cpu_ns: float) -> dict[str, float]:
    """What getrusage tells of a process when its threads have done their last steps, and some are still on their way out.
    It misses each ended thread's last switch, as counts join the process's before it (exit.c: __exit_signal)."""
    done = run.meta["done"]
    late = run.frame("intervals").filter((pl.col("state") == "RUNNING") & (pl.col("end_ns") > done["at_ns"]))
    after_ns = float((late["end_ns"] - late["start_ns"].clip(done["at_ns"])).sum())
    ended = (run.frame("tasks")["end_ns"] <= done["at_ns"]).sum()
    return {"cpu_time": cpu_ns - after_ns, "context_switches": done["context_switches"] - ended}


def _noted(latency_ns: float, form: str, event_ns: int) -> float:
    """A latency as a recorder measures it: the wakeup's event is written before anybody goes on; Go's clock has steps."""
    if form != "goroutine":
        return latency_ns + event_ns
    return round((latency_ns + event_ns) / GO_CLOCK_NS) * GO_CLOCK_NS


def _as_recorded(run: Run, form: str, event_ns: int) -> Run:
    """The run with its wakeups when a recorder of this form sees them. Go's tracer notes that a system call is over
    when the goroutine's thread is on a CPU again, and not when the kernel wakes that thread; and a goroutine that wakes
    another goes on to stop, which is an event more before the next on its P starts."""
    if form != "goroutine":
        return run
    intervals = run.frame("intervals")
    back = intervals.filter(pl.col("state") == "RUNNABLE")
    back = back.select(wakee_id="task_id", at_ns="start_ns", back_ns="end_ns").unique(["wakee_id", "at_ns"])
    left = intervals.filter(pl.col("state") == "BLOCKED")
    left = left.select(wakee_id="task_id", at_ns="end_ns", left_ns="start_ns").unique(["wakee_id", "at_ns"])
    wakeups = run.frame("wakeups")
    joined = wakeups
    for other in (back, left):
        joined = joined.join(other, on=["wakee_id", "at_ns"], how="left", maintain_order="left")
    of_call = pl.col("reason").cast(pl.String).is_in(["io", "syscall"]) & pl.col("back_ns").is_not_null()
    earlier = pl.max_horizontal(pl.col("at_ns") - event_ns, "left_ns")
    by_goroutine = pl.col("waker_id").is_not_null()
    at_ns = pl.when(of_call).then("back_ns").when(by_goroutine).then(earlier).otherwise("at_ns")
    seen = joined.with_columns(at_ns=at_ns).select(wakeups.columns)
    table = seen.sort("at_ns", maintain_order=True).to_arrow().cast(run.tables["wakeups"].schema)
    return Run({**run.tables, "wakeups": table}, run.meta)


def quantities(bundle: Trace | Run, only: list[int] | None = None) -> dict[str, float]:
    """A run's or a recording's metrics under the names of `QUANTITIES`; `only` restricts to these task_ids."""
    values = {(metric, label): value for metric, label, value, _ in measure(bundle, tasks=only).iter_rows()}
    found = {name: values[key] for key, name in _METRICS.items() if key in values}
    if "cpu_time" in found:  # the way out of idleness is billed to nobody (getrusage)
        found["cpu_time"] -= values.get(("overhead_time", "idle_exit"), 0.0)
    switches = [values[name, ""] for name in _SWITCHES if (name, "") in values]
    if switches:
        found["context_switches"] = sum(switches)
    return found
