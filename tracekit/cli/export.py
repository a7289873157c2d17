"""`tracekit export`: a bundle or recording as a file that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options


def command(
    source: Annotated[str, typer.Argument(metavar="BUNDLE|RECORDING|WORKLOAD", help="What to export.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write; .json, .csv, .parquet or .arrow.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="`rt-app` for a program as rt-app JSON; else by the suffix.")
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Which table a .csv, .parquet or .arrow file holds.")
    ] = None,
    force: options.Force = False,
    wakeup: options.Wakeup = options.WakeupEvent.waking,
) -> None:
    """Write a trace, run or program for other tools: Perfetto, pandas, DuckDB, rt-app."""
    from tracekit import export
    from tracekit.cli import inputs
    from tracekit.cli import output as out
    from tracekit.tables.store import is_bundle, load

    chosen = export.format_of(output, format_)
    _refuse(output, force)
    path = Path(source)
    bundle = load(path) if is_bundle(path) else inputs.work(source, wakeup=wakeup.value).given
    export.export_bundle(bundle, output, format=chosen, table=table)
    out.wrote(output)


def _refuse(output: Path, force: bool) -> None:
    from tracekit.errors import UsageError

    if output.is_dir():
        raise UsageError("a folder, not a file", where=str(output), remedy="choose another name with -o")
    if output.exists() and not force:
        raise UsageError("exists already", where=str(output), remedy="choose another name with -o, or --force")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"no folder {output.absolute().parent}", where=str(output), remedy="make it first")
