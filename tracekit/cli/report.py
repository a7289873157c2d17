"""`tracekit report`: runs become a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run bundles, or folders of them as `replay` writes; with their trace and program."
        ),
    ],
    output: options.Output = None,
    title: Annotated[str | None, typer.Option("--title", help="What the page is called.")] = None,
    force: options.Force = False,
) -> None:
    """Make one self-contained HTML page of runs."""
    from tracekit.cli import inputs, pages
    from tracekit.cli import output as out

    target = output or out.default_name(runs[0], ".html")
    pages.refuse_overwrite(target, force=force)
    found = inputs.reportable(runs)
    out.wrote(pages.write(found.runs, found.trace, found.program, title or target.stem, target))
