"""`tracekit inspect`: what a recording or a bundle holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options


def command(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE|FILE", help="A bundle, or a recording.")],
    json: options.Json = False,
) -> None:
    """Show what a recording or a bundle holds.

    Counts, busiest tasks, gaps, choices made while reading, coverage, and any broken law of its tables; of a trace or
    run of more than 20 million rows all but its laws and metrics, in little memory.
    """
    from tracekit.cli import inputs, output
    from tracekit.cli.describe import describe, describe_stored, is_long, render
    from tracekit.tables import store

    if store.is_bundle(path) and is_long(path):
        store.check_files(path)
        known = describe_stored(path)
    else:
        known = describe(inputs.any_bundle(path))
    if json:
        output.say_json(known)
    else:
        output.say(render(known))
