"""`tracekit synth`: a workload file or a scenario becomes a program bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options


def command(
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD|SCENARIO", help="A TOML file, or a scenario's name.")],
    output: options.Output = None,
    seed: options.OwnSeed = None,
    set_: options.Settings = None,
    force: options.Force = False,
    json: options.Json = False,
) -> None:
    """Make a program from a workload or a scenario."""
    from tracekit.cli import inputs
    from tracekit.cli import output as out
    from tracekit.cli.describe import describe, render
    from tracekit.tables import store

    target = output or out.default_name(Path(workload), store.SUFFIX)
    store.refuse_overwrite(target, force=force)
    program = inputs.workload(workload, seed, options.settings(set_))
    store.save(program, target, force=force)
    if json:
        out.say_json({"wrote": str(target), **describe(program)})
    else:
        out.say(render(describe(program)))
        out.wrote(target)
