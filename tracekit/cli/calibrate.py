"""`tracekit calibrate`: what this machine costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.machine.profile import Profile


def command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the profile.")] = Path("machine.toml"),
    name: Annotated[str | None, typer.Option("--name", help="What the profile is called; by default the host.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=99, help="Rounds of all measurements.")] = 9,
    force: options.Force = False,
    json: options.Json = False,
) -> None:
    """Measure this machine's costs and write a profile for --profile."""
    from tracekit.cli import output as out
    from tracekit.cli.progress import progress
    from tracekit.errors import UsageError
    from tracekit.machine.calibrate import calibrate

    if output.exists() and not force:
        raise UsageError("exists already", where=str(output), remedy="choose another name with -o, or --force")
    with progress("measuring") as line:
        profile = calibrate(output, name=name, rounds=rounds, progress=line)
    if json:
        out.say_json({"wrote": str(output), **_facts(profile)})
        return
    rows = [(n, round(c.value, 1), f"{c.low:.1f} … {c.high:.1f}", c.unit, c.source) for n, c in profile.costs.items()]
    out.say(out.columns(("cost", "value", "range", "unit", "how"), rows))
    for warning in profile.warnings:
        out.say(f"Note: {warning}")
    out.wrote(output)


def _facts(profile: Profile) -> dict[str, object]:
    return {
        "name": profile.name,
        "host": profile.host,
        "warnings": profile.warnings,
        "costs": {
            name: {"value": c.value, "low": c.low, "high": c.high, "unit": c.unit, "source": c.source}
            for name, c in profile.costs.items()
        },
    }
