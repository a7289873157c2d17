"""`python -m tests.forms [--profile FILE]`: each form predicted from a recording of another, beside what it really took.

The recordings are those of `../shared/recordings/forms`: the same work as processes, threads and goroutines on 2 CPUs;
`../shared/recordings/perf/messaging-{proc,thread}.data` the same for two forms. What each took without being recorded
is in their MANIFEST.md: medians of 9, interleaved, with spread = (max - min) / median. `.result.json` holds when the
program itself began and ended, on the recording's clock.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import polars as pl

from tests.conftest import RECORDINGS
from tracekit.analysis.join import join
from tracekit.engine.replay import replay
from tracekit.machine.profile import Profile, load_profile
from tracekit.program.extract import extract
from tracekit.sources.registry import ingest
from tracekit.tables.bundle import Trace
from tracekit.tables.window import window
from tracekit.vocabulary import FORMS

NAMES = {"process": "proc", "thread": "thread", "goroutine": "go"}
PROGRAM, MESSAGING = "gt", "sched-messaging"  # what the recorded programs call themselves


@dataclass(frozen=True)
class Work:
    """What a workload took as each form on 2 CPUs, in ms, and the spread. A recording may hold 1 part in `share`."""

    name: str
    measured: dict[str, tuple[float, float]]
    suffix: str = ""
    share: int = 1


# MANIFEST.md, forms/: median ms on 2 CPUs, spread
WORKS = (
    Work("pingpong", {"process": (149, 0.14), "thread": (146, 0.16), "goroutine": (93, 0.18)}, "-s25", 4),
    Work("forkjoin", {"process": (490, 0.18), "thread": (435, 0.19), "goroutine": (256, 0.14)}),
    Work("pipeline", {"process": (169, 0.16), "thread": (172, 0.15), "goroutine": (126, 0.05)}),
)


def recording(work: Work, form: str) -> Trace:
    """The recording of one form, from the program's begin to its end; of goroutines Go's joined with the kernel's."""
    suffix = work.suffix if form != "goroutine" else ""
    base = RECORDINGS / "forms" / f"gt-{NAMES[form]}-{work.name}{suffix}"
    result = json.loads(base.with_suffix(".result.json").read_text())
    trace = ingest(base.with_suffix(".data"))
    if form == "goroutine":
        trace = join(ingest(base.with_suffix(".trace")), trace).trace
    origin = int(trace.meta["clock"]["origin_ns"])
    part = window(trace, result["t0_ns"] - origin, result["t1_ns"] - origin)
    assert isinstance(part, Trace)
    return part


def predictions(
    trace: Trace, recorded: str, program: str, profile: Profile, forms: tuple[str, ...]
) -> dict[str, float]:
    """The makespan of each form, in ms, from a recording of one."""
    costs = profile.form_costs(recorded, "go" if recorded == "goroutine" else "perf")
    wanted = extract(trace, costs=costs, process=None if recorded == "goroutine" else program)
    return {form: replay(wanted, form, cpus=2, profile=profile).meta["end_ns"] / 1e6 for form in forms}


def rows(profile: Profile) -> list[tuple[str, str, str, float, float, float]]:
    """Workload, recorded as, predicted as, predicted ms, measured ms, spread."""
    found = []
    for work in WORKS:
        for recorded in FORMS:
            share = work.share if recorded != "goroutine" else 1
            trace = recording(work, recorded)
            for form, ms in predictions(trace, recorded, PROGRAM, profile, tuple(FORMS)).items():
                found.append((work.name, recorded, form, share * ms, *work.measured[form]))
    kinds = ("process", "thread")
    traces = {kind: ingest(RECORDINGS / "perf" / f"messaging-{NAMES[kind]}.data") for kind in kinds}
    lasted = {kind: _lasted_ms(trace) for kind, trace in traces.items()}
    for recorded, trace in traces.items():
        for form, ms in predictions(trace, recorded, MESSAGING, profile, kinds).items():
            found.append(("messaging", recorded, form, ms, lasted[form], float("nan")))
    return found


def _lasted_ms(trace: Trace) -> float:
    """From the first to the last time on a CPU of what the recording is of."""
    named = trace.frame("tasks").filter(pl.col("name") == MESSAGING).select("task_id")
    ran = trace.frame("intervals").filter(pl.col("state") == "RUNNING").join(named, on="task_id")
    return float(ran.select(pl.col("end_ns").max() - pl.col("start_ns").min()).item()) / 1e6


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.forms", description=__doc__)
    parser.add_argument("--profile", default="reference", help="costs of the machine that recorded")
    profile = load_profile(parser.parse_args().profile)
    print(
        "| workload | recorded as | predicted as | predicted | measured | error | spread |\n|---|---|---|---|---|---|---|"
    )
    for name, recorded, form, predicted, measured, spread in rows(profile):
        said = f"{spread:.0%}" if spread == spread else "one run, recorded"
        error = predicted / measured - 1
        print(f"| {name} | {recorded} | {form} | {predicted:.0f} ms | {measured:.0f} ms | {error:+.0%} | {said} |")


if __name__ == "__main__":
    main()
