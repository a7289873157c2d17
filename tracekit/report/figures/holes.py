"""Holes in the recording, and the choices made while reading and replaying it."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.markup import table, text
from tracekit.report.view import View
from tracekit.units import format_duration
from tracekit.vocabulary import GAP_CAUSES

Holes = dict[str, Any]
SCHEMA = {"cause": pl.String, "gaps": pl.UInt32, "time_ns": pl.Int64, "lost_events": pl.Int64}


def compute(view: View) -> Holes:
    """`gaps`: cause, gaps, time_ns, lost_events (null: unknown); `policies`: policy, choice, count; `recording`."""
    bundles = [view.trace] if view.trace is not None else [run.bundle for run in view.runs]
    rows = pl.concat([bundle.frame("gaps").with_columns(pl.col("cause").cast(pl.String)) for bundle in bundles])
    lost = pl.when(pl.col("lost_events").count() > 0).then(pl.col("lost_events").sum())
    gaps = rows.group_by("cause").agg(
        gaps=pl.len(), time_ns=(pl.col("end_ns") - pl.col("start_ns")).sum(), lost_events=lost
    )
    stated = [
        *(view.trace.meta.get("policies") or [] if view.trace else []),
        *(view.program_meta.get("policies") or []),
    ]
    policies = {(str(p.get("policy")), str(p.get("choice")), p.get("count")): None for p in stated}
    return {
        "gaps": gaps.sort("cause").select(*SCHEMA),
        "policies": list(policies),
        "recording": view.trace is not None or view.program_meta.get("origin") == "trace",
    }


def draw(holes: Holes, view: View) -> Drawing:
    """Two tables, or a sentence in the place of one that would be empty."""
    del view
    return Drawing(_gaps(holes) + "<h3>Choices made</h3>" + _policies(holes["policies"]))


def _gaps(holes: Holes) -> str:
    if holes["gaps"].is_empty():
        return (
            f"<p>{'None was noticed.' if holes['recording'] else 'The program is synthetic: nothing was recorded.'}</p>"
        )
    rows = [
        [
            text(cause.replace("_", " ")),
            f"{gaps:,}",
            format_duration(time_ns),
            "unknown" if lost is None else f"{lost:,}",
            text(GAP_CAUSES.meanings.get(cause, "")),
        ]
        for cause, gaps, time_ns, lost in holes["gaps"].iter_rows()
    ]
    return table(["cause", "gaps", "time concerned", "events lost", "what happened"], rows, prose=[4])


def _policies(policies: list[tuple[str, str, Any]]) -> str:
    if not policies:
        return "<p>None is stated.</p>"
    shown = (
        [text(policy), text(choice), f"{count:,}" if isinstance(count, int) else text(count or "–")]
        for policy, choice, count in policies
    )
    return table(["policy", "choice", "how often"], shown, prose=[1])


FIGURE = Figure(
    "holes",
    "Holes and choices",
    "A recorder loses events, and some it never makes. Every stretch of time that is not fully known is counted here, "
    "and so is every choice made where the recording leaves one; nothing is bridged in silence.",
    compute,
    draw,
)
