"""What was replayed, and on what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import polars as pl

from tracekit.report.figures.base import Drawing, Figure
from tracekit.report.markup import facts, text
from tracekit.report.view import Subject, View
from tracekit.units import format_bytes, format_duration

Facts = dict[str, list[tuple[str, str]]]


def compute(view: View) -> Facts:
    """Facts by heading, as plain text: the program, the machine and models."""
    return {"The program": _program(view), "The machine and the models": _machine(view)}


def _program(view: View) -> list[tuple[str, str]]:
    meta = view.program_meta
    origin = {"trace": "extracted from a recording", "workload": "made from a workload file"}
    facts_ = [
        ("name", meta.get("name")),
        ("origin", origin.get(str(meta.get("origin")), meta.get("origin"))),
        ("recorded as", meta.get("form")),
        *_source(meta.get("source") or (view.trace.meta.get("source") if view.trace else None) or {}),
        ("recorded on", _recording_host(view)),
        ("tasks", _task_count(view)),
        ("segments", f"{view.program.tables['segments'].num_rows:,}" if view.program else None),
        ("seed of its distributions", meta.get("seed")),
    ]
    return [(name, str(value)) for name, value in facts_ if value is not None]


def _source(source: dict[str, Any]) -> list[tuple[str, Any]]:
    digest, size = source.get("sha256"), source.get("size_bytes")
    format_ = " ".join(str(part) for part in (source.get("format"), source.get("version")) if part is not None)
    return [
        ("source file", PurePath(str(source["path"])).name if source.get("path") else None),
        ("format", format_ or None),
        ("size", format_bytes(size) if isinstance(size, int) else None),
        ("sha256", f"{str(digest)[:16]}…" if digest else None),
    ]


def _recording_host(view: View) -> str | None:
    if view.trace is None:
        return None
    meta = view.trace.meta
    cpus, end_ns = meta.get("cpus"), meta.get("end_ns")
    parts = [
        str(meta["host"]) if meta.get("host") else None,
        str(meta["kernel"]) if meta.get("kernel") else None,
        f"{cpus} CPUs" if cpus else None,
        format_duration(end_ns) if isinstance(end_ns, int) else None,
    ]
    return ", ".join(part for part in parts if part) or None


def _task_count(view: View) -> str | None:
    if view.program is not None:
        converted = view.program.frame("tasks")["converted"]
        own, others = int(converted.sum()), int((~converted).sum())
    elif view.runs:
        kinds = view.runs[0].bundle.frame("tasks")["kind"].cast(pl.String)
        others = int((kinds == "kernel").sum())
        own = len(kinds) - others
    else:
        return None
    return f"{own:,}" + (f", and {others:,} others that compete for the CPUs" if others else "")


def _machine(view: View) -> list[tuple[str, str]]:
    models = ", ".join(
        f"{s.label} ({s.bundle.meta.get('runtime') or '?'} on {s.bundle.meta.get('kernel_policy') or '?'})"
        for s in view.competing
    )
    asked: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
        ("CPUs", lambda meta: meta.get("cpus")),
        ("cost profile", lambda meta: profile_name(meta.get("profile") or {})),
        ("kernel policy", lambda meta: meta.get("kernel_policy")),
        ("seed", lambda meta: meta.get("seed")),
        ("tracekit", lambda meta: meta.get("tool_version")),
    ]
    rows = [("models", models or None), *((name, _per_run(view.competing or view.runs, get)) for name, get in asked)]
    return [(name, value) for name, value in rows if value is not None]


def _per_run(runs: tuple[Subject, ...], get: Callable[[dict[str, Any]], Any]) -> str | None:
    values = {run.label: get(run.bundle.meta) for run in runs}
    known = {label: value for label, value in values.items() if value is not None}
    if len(set(map(str, known.values()))) <= 1:
        return next((str(value) for value in known.values()), None)
    return ", ".join(f"{value} ({label})" for label, value in known.items())


def profile_name(profile: dict[str, Any]) -> str | None:
    """A profile in a line: name, machine, digest."""
    if not profile:
        return None
    host = profile.get("host")
    machine = host.get("cpu") or host.get("name") if isinstance(host, dict) else host
    parts = [str(profile.get("name", "unnamed"))]
    parts += [f"measured on {machine}"] if machine else []
    parts += [f"digest {profile['digest']}"] if profile.get("digest") else []
    return ", ".join(parts)


def draw(found: Facts, view: View) -> Drawing:
    """One list of facts per heading."""
    del view
    groups = "".join(
        f"<div><h3>{text(heading)}</h3>{facts((name, text(value)) for name, value in pairs)}</div>"
        for heading, pairs in found.items()
        if pairs
    )
    return Drawing(f'<div class="columns">{groups}</div>')


FIGURE = Figure(
    "subject",
    "What was replayed, and on what",
    "The program is the work with the schedule taken out. Each model schedules the same work on the same CPUs, and "
    "charges what its form of task costs, as the cost profile measured it.",
    compute,
    draw,
)
