"""Bundles to what other tools read: Chrome trace-event JSON, one table as CSV, Parquet or Arrow, rt-app JSON."""

from __future__ import annotations

from pathlib import Path

from tracekit.errors import UsageError
from tracekit.tables.bundle import Bundle, Program, Run, Trace

FORMATS = ("chrome", "rt-app", "csv", "parquet", "arrow")
BY_SUFFIX = {".json": "chrome", ".csv": "csv", ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}


def format_of(path: Path, given: str | None = None) -> str:
    """The format asked for, or that of the suffix. Raises UsageError naming those there are."""
    if given is not None and given not in FORMATS:
        raise UsageError(f"unknown format {given!r}", remedy=f"one of {', '.join(FORMATS)}")
    chosen = given or BY_SUFFIX.get(path.suffix.lower())
    if chosen is None:
        raise UsageError(f"no format goes by the suffix {path.suffix!r}", where=str(path),
                         remedy=f"use {', '.join(BY_SUFFIX)}, or say the format")  # fmt: skip
    return chosen


def export_bundle(bundle: Bundle, path: Path, *, format: str | None = None, table: str | None = None) -> Path:
    """Write `bundle` to `path`. Raises UsageError and WorkloadError as `tracekit.api.export` does."""
    chosen = format_of(path, format)
    if chosen == "rt-app":
        if not isinstance(bundle, Program):
            raise UsageError(f"a {bundle.kind} is no program", remedy="rt-app runs programs; make one with synth")
        from tracekit.program.rt_app_export import write_rt_app

        write_rt_app(bundle, path)
    elif chosen == "chrome":
        if not isinstance(bundle, Trace | Run):
            raise UsageError(f"a {bundle.kind} has no timeline", remedy="replay it first, or use --format rt-app")
        from tracekit.export.chrome_json import write_chrome_json

        write_chrome_json(bundle, path)
    else:
        from tracekit.export.tables import write_table

        write_table(bundle, path, chosen, table)
    return path
