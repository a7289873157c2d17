"""`tracekit scenarios`: the workloads that come with tracekit."""

from __future__ import annotations

from typing import Annotated

import typer

from tracekit.cli import options


def command(
    name: Annotated[
        str | None, typer.Argument(help="Print this one's claim, its workload file, and what to look for.")
    ] = None,
    json: options.Json = False,
) -> None:
    """List the built-in scenarios, or print one."""
    from tracekit.cli import output
    from tracekit.cli.suggest import unknown
    from tracekit.program.catalog import scenarios

    known = scenarios()
    if name is not None and name not in known:
        raise unknown("scenario", name, known)
    shown = [known[name]] if name else list(known.values())
    if json:
        output.say_json(
            [{"name": s.name, "claim": s.claim, "look_for": s.look_for, "file": str(s.path)} for s in shown]
        )
    elif name:
        scenario = known[name]
        for title, said in (("claim", scenario.claim), ("look for", scenario.look_for), ("file", scenario.path)):
            output.say(f"# {title}: {said}")  # comments, so that what is printed is a workload file
        output.say(scenario.path.read_text(encoding="utf-8").rstrip())
    else:
        output.say(output.columns(("scenario", "claim"), [(s.name, s.claim) for s in shown]))
