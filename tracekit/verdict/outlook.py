"""The outlook of some runs: replay their program with more and with less of each thing that can be varied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc

from tracekit.engine.replay import replay as replay_under
from tracekit.errors import ModelError, UsageError
from tracekit.machine.limits import Limit, memory_of, reach
from tracekit.machine.profile import Profile
from tracekit.report.needs import broken
from tracekit.report.outlook import Fit, Outlook, Turning
from tracekit.tables.bundle import Program, Run
from tracekit.verdict.turning import FACTORS, Ranking, turning_point
from tracekit.verdict.vary import Variable
from tracekit.vocabulary import FORMS

MAX_SEGMENTS = 300_000  # of one program that is tried: a turning point beyond is not looked for
ENOUGH_SEGMENTS = 20_000_000  # of all that is replayed, each form counting
_DONE = "completed"
Said = Callable[[str], None]


@dataclass(frozen=True)
class Question:
    """`runs` of one program, one per form; `best` is their verdict, `margin` from where on it tells forms apart.

    `needs` leave forms out; `budget` is how many segments may be replayed, and `limits` are the machine's.
    """

    runs: Sequence[Run]
    best: str | None
    margin: float
    profile: Profile
    needs: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    budget: int = ENOUGH_SEGMENTS

    @property
    def by_form(self) -> dict[str, Run]:
        """The first run of each form that meets the needs."""
        found: dict[str, Run] = {}
        for run in self.runs:
            form = str(run.meta.get("form"))
            if run.meta.get("model") in FORMS and not broken(form, self.needs):
                found.setdefault(form, run)
        return found


def outlook(question: Question, variables: Sequence[Variable], said: Said = lambda _: None) -> Outlook:
    """Where another form is first, for each of the variables; and how many tasks fit on the machine."""
    forms, fits = question.by_form, _fits(question)
    if len(forms) < 2:
        only = "only one form meets the needs, whatever is varied" if question.needs else "only one form was replayed"
        return Outlook(question.best, fits=fits, unfinished=only)
    if any(run.meta.get("failure") for run in forms.values()):
        return Outlook(question.best, fits=fits, unfinished="a run that failed is not varied")
    budget, turnings, tried = _Budget(question.budget), [], []
    for variable in variables:
        said(variable.name)
        found = _turning(question, variable, forms, budget)
        if budget.left <= 0:
            break
        tried.append(variable.name)
        turnings += [found] if found else []
    left_out = [variable.name for variable in variables[len(tried) :]]
    unfinished = f"{', '.join(left_out)}: not varied, the program is too long" if left_out else ""
    return Outlook(question.best, tuple(turnings), tuple(tried), FACTORS[-1], fits, unfinished)


@dataclass
class _Budget:
    left: int


def _turning(question: Question, variable: Variable, forms: Mapping[str, Run], budget: _Budget) -> Turning | None:
    def tried(number: int) -> Ranking | None:
        made = variable.make(number)
        if made is None or budget.left <= 0:
            return None
        segments = made[0].tables["segments"].num_rows
        if segments > MAX_SEGMENTS:
            return None
        budget.left -= segments * len(forms)
        return _ranking(question, forms, *made) if budget.left > 0 else None

    found = turning_point(variable.name, variable.own, question.best, tried, question.margin, variable.unit)
    return replace(found, rate=_rate(variable, found)) if found else None


def _ranking(question: Question, forms: Mapping[str, Run], program: Program, cpus: int) -> Ranking | None:
    """Makespans of the forms that do all the work: one that ends early by losing work is not the faster for it."""
    makespans = {}
    for form, like in forms.items():
        meta = like.meta
        try:
            run = replay_under(program, str(meta["model"]), cpus=cpus, profile=question.profile, seed=int(meta["seed"]),
                               kernel=meta["kernel_policy"], parameters=meta["parameters"])  # fmt: skip
        except (ModelError, UsageError):
            return None
        if run.meta["outcome"] == _DONE and not (run.meta.get("failure") or {}).get("tasks_ended"):
            makespans[form] = int(run.meta["end_ns"])
    return makespans


def _rate(variable: Variable, turning: Turning) -> str:
    """How many requests or messages a second the form that is first there handles."""
    made = variable.make(turning.at)
    seconds = turning.makespans_ns[turning.best] / 1e9
    for kind, noun in (("request", "requests"), ("recv", "messages")):
        count = pc.sum(pc.equal(made[0].tables["segments"].column("kind"), kind)).as_py() if made and seconds else 0
        if count:
            return f"{count / seconds:,.0f} {noun} a second"
    return ""


def _fits(question: Question) -> tuple[Fit, ...]:
    """By form: how many tasks like these fit, at the memory that each of them held at the peak."""
    each = {form: _resident_each(question.profile, run) for form, run in question.by_form.items()}
    stops = reach(question.profile, question.limits, each)
    return tuple(Fit(form, stops[form].tasks, stops[form].stopped_by) for form in each)


def _resident_each(profile: Profile, run: Run) -> int:
    held = run.tables["memory"].column("resident_bytes")
    tasks = int(np.count_nonzero(run.tables["tasks"].column("kind").to_numpy(zero_copy_only=False) != "kernel"))
    form = str(run.meta["form"])
    base, _ = memory_of(profile, form, 0)
    if form == "goroutine":  # its kernel threads do not grow with the tasks
        base += int(run.meta["counters"]["threads"]) * profile.value("thread_resident_bytes")
    # Not all may have been there at once, and none takes less than one that only waits.
    return max(profile.value(f"{form}_resident_bytes"), (int(pc.max(held).as_py() or 0) - base) // max(1, tasks))
