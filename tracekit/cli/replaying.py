"""What `replay` and `demo` share: choosing models, replaying work under each, and the comparison in text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracekit import api
from tracekit.cli.inputs import Work
from tracekit.cli.output import facts
from tracekit.cli.progress import ProgressLine, progress
from tracekit.cli.streamed import ROWS_IN_MEMORY, RunSink
from tracekit.cli.suggest import unknown
from tracekit.errors import UsageError
from tracekit.metrics.compare import RECORDED, bundle_labels, comparison_json, side_by_side, terminal_table
from tracekit.metrics.fidelity import recorded_tasks
from tracekit.metrics.measure import measure
from tracekit.models.catalog import catalog, find_kernel, find_model
from tracekit.models.model import Model
from tracekit.tables import store
from tracekit.tables.bundle import Bundle, Program, Run, Trace
from tracekit.units import parse_bytes, parse_duration_ns

if TYPE_CHECKING:
    import polars as pl

    from tracekit.engine.failure import Crash


@dataclass(frozen=True)
class Choice:
    """How to replay: each model with the parameters set for it, and what holds for all."""

    models: Mapping[str, dict[str, int]]
    cpus: int | None = None
    profile: str = "reference"
    seed: int = 0
    process: str | None = None
    arrivals: str = "closed"
    kernel: str | None = None
    crash: Crash | None = None


@dataclass(frozen=True)
class Replayed:
    """The runs, and the trace and program that they come from."""

    name: str
    trace: Trace | None
    program: Program
    runs: list[Run]
    # by position in `runs`: the metrics of those whose rows went to disk as they came, and where they are
    measured: dict[int, pl.DataFrame] = field(default_factory=dict)
    folders: dict[int, Path] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Everything as bundles in `folder`, which is there; the runs under their labels."""
        for name, bundle in self._inputs().items():
            store.save(bundle, folder / f"{name}{store.SUFFIX}")
        for i, label in enumerate(bundle_labels(self.runs)):
            if i in self.folders:
                self.folders[i].rename(folder / f"{label}{store.SUFFIX}")
            else:
                store.save(self.runs[i], folder / f"{label}{store.SUFFIX}")

    def _inputs(self) -> dict[str, Bundle]:
        return {"program": self.program} if self.trace is None else {"trace": self.trace, "program": self.program}

    @cached_property
    def compared(self) -> pl.DataFrame:
        """All metrics side by side; the recording's are of the tasks that were replayed."""
        columns: list[Trace | Run] = [*([] if self.trace is None else [self.trace]), *self.runs]
        streamed = {id(self.runs[i]): frame for i, frame in self.measured.items()}
        frames = (streamed[id(b)] if id(b) in streamed else self._measure(b) for b in columns)
        return side_by_side(dict(zip(bundle_labels(columns), frames, strict=True)))

    def _measure(self, bundle: Trace | Run) -> pl.DataFrame:
        recording = isinstance(bundle, Trace) or bundle.meta.get("model") == RECORDED
        return measure(bundle, tasks=recorded_tasks(bundle, self.runs) if recording else None)

    def json(self) -> dict[str, Any]:
        """The program, the runs and the comparison, JSON-ready."""
        return {
            "program": self.program.meta,
            "runs": [run.meta for run in self.runs],
            "comparison": comparison_json(self.compared),
        }

    def text(self) -> str:
        """What was replayed, the short comparison table, and every run that did not complete."""
        meta, program = self.runs[0].meta, self.program.meta
        coverage = program.get("coverage")
        head = facts(
            {
                "replayed": f"{self.name}: {self.program.tables['tasks'].num_rows:,} tasks",
                "on": f"{meta['cpus']} CPUs, cost profile {(meta.get('profile') or {}).get('name')}",
                "coverage": None if coverage is None else f"{100 * coverage:.1f} % of blocked time is explained",
            }
        )
        unfinished = [
            f"{label}: {run.meta['outcome']}: {run.meta['outcome_detail']}"
            for label, run in zip(bundle_labels(self.runs), self.runs, strict=True)
            if run.meta["outcome"] != "completed"
        ]
        return "\n\n".join([head, terminal_table(self.compared), *unfinished])


def known_models(names: str, kernel: str | None, given: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The models of `a,b,c`, each with those of the given parameters that it has.

    Raises UsageError for a name or a parameter that there is not: before a long read, not after it.
    """
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not chosen:
        raise UsageError("--model names no model", remedy="see `tracekit models`")
    below = find_kernel(kernel) if kernel else None
    has = {name: _model(name).all_parameters(below) for name in chosen if name != api.RECORDED}
    for parameter in given:
        if not any(parameter in parameters for parameters in has.values()):
            raise unknown("parameter", parameter, sorted(set().union(*has.values())))
    return {
        name: {p: _number(p, given[p], has[name][p].unit) for p in given if p in has.get(name, {})} for name in chosen
    }


def _model(name: str) -> Model:
    known = catalog()
    if ":" not in name and name not in known:
        raise unknown("model", name, [*known, api.RECORDED])
    return find_model(name)


def _number(name: str, text: str, unit: str) -> int:
    """A parameter's value as people write it: `10ms`, `64KiB`, `3`."""
    parse = {"ns": parse_duration_ns, "bytes": parse_bytes}.get(unit, int)
    try:
        return parse(text)
    except ValueError:
        raise UsageError(f"{name}={text} is not a number of {unit}", remedy="for example 3, 10ms or 64KiB") from None


def replay_all(
    work: Work, choice: Choice, folder: Path | None = None, rows_in_memory: int = ROWS_IN_MEMORY
) -> Replayed:
    """Replay the work under every chosen model, telling a terminal how far it is.

    With a `folder`, which is there, runs of more than `rows_in_memory` rows are written in it as they come.
    """
    trace = work.given if isinstance(work.given, Trace) else None
    with progress(f"extracting {work.name}") as line:
        replayed = Replayed(work.name, trace, _program(work, choice), [])
        for model in choice.models:
            line.say(f"replaying as {model}")
            if folder is None or model == api.RECORDED:
                replayed.runs.extend(_replay(replayed, choice, model, line, None))
                continue
            i = len(replayed.runs)
            with RunSink(folder / f"run-{i}", replayed.program, rows_in_memory) as sink:
                run, measured = sink.finish(*_replay(replayed, choice, model, line, sink))
            replayed.runs.append(run)
            if measured is not None:
                replayed.measured[i], replayed.folders[i] = measured, sink.folder
    return replayed


def _replay(replayed: Replayed, choice: Choice, model: str, line: ProgressLine, sink: RunSink | None) -> list[Run]:
    recorded = replayed.trace is not None and model == api.RECORDED
    return api.replay(
        replayed.trace if recorded and replayed.trace is not None else replayed.program,
        [model],
        cpus=choice.cpus,
        profile=choice.profile,
        seed=choice.seed,
        kernel=choice.kernel,
        parameters=choice.models[model],
        crash=choice.crash,
        progress=line,
        sink=sink,
    )


def _program(work: Work, choice: Choice) -> Program:
    if isinstance(work.given, Program):
        if choice.process is not None:
            raise UsageError("--process chooses from a recording; this is a program already")
        return work.given
    process = int(choice.process) if choice.process and choice.process.isdecimal() else choice.process
    return api.extract(work.given, process=process, arrivals=choice.arrivals, profile=choice.profile)
