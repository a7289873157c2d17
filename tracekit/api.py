"""tracekit from Python: the loop of the command line as functions.

    import tracekit

    trace = tracekit.ingest("perf.data")
    program = tracekit.extract(trace)
    runs = tracekit.replay(program, ["process", "thread", "goroutine"], cpus=2)
    tracekit.write_report(runs, "report.html", trace=trace, program=program)

Every function raises a `tracekit.errors.TracekitError` whose text says what, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tracekit.engine.failure import Crash
from tracekit.engine.recorded import recorded_run
from tracekit.engine.recorder import Sink
from tracekit.engine.replay import replay as replay_under
from tracekit.errors import UsageError
from tracekit.machine.profile import REFERENCE, load_profile
from tracekit.metrics.compare import compare
from tracekit.metrics.measure import measure
from tracekit.program.catalog import scenario_program
from tracekit.program.extract import extract as extract_program
from tracekit.program.rt_app import is_rt_app, rt_app_program
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import load_workload
from tracekit.report import write_report as write_page
from tracekit.report.needs import known_needs
from tracekit.sources.base import Progress, ReadOptions, no_progress
from tracekit.sources.registry import ingest as read_recording
from tracekit.tables.bundle import Bundle, Program, Run, Trace
from tracekit.tables.store import load, save
from tracekit.verdict.asking import asking
from tracekit.vocabulary import FORMS

__all__ = [
    "compare",
    "export",
    "extract",
    "from_frame",
    "ingest",
    "load",
    "measure",
    "replay",
    "save",
    "synth",
    "write_report",
]

RECORDED = "recorded"
_RECORDERS = {"perf.data": "perf", "Go execution trace": "go"}  # whose cost per event the profile knows
DEFAULT_CPUS = 2  # for a program that was never recorded: as many as the reference profile's machine has


def ingest(path: Path | str, *, wakeup: str = "waking", progress: Progress = no_progress) -> Trace:
    """Read a recording of any known format. `wakeup` (waking or wakeup) is the event that makes a task runnable."""
    return read_recording(path, ReadOptions(wakeup=wakeup, progress=progress))


def synth(
    workload: Path | str, *, seed: int | None = None, parameters: Mapping[str, int | str] | None = None
) -> Program:
    """The program of a workload file (TOML, or rt-app JSON), or of the built-in scenario of that name."""
    if str(workload).endswith(".json") or is_rt_app(Path(workload)):
        return rt_app_program(workload, parameters=parameters)
    if isinstance(workload, Path) or workload.endswith(".toml") or Path(workload).is_file():
        return synthesize(load_workload(workload), seed=seed, overrides=parameters)
    return scenario_program(workload, seed, parameters)


def extract(
    trace: Trace,
    *,
    process: int | str | Sequence[int | str] | None = None,
    arrivals: str = "closed",
    profile: str = REFERENCE,
) -> Program:
    """What the tasks of a trace wanted to do.

    `process` names the processes to convert by id or name, by default all but kernel threads and the recorder;
    `arrivals` are closed or open; `profile` says what the recorded form and its recorder added, which is taken out.
    """
    source, form = trace.meta.get("source") or {}, trace.meta.get("form")
    recorder = _RECORDERS.get(str(source.get("format")))
    costs = load_profile(profile).form_costs(form, recorder) if form in FORMS else None
    return extract_program(trace, costs=costs, process=process, arrivals=arrivals)


def replay(
    work: Trace | Program,
    models: Sequence[str] = FORMS,
    *,
    cpus: int | None = None,
    profile: str = REFERENCE,
    seed: int = 0,
    kernel: str | None = None,
    parameters: Mapping[str, int] | None = None,
    crash: Crash | None = None,
    progress: Progress = no_progress,
    sink: Sink | None = None,
) -> list[Run]:
    """Replay a program, or a trace by way of its program, under each model; the runs in the same order.

    `cpus` is as many as the recording had by default; `kernel` swaps the kernel policy below every model;
    `parameters` go by full name, such as goroutine.min_capacity. The model `recorded` needs a trace. `crash` is a
    fault from outside (engine.failure). A `sink` takes the
    rows of a run that is too long to hold (engine.replay); it is for one model.
    """
    costs = load_profile(profile)
    cpus = cpus or work.meta.get("cpus") or DEFAULT_CPUS
    program: Program | None = None
    runs = []
    for model in models:
        if model == RECORDED:
            runs.append(_recorded(work))
            continue
        if program is None:
            program = extract(work, profile=profile) if isinstance(work, Trace) else work
        runs.append(replay_under(program, model, cpus=cpus, profile=costs, seed=seed, kernel=kernel,
                                 parameters=parameters, crash=crash, progress=progress, sink=sink))  # fmt: skip
    return runs


def write_report(
    runs: Sequence[Run],
    path: Path | str,
    *,
    trace: Trace | None = None,
    program: Program | None = None,
    title: str | None = None,
    needs: Sequence[str] = (),
    what_if: bool = True,
    profile: str | None = None,
) -> Path:
    """Write one self-contained HTML page about the runs; the verdict leaves out forms that break one of the `needs`.

    With the program, and unless `what_if` is False, it is replayed with more and with less of what it does, to find what
    would change the verdict; that takes the cost `profile` that the runs were made with, by default the reference.
    """
    known = known_needs(needs)
    ask = asking(runs, program, known, profile) if what_if and program is not None and runs else None
    return write_page(runs, Path(path), trace=trace, program=program, title=title, needs=known, ask=ask)


def _recorded(work: Trace | Program) -> Run:
    if not isinstance(work, Trace):
        raise UsageError("the model recorded needs a recording", remedy="give the recording or its trace bundle")
    return recorded_run(work)


def from_frame(frame: object, *, unit: str | None = None, where: str = "frame") -> Trace:
    """The trace of a table in memory: polars, pandas, pyarrow, or anything with the Arrow C stream interface.

    It has at least the columns task (or task_id), start, end and state; `unit` (ns, us, ms or s) is that of times
    whose column does not say it by a suffix such as start_us. Raises SourceError naming row and column.
    """
    from tracekit.sources.tables import frame_trace

    return frame_trace(frame, unit=unit, where=where)


def export(bundle: Bundle, path: Path | str, *, format: str | None = None, table: str | None = None) -> Path:
    """Write a bundle for other tools: `chrome` (trace-event JSON), `csv`, `parquet`, `arrow` or `rt-app`.

    The format goes by the suffix of `path` where none is given. A table file holds `table`, by default the one that
    says most. Raises UsageError for what this kind of bundle has not, WorkloadError for steps rt-app can't express.
    """
    from tracekit.export import export_bundle

    return export_bundle(bundle, Path(path), format=format, table=table)
