"""`tracekit verdict`: which form fits a workload, why, and what would change the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.cli.turning import Try, Turning
    from tracekit.program.workload import Workload
    from tracekit.tables.bundle import Run

Vary = Annotated[
    list[str] | None,
    typer.Option("--vary", metavar="PARAMETER", help="Vary this parameter only; may be repeated. By default all."),
]


def command(
    what: Annotated[str, typer.Argument(metavar="WORKLOAD|SCENARIO", help="A workload file, or a scenario by name.")],
    need: options.Needs = None,
    vary: Vary = None,
    cpus: options.Cpus = None,
    profile: options.Profile = "reference",
    json: options.Json = False,
) -> None:
    """Say which form fits a workload, by how much, why, and what would change the answer.

    The answer is found again with each parameter of the workload larger and smaller, until another form is first;
    the value where that happens is then narrowed down by replaying between.
    """
    from tracekit import api
    from tracekit.cli import output as out
    from tracekit.program.synthesize import synthesize
    from tracekit.report.figures import verdict as figure
    from tracekit.report.needs import broken, known_needs
    from tracekit.report.view import build_view
    from tracekit.vocabulary import FORMS

    needs = known_needs(need or ())
    workload = _workload(what)
    chosen = _parameters(workload, vary)
    program = synthesize(workload)
    runs = api.replay(program, FORMS, cpus=cpus, profile=profile)
    found = figure.compute(build_view(runs, None, program, workload.name, needs))
    fitting = tuple(form for form in FORMS if not broken(form, needs))
    best = found["best"][0] if len(found["best"]) == 1 else None
    turnings = []
    if best is not None and len(fitting) > 1:
        turnings = _turnings(workload, chosen, best, fitting, found["margin"], cpus, profile)
    if json:
        out.say_json({**found, "turning_points": [vars(turning) for turning in turnings]})
        return
    out.say(found["sentence"])
    out.say()
    out.say(_told(best, fitting, chosen, turnings))


def _workload(what: str) -> Workload:
    from pathlib import Path

    from tracekit.cli.suggest import unknown
    from tracekit.program.catalog import scenarios
    from tracekit.program.workload import load_workload

    if what.endswith(".toml") or Path(what).is_file():
        return load_workload(what)
    known = scenarios()
    if what not in known:
        raise unknown("scenario", what, known)
    return load_workload(known[what].path)


def _parameters(workload: Workload, vary: list[str] | None) -> list[str]:
    from tracekit.cli.suggest import unknown

    for name in vary or ():
        if name not in workload.parameters:
            raise unknown("parameter", name, workload.parameters)
    return list(dict.fromkeys(vary or workload.parameters))


def _turnings(
    workload: Workload, parameters: list[str], best: str, fitting: tuple[str, ...], margin: float, cpus: int | None,
    profile: str,
) -> list[Turning]:  # fmt: skip
    from tracekit.cli.progress import progress
    from tracekit.cli.turning import turning_point

    found = []
    with progress(f"varying {workload.name}") as line:
        for name in parameters:
            line.say(f"varying {name}")
            own = workload.parameters[name]
            turning = turning_point(name, own, best, _try(workload, name, fitting, cpus, profile), margin)
            found += [turning] if turning else []
    return found


def _try(workload: Workload, name: str, fitting: tuple[str, ...], cpus: int | None, profile: str) -> Try:
    from tracekit import api
    from tracekit.cli.turning import MAX_SEGMENTS, Ranking
    from tracekit.errors import ModelError, WorkloadError
    from tracekit.program.synthesize import synthesize

    def tried(value: int) -> Ranking | None:
        try:
            program = synthesize(workload, overrides={name: value})
            if program.tables["segments"].num_rows > MAX_SEGMENTS:
                return None
            runs = api.replay(program, fitting, cpus=cpus, profile=profile)
        except (WorkloadError, ModelError):  # beyond what the parameter can be
            return None
        return {str(run.meta["form"]): int(run.meta["end_ns"]) for run in runs if _done(run)}

    return tried


def _done(run: Run) -> bool:
    """A form that ends early by losing work is not the faster for it."""
    return run.meta["outcome"] == "completed" and not (run.meta.get("failure") or {}).get("tasks_ended")


def _told(best: str | None, fitting: tuple[str, ...], parameters: list[str], turnings: list[Turning]) -> str:
    from tracekit.report.wording import plural

    if best is None:
        return "No form is first, so there is no answer that could change."
    if len(fitting) == 1:
        return f"Only {plural(best)} meet the needs, whatever the parameters."
    if not turnings:
        return f"{plural(best).capitalize()} stay first with {', '.join(parameters)} up to 64 times larger and smaller."
    lines = [f"What would change the answer ({plural(best)} now):"]
    lines += [f"  {_line(turning)}" for turning in turnings]
    rest = [name for name in parameters if name not in {turning.parameter for turning in turnings}]
    return "\n".join(lines + ([f"  not {', '.join(rest)}, as far as was tried"] if rest else []))


def _line(turning: Turning) -> str:
    from tracekit.report.wording import plural
    from tracekit.units import format_duration

    side = "above" if turning.at > turning.own else "below"
    times = ", ".join(f"{plural(form)} {format_duration(ns)}" for form, ns in turning.makespans_ns.items())
    return (
        f"{turning.parameter}: {plural(turning.best)} are first at {turning.at:,} and {side} "
        f"(it is {turning.own:,}; at {turning.before:,} not yet): {times}"
    )
