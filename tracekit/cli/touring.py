"""`tracekit demo --all`: every scenario replayed under the three forms, held against its claim, on one page."""

from __future__ import annotations

from pathlib import Path

from tracekit import api
from tracekit.cli import output as out
from tracekit.cli.progress import progress
from tracekit.machine.anatomy import anatomy
from tracekit.machine.limits import curve, machine_limits, memory_of, reach
from tracekit.machine.profile import load_profile
from tracekit.program.catalog import Scenario, scenario_program, scenarios
from tracekit.report.claims import CLAIMS
from tracekit.report.judging import Claim, Compared, Figures, judge
from tracekit.report.memory_curve import memory_section
from tracekit.report.page import Section, write_page
from tracekit.report.tour import Shown, tour
from tracekit.tables.bundle import Run
from tracekit.vocabulary import FORMS

_OF_A_SWEEP = {"messages": 400}  # enough for a mean, at each of its sizes


def all_scenarios(target: Path, json: bool) -> None:
    """Replay, judge, print the verdicts, and write the page."""
    known = scenarios()
    with progress("replaying scenarios") as line:
        shown = []
        for name in CLAIMS:
            line.say(f"replaying {name}")
            shown.append(replayed(known[name]))
    judged = {s.name: judge(CLAIMS[s.name], Figures(s.runs)) for s in shown}
    write_page(tour(shown, [_memory()]), target)
    if json:
        verdicts = [
            {"name": s.name, "claim": s.claim, "verdict": judged[s.name].verdict,
             "why": CLAIMS[s.name].why,
             "parts": [{"says": p.part.says, "found": p.found, "needs": p.needs, "ratio": p.ratio, "holds": p.holds}
                       for p in judged[s.name].parts]}
            for s in shown
        ]  # fmt: skip
        out.say_json({"wrote": str(target), "claims": verdicts})
        return
    out.say(out.columns(("scenario", "verdict", "claim"), [(s.name, judged[s.name].verdict, s.claim) for s in shown]))
    out.say()
    out.wrote(target)


def replayed(scenario: Scenario) -> Shown:
    """A scenario under the three forms, its variants, and its sweep."""
    claim = CLAIMS[scenario.name]
    program = scenario_program(scenario.name, overrides=claim.overrides)
    runs: dict[str, Run] = dict(zip(FORMS, api.replay(program, FORMS, cpus=claim.cpus), strict=True))
    for subject, (model, parameters) in claim.variants.items():
        runs[subject] = api.replay(program, [model], cpus=claim.cpus, parameters=parameters)[0]
    swept = {}
    if claim.sweep:
        name, values = claim.sweep
        for value in values:
            changed = scenario_program(scenario.name, overrides={name: value, **_OF_A_SWEEP})
            swept[value] = dict(zip(FORMS, api.replay(changed, FORMS, cpus=claim.cpus), strict=True))
    compared = {each.title: _ways(scenario.name, each, claim) for each in claim.compared}
    workload = scenario.path.read_text(encoding="utf-8")
    return Shown(scenario.name, scenario.claim, scenario.look_for, workload, runs, swept, compared)


def _ways(name: str, compared: Compared, claim: Claim) -> dict[str, dict[str, float]]:
    """By way and form the value of the metric; the runs, which are long, are not kept."""
    found = {}
    for way, own in compared.ways.items():
        program = scenario_program(name, overrides={**claim.overrides, **own})
        figures = Figures(dict(zip(FORMS, api.replay(program, FORMS, cpus=claim.cpus), strict=True)))
        found[way] = {form: figures.value(form, compared.metric)[0] / compared.per for form in FORMS}
    return found


def _memory() -> Section:
    """The curve of each form, with a last point where this machine refuses one more."""
    profile = load_profile()
    stops = {form: (stop.tasks, stop.stopped_by) for form, stop in reach(profile, machine_limits()).items()}
    points = {
        form: sorted({*known, *((n, *memory_of(profile, form, n)) for n in (stops[form][0],) if 0 < n < known[-1][0])})
        for form, known in curve(profile).items()
    }
    return memory_section(points, stops, anatomy(profile))
