"""`tracekit ingest`: a recording becomes a trace bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options


def command(
    files: Annotated[
        list[Path],
        typer.Argument(help="A recording, packed or not, or `-` for standard input; or several files of one run."),
    ],
    output: options.Output = None,
    force: options.Force = False,
    wakeup: options.Wakeup = options.WakeupEvent.waking,
    json: options.Json = False,
) -> None:
    """Read a recording into a trace bundle."""
    from tracekit.cli import inputs
    from tracekit.cli import output as out
    from tracekit.cli.describe import describe, describe_stored, render
    from tracekit.tables import store
    from tracekit.tables.stream import BundleWriter

    target = output or out.default_name("stdin" if files[0] == inputs.STDIN else files[0], store.SUFFIX)
    with BundleWriter(target, force=force) as writer:
        bundle = writer.finish(inputs.recordings(files, wakeup.value, writer).meta)
    known = describe_stored(target) if bundle is None else describe(bundle)
    if json:
        out.say_json({"wrote": str(target), **known})
    else:
        out.say(render(known))
        out.wrote(target)
