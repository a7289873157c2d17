"""What a replay predicts, in the quantities that an execution is measured in."""

from __future__ import annotations

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
SYSMON_START_NS = 10_000_000  # runner.go lets sysmon come to rest before the program begins
_SWITCHES = ("context_switches_voluntary", "context_switches_involuntary")


def predict(program: Program, form: str, *, cpus: int, profile: Profile, seed: int = 0) -> tuple[dict[str, float], Run]:
    """Replay the program as `form`; the quantities, and the run they are of."""
    # on fewer CPUs than the machine has, its kernel's times are still those of the whole machine
    parameters = {"eevdf.machine_cpus": int(host()["cpus"])}
    if form == "goroutine":
        parameters["goroutine.sysmon_start_ns"] = SYSMON_START_NS
    run = replay(program, form, cpus=cpus, profile=profile, seed=seed, parameters=parameters)
    found = quantities(_as_recorded(run, form), program.tables["tasks"].num_rows)
    if form == "goroutine" and "peak_memory" in found:  # what is measured is above a runner that idles
        found["peak_memory"] -= profile.value("go_runtime_resident_bytes")
    if form == "thread" and "context_switches" in found:
        # getrusage misses each thread's last switch: its counts join the process's before it (exit.c: __exit_signal)
        found["context_switches"] -= run.frame("tasks")["end_ns"].count()
    return found, run


def _as_recorded(run: Run, form: str) -> Run:
    """The run with its wakeups when a recorder of this form sees them: Go's tracer notes that a system call is over
    when the goroutine's thread is on a CPU again, and not when the kernel wakes that thread."""
    if form != "goroutine":
        return run
    back = run.frame("intervals").filter(pl.col("state") == "RUNNABLE")
    back = back.select(wakee_id="task_id", at_ns="start_ns", back_ns="end_ns").unique(["wakee_id", "at_ns"])
    wakeups = run.frame("wakeups")
    joined = wakeups.join(back, on=["wakee_id", "at_ns"], how="left", maintain_order="left")
    of_call = pl.col("reason").cast(pl.String).is_in(["io", "syscall"]) & pl.col("back_ns").is_not_null()
    seen = joined.with_columns(at_ns=pl.when(of_call).then("back_ns").otherwise("at_ns")).select(wakeups.columns)
    table = seen.sort("at_ns", maintain_order=True).to_arrow().cast(run.tables["wakeups"].schema)
    return Run({**run.tables, "wakeups": table}, run.meta)


def quantities(bundle: Trace | Run, tasks: int, only: list[int] | None = None) -> dict[str, float]:
    """A run's or a recording's metrics under the names of `QUANTITIES`; `only` restricts to these task_ids."""
    values = {(metric, label): value for metric, label, value, _ in measure(bundle, tasks=only).iter_rows()}
    found = {name: values[key] for key, name in _METRICS.items() if key in values}
    if "cpu_time" in found:  # the way out of idleness is billed to nobody (getrusage)
        found["cpu_time"] -= values.get(("overhead_time", "idle_exit"), 0.0)
    switches = [values[name, ""] for name in _SWITCHES if (name, "") in values]
    if switches:
        found["context_switches"] = sum(switches)
    if found.get("makespan"):
        found["throughput"] = tasks * 1e9 / found["makespan"]
    return found
