"""How far to trust the answer: the cost profile, the coverage, and the recording replayed in its own form."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracekit.metrics.catalog import METRICS
from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.figures.header import profile_name
from tracekit.report.markup import facts, folded, table, text
from tracekit.report.view import View
from tracekit.report.wording import change, plural
from tracekit.units import format_duration

Trust = dict[str, Any]


def compute(view: View) -> Trust:
    """`profiles`, `coverage`, `removed_ns`, `self_replay` (label, table) or why there is none, `parameters`."""
    profiles = {run.label: profile_name(run.bundle.meta.get("profile") or {}) for run in view.competing}
    meta = view.program_meta
    own_form = view.own_form()
    return {
        "profiles": profiles,
        "coverage": meta.get("coverage"),
        "origin": meta.get("origin"),
        "removed_ns": dict(sorted((meta.get("removed_ns") or {}).items())),
        "self_replay": (own_form[0].label, own_form[1]) if own_form else None,
        "no_self_replay": None if own_form else _missing(view),
        "parameters": {run.label: dict(sorted((run.bundle.meta.get("parameters") or {}).items())) for run in view.runs},
    }


def _missing(view: View) -> str:
    if view.trace is None:
        return "not known: this report has no recording to compare with"
    form, cpus = view.trace.meta.get("form"), view.trace.meta.get("cpus")
    return f"not known: no completed run replays the recording in its own form ({form}) on its {cpus} CPUs"


def _profile(trust: Trust) -> str:
    names = {name or "not stated" for name in trust["profiles"].values()}
    if len(names) <= 1:
        return text(next(iter(names), "not stated"))
    return "; ".join(f"{text(label)}: {text(name or 'not stated')}" for label, name in trust["profiles"].items())


def _coverage(trust: Trust) -> str:
    if trust["coverage"] is None:
        known = "does not apply: the program is synthetic" if trust["origin"] == "workload" else "not stated"
        return text(known)
    return f"{100 * trust['coverage']:.1f} % of blocked time is explained by recorded dependencies"


def _error(trust: Trust) -> str:
    if trust["self_replay"] is None:
        return text(trust["no_self_replay"])
    label, errors = trust["self_replay"]
    if errors.is_empty():
        return "not known: the recording and the run have no metric in common"
    said = [f"{METRICS[metric].title} {change(error, 1)}" for metric, error in errors.select("metric", "error").rows()]
    return text(f"replayed as {plural(label)}: {', '.join(said)}")


def _error_table(errors: pl.DataFrame) -> str:
    rows = [
        [text(METRICS[metric].title), format_duration(was), format_duration(now), change(error, 2)]
        for metric, was, now, error in errors.iter_rows()
    ]
    return table(["replay against recording", "recorded", "replayed", "error"], rows)


def draw(trust: Trust, view: View) -> Drawing:
    """The three statements always; the details where there are any."""
    del view
    statements = [
        ("cost profile", _profile(trust)),
        ("coverage", _coverage(trust)),
        ("self-replay error", _error(trust)),
    ]
    if trust["removed_ns"]:
        removed = ", ".join(
            f"{kind.replace('_', ' ')} {format_duration(ns)}" for kind, ns in trust["removed_ns"].items()
        )
        statements.append(("taken out of the recording", text(removed)))
    details = ""
    if trust["self_replay"] is not None and not trust["self_replay"][1].is_empty():
        details += _error_table(trust["self_replay"][1])
    parameters = "".join(
        f"<h4>{text(label)}</h4>" + facts((name, text(value)) for name, value in values.items())
        for label, values in trust["parameters"].items()
        if values
    )
    if parameters:
        details += folded("Every parameter of every model", parameters)
    return Drawing(facts(statements) + details)


FIGURE = Figure(
    "trust",
    "How far to trust this",
    "The cost profile is where the charged costs come from. Coverage is how much of the recorded waiting the program "
    "can explain. The self-replay error is the check that needs no faith: the recording, replayed in the form it was "
    "recorded in, against the recording itself.",
    compute,
    draw,
)
