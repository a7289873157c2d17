"""What a replay predicts, in the quantities that an execution is measured in."""

from __future__ import annotations

from tracekit.engine.replay import replay
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
_SWITCHES = ("context_switches_voluntary", "context_switches_involuntary")


def predict(program: Program, form: str, *, cpus: int, profile: Profile, seed: int = 0) -> tuple[dict[str, float], Run]:
    """Replay the program as `form`; the quantities, and the run they are of."""
    run = replay(program, form, cpus=cpus, profile=profile, seed=seed)
    return quantities(run, program.tables["tasks"].num_rows), run


def quantities(bundle: Trace | Run, tasks: int, only: list[int] | None = None) -> dict[str, float]:
    """A run's or a recording's metrics under the names of `QUANTITIES`; `only` restricts to these task_ids."""
    values = {(metric, label): value for metric, label, value, _ in measure(bundle, tasks=only).iter_rows()}
    found = {name: values[key] for key, name in _METRICS.items() if key in values}
    switches = [values[name, ""] for name in _SWITCHES if (name, "") in values]
    if switches:
        found["context_switches"] = sum(switches)
    if found.get("makespan"):
        found["throughput"] = tasks * 1e9 / found["makespan"]
    return found
