"""`tracekit verdict`: which form fits some work, why, and what would change the answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.machine.limits import Limit
    from tracekit.program.workload import Workload
    from tracekit.report.outlook import Outlook
    from tracekit.report.view import View
    from tracekit.tables.bundle import Program, Trace
    from tracekit.verdict.outlook import Question
    from tracekit.verdict.vary import Variable

Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary", metavar="NAME", help="Vary this alone: a parameter, CPUs, ...; may be repeated. By default all."
    ),
]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="How many tasks fit in this, such as 4GB; by default in this machine's.")
]  # fmt: skip


def command(
    what: Annotated[
        str,
        typer.Argument(metavar="FILE|BUNDLE|SCENARIO", help="A recording, a bundle, a workload file or a scenario."),
    ],
    need: options.Needs = None,
    vary: Vary = None,
    memory: Memory = None,
    cpus: options.Cpus = None,
    profile: options.Profile = "reference",
    json: options.Json = False,
) -> None:
    """Say which form fits some work, by how much, why, and what would change the answer.

    The answer is found again with more and with less of each parameter of a workload file (of a recording: of its
    compute, waits and messages) and of CPUs, until another form is first; where that happens is then narrowed down.
    """
    from tracekit import api
    from tracekit.cli import output as out
    from tracekit.machine.profile import load_profile
    from tracekit.report.figures import verdict as figure
    from tracekit.report.needs import known_needs
    from tracekit.report.outlook import sentences
    from tracekit.report.view import build_view
    from tracekit.verdict.outlook import Question
    from tracekit.vocabulary import FORMS

    needs, limits = known_needs(need or ()), _limits(memory)
    subject = _subject(what, profile)
    runs = api.replay(subject.program, FORMS, cpus=cpus or subject.cpus, profile=profile)
    variables = _variables(subject, int(runs[0].meta["cpus"]), vary)

    def ask(best: str | None, margin: float) -> Outlook:
        return _outlook(Question(runs, best, margin, load_profile(profile), needs, limits), variables, subject.name)

    view: View = build_view(runs, subject.trace, subject.program, subject.name, needs, ask)
    found = figure.compute(view)
    if json:
        out.say_json({**found, "outlook": asdict(found["outlook"]) if found["outlook"] else None})
        return
    out.say(found["sentence"])
    if found["outlook"]:
        out.say("\nWhat would change the answer:")
        out.say("\n".join(f"  {line}" for line in sentences(found["outlook"])))


@dataclass(frozen=True)
class _Subject:
    """What the verdict is about: a program, and the recording or the workload file that it comes from."""

    name: str
    program: Program
    trace: Trace | None = None
    workload: Workload | None = None

    @property
    def cpus(self) -> int | None:
        """As many as the recording had."""
        return self.trace.meta.get("cpus") if self.trace else self.program.meta.get("cpus")


def _subject(what: str, profile: str) -> _Subject:
    from tracekit import api
    from tracekit.cli import inputs
    from tracekit.program.rt_app import is_rt_app
    from tracekit.program.synthesize import synthesize
    from tracekit.tables.bundle import Program

    path = Path(what)
    if path.suffix == inputs.WORKLOAD_SUFFIX or not (path.exists() or is_rt_app(path)):
        workload = _workload(what)
        return _Subject(workload.name, synthesize(workload), workload=workload)
    work = inputs.work(what)
    if isinstance(work.given, Program):
        return _Subject(work.name, work.given)
    return _Subject(work.name, api.extract(work.given, profile=profile), work.given)


def _workload(what: str) -> Workload:
    from tracekit.cli.inputs import WORKLOAD_SUFFIX
    from tracekit.cli.suggest import unknown
    from tracekit.program.catalog import scenarios
    from tracekit.program.workload import load_workload

    if what.endswith(WORKLOAD_SUFFIX):
        return load_workload(what)
    known = scenarios()
    if what not in known:
        raise unknown("scenario", what, known)
    return load_workload(known[what].path)


def _variables(subject: _Subject, cpus: int, vary: list[str] | None) -> list[Variable]:
    from tracekit.cli.suggest import unknown
    from tracekit.verdict.vary import of_program, of_workload

    program, workload = subject.program, subject.workload
    found = of_workload(workload, program, cpus) if workload else of_program(program, cpus)
    names = [variable.name for variable in found]
    for name in vary or ():
        if name not in names:
            raise unknown("parameter", name, names)
    return [variable for variable in found if not vary or variable.name in vary]


def _limits(memory: str | None) -> tuple[Limit, ...]:
    """Those of this machine; with `memory` that instead of its own. Raises UsageError."""
    from tracekit.errors import UsageError
    from tracekit.machine.limits import Limit, machine_limits
    from tracekit.units import parse_bytes

    found = machine_limits()
    if memory is None:
        return found
    try:
        size = parse_bytes(memory)
    except ValueError as error:
        raise UsageError(f"--memory {error}") from None
    return (*(limit for limit in found if limit.kind != "memory"), Limit(f"memory of {memory}", "memory", size))


def _outlook(question: Question, variables: list[Variable], name: str) -> Outlook:
    from tracekit.cli.progress import progress
    from tracekit.verdict.outlook import outlook

    with progress(f"varying {name}") as line:
        return outlook(question, variables, lambda varied: line.say(f"varying {varied}"))
