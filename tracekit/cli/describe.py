"""A bundle in a few words and numbers: JSON-ready facts first, text from them second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracekit.cli.output import columns, facts
from tracekit.tables.bundle import Bundle, Program, Run
from tracekit.tables.schema import TABLES_SINCE
from tracekit.tables.store import read_header
from tracekit.units import format_duration

if TYPE_CHECKING:
    import polars as pl

TOP_TASKS = 10


def describe(bundle: Bundle) -> dict[str, Any]:
    """What the bundle is, how much of everything it holds, and what is wrong with it."""
    from tracekit.tables.checks import check

    what = {"kind": bundle.kind, "meta": bundle.meta, "rows": {n: t.num_rows for n, t in bundle.tables.items()}}
    counted = _of_program(bundle) if isinstance(bundle, Program) else _of_trace(lambda name: bundle.frame(name).lazy())
    measured = _of_run(bundle) if isinstance(bundle, Run) else {}
    return {**what, **counted, **measured, "broken_laws": [str(finding) for finding in check(bundle)]}


def describe_stored(folder: Path) -> dict[str, Any]:
    """The same of a trace on disk that does not fit into memory at once. Its laws are not checked: None."""
    import polars as pl

    header = read_header(folder)
    return {
        "kind": header["kind"],
        "meta": header["meta"],
        "rows": {name: table["rows"] for name, table in header["tables"].items()},
        **_of_trace(lambda name: pl.scan_parquet(folder / f"{name}.parquet")),
        "broken_laws": None,
    }


def _of_program(bundle: Bundle) -> dict[str, Any]:
    tasks = bundle.frame("tasks")
    segments = bundle.frame("segments")
    compute = segments.filter(segments["kind"] == "compute")["duration_ns"].sum()
    return {
        "converted_tasks": int(tasks["converted"].sum()),
        "segments": _counts(segments.lazy(), "kind"),
        "objects": _counts(bundle.frame("objects").lazy(), "kind"),
        "compute_ns": int(compute or 0),
    }


def _of_trace(frame: Callable[[str], pl.LazyFrame]) -> dict[str, Any]:
    return {
        "kinds": _counts(frame("tasks"), "kind"),
        "gaps": _counts(frame("gaps"), "cause"),
        "busiest": _busiest(frame("tasks"), frame("intervals")),
    }


def _of_run(run: Run) -> dict[str, Any]:
    from tracekit.metrics.measure import measure

    return {"metrics": measure(run).to_dicts()}


def _counts(frame: pl.LazyFrame, column: str) -> dict[str, int]:
    import polars as pl

    counted = (
        frame.group_by(pl.col(column).cast(pl.String).fill_null("unknown"))
        .len()
        .sort("len", column, descending=[True, False])
    )
    return dict(counted.collect(engine="streaming").iter_rows())


def _busiest(tasks: pl.LazyFrame, intervals: pl.LazyFrame) -> list[dict[str, Any]]:
    """The tasks that ran longest: name, ids, and their time per state in ns."""
    import polars as pl

    times = intervals.select("task_id", pl.col("state").cast(pl.String), length=pl.col("end_ns") - pl.col("start_ns"))
    per_task = times.group_by("task_id").agg(
        *(
            pl.col("length").filter(pl.col("state") == state).sum().alias(f"{state.lower()}_ns")
            for state in ("RUNNING", "RUNNABLE", "BLOCKED")
        )
    )
    names = tasks.select("task_id", "name", pl.col("kind").cast(pl.String), "source_id")
    ranked = names.join(per_task, on="task_id").sort(["running_ns", "task_id"], descending=[True, False])
    return ranked.head(TOP_TASKS).collect(engine="streaming").to_dicts()


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
        blocks.append("laws not checked: the tables are larger than is held in memory; `tracekit inspect` checks them")
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
