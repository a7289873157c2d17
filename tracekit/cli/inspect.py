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

    Counts, busiest tasks, gaps, choices made while reading, coverage, and any broken law of its tables.
    """
    from tracekit.cli import inputs, output
    from tracekit.cli.describe import describe, render

    known = describe(inputs.any_bundle(path))
    if json:
        output.say_json(known)
    else:
        output.say(render(known))
