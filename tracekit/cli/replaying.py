"""What `replay` and `demo` share: choosing models, replaying work under each, and the comparison in text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tracekit import api
from tracekit.cli.inputs import Work
from tracekit.cli.output import facts
from tracekit.cli.progress import progress
from tracekit.cli.suggest import unknown
from tracekit.errors import UsageError
from tracekit.metrics.compare import bundle_labels, comparison_json, terminal_table
from tracekit.models.catalog import catalog, find_kernel, find_model
from tracekit.models.model import Model
from tracekit.tables.bundle import Bundle, Program, Run, Trace
from tracekit.units import parse_bytes, parse_duration_ns

if TYPE_CHECKING:
    import polars as pl


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


@dataclass(frozen=True)
class Replayed:
    """The runs, and the trace and program that they come from."""

    name: str
    trace: Trace | None
    program: Program
    runs: list[Run]

    def bundles(self) -> dict[str, Bundle]:
        """Everything under the names it is saved by."""
        inputs = {"trace": self.trace, "program": self.program}
        runs = dict(zip(bundle_labels(self.runs), self.runs, strict=True))
        return {name: bundle for name, bundle in (inputs | runs).items() if bundle is not None}

    @cached_property
    def compared(self) -> pl.DataFrame:
        """All metrics side by side; the recording's are of the tasks that were replayed."""
        from tracekit.report.view import build_view

        return build_view(self.runs, self.trace, self.program, self.name).compared

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


def replay_all(work: Work, choice: Choice) -> Replayed:
    """Replay the work under every chosen model, telling a terminal how far it is."""
    trace = work.given if isinstance(work.given, Trace) else None
    with progress(f"extracting {work.name}") as line:
        program = _program(work, choice)
        runs = []
        for model, parameters in choice.models.items():
            line.say(f"replaying as {model}")
            runs += api.replay(
                trace if trace is not None and model == api.RECORDED else program,
                [model],
                cpus=choice.cpus,
                profile=choice.profile,
                seed=choice.seed,
                kernel=choice.kernel,
                parameters=parameters,
                progress=line,
            )
    return Replayed(work.name, trace, program, runs)


def _program(work: Work, choice: Choice) -> Program:
    if isinstance(work.given, Program):
        if choice.process is not None:
            raise UsageError("--process chooses from a recording; this is a program already")
        return work.given
    process = int(choice.process) if choice.process and choice.process.isdecimal() else choice.process
    return api.extract(work.given, process=process, arrivals=choice.arrivals, profile=choice.profile)
