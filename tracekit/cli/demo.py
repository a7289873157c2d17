"""`tracekit demo`: a real recording under all three models, and its report."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Annotated

import typer

from tracekit.cli import options
from tracekit.errors import SourceError

RECORDING = "messaging-thread.data"
REPORT = Path("reports") / "demo.html"
CLAIMS = Path("reports") / "claims.html"


def command(
    every: Annotated[
        bool, typer.Option("--all", help="All scenarios instead: each claim, its figure, its verdict.")
    ] = False,
    output: options.Output = None,
    json: options.Json = False,
) -> None:
    """Replay a recording that ships with tracekit.

    Reads it, replays it as processes, threads and goroutines, prints the comparison and writes
    reports/demo.html in the current folder (replacing an earlier one). With --all it replays the built-in scenarios
    and writes reports/claims.html: what is said of the three forms, and whether it holds.
    """
    if every:
        from tracekit.cli.touring import all_scenarios

        all_scenarios(output or CLAIMS, json)
        return
    _recorded(output or REPORT, json)


def _recorded(target: Path, json: bool) -> None:
    from tracekit import api
    from tracekit.cli import inputs, replaying
    from tracekit.cli import output as out

    work = inputs.Work(RECORDING.split(".")[0], inputs.recording(_recording()))
    models = replaying.known_models(options.DEFAULT_MODELS, None, {})
    replayed = replaying.replay_all(work, replaying.Choice(models))
    api.write_report(replayed.runs, target, trace=replayed.trace, program=replayed.program, title=replayed.name)
    if json:
        out.say_json({"wrote": str(target), **replayed.json()})
    else:
        out.say(replayed.text())
        out.say()
        out.wrote(target)


def _recording() -> Path:
    """In a clone beside the package, in the current folder of one, or where an installation puts shared files."""
    package = Path(__file__).parents[2]
    installed = Path(sysconfig.get_path("data")) / "share" / "tracekit"
    for root in (package, Path(), installed):
        if (root / "traces" / RECORDING).is_file():
            return root / "traces" / RECORDING
    raise SourceError(
        "the demo's recording is not here",
        where=f"traces/{RECORDING}",
        remedy="run `tracekit demo` in a clone of the project, or replay a scenario: `tracekit replay fork_join`",
    )
