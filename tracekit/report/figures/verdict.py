"""The verdict: which form is best for this program, by how much, why, and what it trades for that."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.markup import text
from tracekit.report.needs import NEEDS, broken
from tracekit.report.outlook import sentences
from tracekit.report.view import Subject, View
from tracekit.report.wording import listed, percent, plural
from tracekit.units import format_bytes, format_duration
from tracekit.vocabulary import OVERHEADS

MARGIN = 0.05  # without a recording to compare with: what a second batch of the same measurement moves by, and more
LEAST_MARGIN = 0.01  # a good self-replay does not make the models exact

_HOW = (
    '<p class="margin">Found by replaying the program again with more and less of each; × is how many times as much as it '
    "has. To vary the parameters of a workload file one by one: <code>tracekit verdict FILE</code>.</p>"
)
Verdict = dict[str, Any]


def compute(view: View) -> Verdict:
    """`sentence` and its `clauses`, `outlook` (what would change it; None: not asked), and what it rests on: `best` (labels), `margin`, `margin_source`, `makespans_ns`, `driver`, and
    `out`: the needs that each form left out breaks, by label."""
    margin, source = _margin(view)
    everyone = sorted(
        (s for s in view.competing if s.done and s.value("makespan")),
        key=lambda s: (s.value("makespan"), s.label),
    )
    out = {s.label: names for s in view.competing if (names := broken(str(s.bundle.meta.get("form")), view.needs))}
    ranked = [s for s in everyone if s.label not in out]
    stuck = [s for s in view.competing if not s.done and s.label not in out]
    best = [s for s in ranked if _makespan(s) <= _makespan(ranked[0]) * (1 + margin)]
    driver = _driver(ranked)
    first = _finish(ranked, best, margin) if ranked else _nothing(stuck)
    clauses = [first, *_price(ranked, everyone, out, margin), _why(driver), *_trades(ranked), *map(_stuck, stuck)]
    clauses = [clause for clause in clauses if clause]
    sentence = "; ".join(clauses)
    only = str(best[0].bundle.meta.get("form")) if len(best) == 1 else None
    return {
        "sentence": f"{sentence[:1].upper()}{sentence[1:]}.",
        "clauses": clauses,
        "outlook": view.ask(only, margin) if view.ask and ranked else None,
        "best": [s.label for s in best],
        "makespans_ns": {s.label: _makespan(s) for s in ranked},
        "margin": margin,
        "margin_source": source,
        "driver": driver,
        "out": out,
    }


def _price(ranked: list[Subject], everyone: list[Subject], out: dict[str, tuple[str, ...]], margin: float) -> list[str]:
    """Which forms the needs rule out, and what that costs against the best of them."""
    clauses = [
        f"{plural(label)} are out: {' and '.join(f'{need} is needed, and {NEEDS[need].because}' for need in needs)}"
        for label, needs in out.items()
    ]
    if out and ranked and everyone[0] not in ranked:
        best, chosen = _makespan(everyone[0]), _makespan(ranked[0])
        factor = chosen / best
        told = f"×{factor:.3g}" if factor >= 1 + margin else "within the margin"
        clauses.append(
            f"the price of that is {format_duration(chosen - best)} of makespan against {plural(everyone[0].label)} ({told})"
        )
    return clauses


def _margin(view: View) -> tuple[float, str]:
    own_form = view.own_form()
    if own_form is None:
        return MARGIN, "a stated 5 %: no recording to compare a replay with"
    subject, errors = own_form
    makespan = errors.filter(pl.col("metric") == "makespan")["error"]
    if not len(makespan):
        return MARGIN, "a stated 5 %: the recording has no makespan to compare with"
    error = abs(float(makespan[0]))
    said = f"replaying the recording as {plural(subject.label)} misses its own makespan by {percent(error)}"
    if error < LEAST_MARGIN:
        return LEAST_MARGIN, f"{said}; no less than {percent(LEAST_MARGIN)} is claimed"
    return error, said


def _makespan(subject: Subject) -> float:
    return subject.value("makespan") or 0.0


def _nothing(stuck: list[Subject]) -> str:
    return "no replayed form completes this program" if stuck else "no form was replayed that could be judged"


def _finish(ranked: list[Subject], best: list[Subject], margin: float) -> str:
    first = format_duration(_makespan(ranked[0]))
    if len(ranked) == 1:
        return f"only {plural(ranked[0].label)} can be judged here: makespan {first}"
    if len(best) == len(ranked):
        last = format_duration(_makespan(ranked[-1]))
        return f"{listed(s.label for s in ranked)} finish within {percent(margin)} of each other ({first} to {last}): too close to call"
    others = [s for s in ranked if s not in best]
    leads = [f"{percent(1 - _makespan(ranked[0]) / _makespan(s))} less than {plural(s.label)}" for s in others]
    head = f"{listed(s.label for s in best)} finish first, makespan {first}"
    if len(best) > 1:
        head += f" (within {percent(margin)} of each other: too close to call between them)"
    return f"{head}, {' and '.join(leads)}"


def _driver(ranked: list[Subject]) -> dict[str, Any] | None:
    """The overhead kind in which the forms differ most, and what each spends on it."""
    spent = {
        kind: {s.label: s.value("overhead_time", kind) or 0.0 for s in ranked}
        for kind in OVERHEADS
        if any(s.value("overhead_time", kind) for s in ranked)
    }
    if len(ranked) < 2 or not spent:
        return None
    kind = max(spent, key=lambda k: max(spent[k].values()) - min(spent[k].values()))
    return {"kind": kind, "spent_ns": spent[kind]}


def _why(driver: dict[str, Any] | None) -> str:
    if driver is None:
        return ""
    spent = ", ".join(f"{format_duration(ns)} for {plural(label)}" for label, ns in driver["spent_ns"].items())
    return f"the overhead that differs most is {driver['kind'].replace('_', ' ')}, in CPU time {spent}"


def _trades(ranked: list[Subject]) -> list[str]:
    if len(ranked) < 2:
        return []
    asked = [
        ("wakeup latency at p99", "wakeup_latency", "p99", format_duration),
        ("peak resident memory", "peak_resident", "", format_bytes),
    ]
    clauses = []
    for title, metric, label, written in asked:
        known = [(s, value) for s in ranked if (value := s.value(metric, label)) is not None]
        if len(known) > 1:
            clauses.append(f"{title} is {', '.join(f'{written(v)} for {plural(s.label)}' for s, v in known)}")
    return clauses


def _stuck(subject: Subject) -> str:
    meta = subject.bundle.meta
    lost = meta.get("failure")
    if lost and lost["tasks_ended"]:
        how = "crash" if meta.get("outcome") == "crashed" else "end before their work is done"
        alone = f"{lost['tasks_ended']:,} of their {subject.seen.tasks.height:,} tasks cut off"
        return f"{plural(subject.label)} {how}, with {alone} and {lost['requests_lost']:,} requests lost"
    return f"{plural(subject.label)} do not complete ({meta.get('outcome')})"


def draw(verdict: Verdict, view: View) -> Drawing:
    """The sentence, and under it what margin it claims."""
    del view
    first, *rest = (f"{clause[:1].upper()}{clause[1:]}." for clause in verdict["clauses"])
    outlook = sentences(verdict["outlook"]) if verdict["outlook"] else []
    return Drawing(
        f'<p class="verdict">{text(first)}</p>{_items(rest)}'
        f'<p class="margin">Margin: {text(percent(verdict["margin"]))}: {text(verdict["margin_source"])}.</p>'
        + (f"<h3>What would change the answer</h3>{_items(outlook)}{_HOW}" if outlook else "")
    )


def _items(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>" if lines else ""


FIGURE = Figure(
    "verdict",
    "Verdict",
    "Which form finishes this program first, what makes the difference, and what it trades. Forms whose makespans "
    "differ by no more than the margin are not told apart.",
    compute,
    draw,
)
