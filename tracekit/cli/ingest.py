"""`tracekit ingest`: a recording becomes a trace bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options


def command(
    file: Annotated[Path, typer.Argument(help="A recording; its format is found by its content.")],
    output: options.Output = None,
    force: options.Force = False,
    wakeup: options.Wakeup = options.WakeupEvent.waking,
    json: options.Json = False,
) -> None:
    """Read a recording into a trace bundle."""
    from tracekit.cli import inputs
    from tracekit.cli import output as out
    from tracekit.cli.describe import describe, render
    from tracekit.tables import store

    target = output or out.default_name(file, store.SUFFIX)
    store.refuse_overwrite(target, force=force)
    trace = inputs.recording(file, wakeup.value)
    store.save(trace, target, force=force)
    if json:
        out.say_json({"wrote": str(target), **describe(trace)})
    else:
        out.say(render(describe(trace)))
        out.wrote(target)
