"""A bundle in a few words and numbers: JSON-ready facts first, text from them second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracekit.cli.counts import Pieces, busiest, count_words, of_bundle, of_folder
from tracekit.cli.output import columns, facts
from tracekit.tables.bundle import Bundle, Program, Run
from tracekit.tables.schema import TABLES_SINCE
from tracekit.tables.store import read_header
from tracekit.units import format_duration

TOP_TASKS = 10
ROWS_IN_MEMORY = 20_000_000  # of all tables of a bundle; loaded and checked they take 100 to 200 bytes a row


def describe(bundle: Bundle) -> dict[str, Any]:
    """What the bundle is, how much of everything it holds, and what is wrong with it."""
    from tracekit.tables.checks import check

    what = {"kind": bundle.kind, "meta": bundle.meta, "rows": {n: t.num_rows for n, t in bundle.tables.items()}}
    counted = _of_program(bundle) if isinstance(bundle, Program) else _of_trace(of_bundle(bundle.tables))
    measured = _of_run(bundle) if isinstance(bundle, Run) else {}
    return {**what, **counted, **measured, "broken_laws": [str(finding) for finding in check(bundle)]}


def is_long(folder: Path) -> bool:
    """Whether a bundle on disk is a trace or run with more rows than are held in memory. Raises StoreError."""
    header = read_header(folder)
    rows: int = sum(table["rows"] for table in header["tables"].values())
    return header["kind"] != "program" and rows > ROWS_IN_MEMORY


def describe_stored(folder: Path) -> dict[str, Any]:
    """The same of a trace or run on disk that is not loaded. Its laws are not checked: None. Nothing is measured."""
    header = read_header(folder)
    return {
        "kind": header["kind"],
        "meta": header["meta"],
        "rows": {name: table["rows"] for name, table in header["tables"].items()},
        **_of_trace(of_folder(folder)),
        "broken_laws": None,
    }


def _of_program(bundle: Bundle) -> dict[str, Any]:
    tasks = bundle.frame("tasks")
    segments, pieces = bundle.frame("segments"), of_bundle(bundle.tables)
    compute = segments.filter(segments["kind"] == "compute")["duration_ns"].sum()
    return {
        "converted_tasks": int(tasks["converted"].sum()),
        "segments": count_words(pieces("segments", ["kind"])),
        "objects": count_words(pieces("objects", ["kind"])),
        "compute_ns": int(compute or 0),
    }


def _of_trace(pieces: Pieces) -> dict[str, Any]:
    return {
        "kinds": count_words(pieces("tasks", ["kind"])),
        "gaps": count_words(pieces("gaps", ["cause"])),
        "busiest": busiest(pieces, TOP_TASKS),
    }


def _of_run(run: Run) -> dict[str, Any]:
    from tracekit.metrics.measure import measure

    return {"metrics": measure(run).to_dicts()}


def render(known: dict[str, Any]) -> str:
    """The facts as text for a terminal."""
    blocks = [_render_head(known)]
    if known.get("busiest"):
        blocks.append(_render_busiest(known["busiest"]))
    if known.get("metrics"):
        blocks.append(_render_metrics(known["metrics"]))
    if policies := known["meta"].get("policies"):
        blocks.append(columns(("choice made while reading", "chosen", "times"), _policy_rows(policies)))
    if known["broken_laws"] is None:
        blocks.append("laws not checked: the tables have more rows than are held in memory")
    elif known["broken_laws"]:
        blocks.append("broken laws:\n" + "\n".join(known["broken_laws"]))
    return "\n\n".join(blocks)


def _render_metrics(measured: list[dict[str, Any]]) -> str:
    from tracekit.metrics.catalog import METRICS
    from tracekit.metrics.compare import format_value, row_title

    rows = [(row_title(METRICS[m["metric"]], m["label"]), format_value(m["value"], m["unit"])) for m in measured]
    return columns(("metric", "value"), rows)


def _policy_rows(policies: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(p.get("policy"), p.get("choice"), p.get("count")) for p in policies]


def _render_head(known: dict[str, Any]) -> str:
    meta, rows = known["meta"], known["rows"]
    source = meta.get("source") or {}
    common = {
        "kind": known["kind"],
        "recorded in": " ".join(str(source[k]) for k in ("format", "version") if source.get(k)),
        "from": source.get("path"),
        "on": ", ".join(str(meta[k]) for k in ("host", "kernel") if meta.get(k)),
        "cpus": meta.get("cpus"),
        "length": format_duration(meta["end_ns"]) if meta.get("end_ns") is not None else None,
        "events": meta.get("events"),
        "form": meta.get("form"),
        "rows": _pairs({name: count for name, count in rows.items() if count or name not in TABLES_SINCE}),
    }
    special = {"program": _program_facts, "run": _run_facts, "trace": _trace_facts}[known["kind"]]
    return facts({**common, **special(known, meta)})


def _trace_facts(known: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    return {"tasks": _pairs(known["kinds"]), "gaps": _pairs(known["gaps"]) or "none"}


def _program_facts(known: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    coverage = meta.get("coverage")
    removed = meta.get("removed_ns") or {}
    return {
        "name": meta.get("name"),
        "seed": meta.get("seed"),
        "converted tasks": known["converted_tasks"],
        "compute": format_duration(known["compute_ns"]),
        "segments": _pairs(known["segments"]),
        "objects": _pairs(known["objects"]),
        "coverage": None if coverage is None else f"{100 * coverage:.1f} % of blocked time is explained",
        "taken out": ", ".join(f"{kind} {format_duration(ns)}" for kind, ns in removed.items() if ns),
    }


def _run_facts(known: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": meta.get("model"),
        "kernel policy": meta.get("kernel_policy"),
        "profile": (meta.get("profile") or {}).get("name"),
        "seed": meta.get("seed"),
        "outcome": " ".join(str(meta[k]) for k in ("outcome", "outcome_detail") if meta.get(k)),
        **_trace_facts(known, meta),
    }


def _render_busiest(tasks: list[dict[str, Any]]) -> str:
    times = ("running_ns", "runnable_ns", "blocked_ns")
    rows = [(t["name"], t["kind"], t["source_id"], *(format_duration(t[k]) for k in times)) for t in tasks]
    return columns(("busiest tasks", "kind", "id", "running", "runnable", "blocked"), rows)


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
