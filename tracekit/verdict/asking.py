"""From runs that somebody has to what would change their verdict."""

from __future__ import annotations

from collections.abc import Sequence

from tracekit.errors import TracekitError
from tracekit.machine.limits import machine_limits
from tracekit.machine.profile import REFERENCE, Profile, load_profile
from tracekit.report.outlook import Outlook
from tracekit.report.view import Ask
from tracekit.tables.bundle import Program, Run
from tracekit.verdict.outlook import Question, outlook
from tracekit.verdict.vary import of_program

ON_A_PAGE = 3_000_000  # segments replayed for a page, which nobody wants to wait for


def asking(
    runs: Sequence[Run], program: Program, needs: tuple[str, ...] = (), profile: str | None = None, budget: int = ON_A_PAGE
) -> Ask:  # fmt: skip
    """What a page asks of its runs: CPUs, compute, waits and message sizes varied, as far as `budget` segments go."""

    def ask(best: str | None, margin: float) -> Outlook:
        costs = _profile(runs, profile)
        if costs is None:
            return Outlook(best, unfinished="nothing is varied: the cost profile of these runs is not at hand")
        cpus = int(runs[0].meta["cpus"])
        question = Question(runs, best, margin, costs, needs, machine_limits(), budget)
        return outlook(question, of_program(program, cpus))

    return ask


def _profile(runs: Sequence[Run], name: str | None) -> Profile | None:
    """The profile of that name, if it is the one that all of these runs were made with."""
    try:
        found = load_profile(name or REFERENCE)
    except TracekitError:
        return None
    made_with = {(run.meta.get("profile") or {}).get("digest") for run in runs if run.meta.get("model") != "recorded"}
    return found if made_with == {found.digest} else None
