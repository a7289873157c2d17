"""`tracekit report`: runs become a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options
from tracekit.errors import StoreError

WhatIf = Annotated[
    bool, typer.Option("--what-if/--no-what-if", help="Look for what would change the verdict, by replaying.")
]


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run bundles, or folders of them as `replay` writes; with their trace and program."
        ),
    ],
    output: options.Output = None,
    title: Annotated[str | None, typer.Option("--title", help="What the page is called.")] = None,
    need: options.Needs = None,
    what_if: WhatIf = True,
    profile: options.Profile = "reference",
    force: options.Force = False,
) -> None:
    """Make one self-contained HTML page of runs.

    To find what would change the verdict, the program is replayed with more and with less of what it does; that needs
    the cost profile that the runs were made with.
    """
    from tracekit import api
    from tracekit.cli import inputs
    from tracekit.cli import output as out

    target = output or out.default_name(runs[0], ".html")
    _refuse_overwrite(target, force)
    found = inputs.reportable(runs)
    out.wrote(
        api.write_report(
            found.runs,
            target,
            trace=found.trace,
            program=found.program,
            title=title,
            needs=need or (),
            what_if=what_if,
            profile=profile,
        )
    )


def _refuse_overwrite(target: Path, force: bool) -> None:
    if target.is_dir():
        raise StoreError("a folder, not a page", where=str(target), remedy="give a file name with -o")
    if target.exists() and not force:
        raise StoreError(
            "exists already", where=str(target), remedy="choose another name with -o, or --force to replace it"
        )
