"""`tracekit replay`: the same work under several models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.cli.replaying import Replayed

SUFFIX = ".runs"


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|BUNDLE|SCENARIO",
            help="A recording, a trace or program bundle, a workload file or a scenario.",
        ),
    ],
    model: options.Models = options.DEFAULT_MODELS,
    cpus: options.Cpus = None,
    profile: options.Profile = "reference",
    seed: options.OwnSeed = None,
    process: options.Process = None,
    arrivals: options.Arrivals = options.ArrivalKind.closed,
    wakeup: options.Wakeup = options.WakeupEvent.waking,
    kernel: options.Kernel = None,
    set_: options.Settings = None,
    crash: options.CrashAt = None,
    output: options.Output = None,
    force: options.Force = False,
    json: options.Json = False,
) -> None:
    """Replay the same work under several models.

    Compares what each would cost, and writes the runs, with the program and trace they come from, to a
    folder that `tracekit report` makes a page of. A run too long for memory is written while it lasts.
    """
    from tracekit.cli import inputs, replaying
    from tracekit.cli import output as out
    from tracekit.tables import store

    models = replaying.known_models(model, kernel, options.settings(set_))
    target = output or out.default_name(what, SUFFIX)
    store.refuse_overwrite(target, force=force)
    work = inputs.work(what, wakeup=wakeup.value, seed=seed)
    struck = options.crash(crash)
    choice = replaying.Choice(models, cpus, profile, seed or 0, process, arrivals.value, kernel, struck)
    with store.whole(target, force) as folder:
        replayed = replaying.replay_all(work, choice, folder)
        replayed.save(folder)
    _print(replayed, target, json)


def _print(replayed: Replayed, target: Path, as_json: bool) -> None:
    from tracekit.cli import output as out

    if as_json:
        out.say_json({"wrote": str(target), **replayed.json()})
        return
    out.say(replayed.text())
    out.say()
    out.say(f"For a page: tracekit report {target}")
    out.wrote(target)
