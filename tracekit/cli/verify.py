"""`tracekit verify`: run the same work for real, and see how far the predictions are off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.verify.check import Checked


def command(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROGRAM|TRACE|SCENARIO…", help="What to run; nothing with --suite."),
    ] = None,
    suite: Annotated[bool, typer.Option("--suite", help="The standing suite, recordings included.")] = False,
    forms: Annotated[str, typer.Option("--forms", help="Forms, with commas between.")] = options.DEFAULT_MODELS,
    cpus: Annotated[str, typer.Option("--cpus", "-c", help="CPUs to run on; several with commas between.")] = "2",
    repeats: Annotated[int, typer.Option("--repeats", "-n", min=2, max=999, help="Executions of each cell.")] = 9,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Cost profile; by default this machine's, calibrated if needed.")
    ] = None,
    max_error: Annotated[
        float | None, typer.Option("--max-error", min=0, help="Largest error of a makespan that passes, as 0.05.")
    ] = None,
    limit: Annotated[float, typer.Option("--limit", min=0.1, help="Seconds that one execution may take.")] = 60.0,
    latency: Annotated[bool, typer.Option(help="Record each cell three times, for its wakeup latencies.")] = True,
    set_: options.Settings = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write a report, an HTML page.")] = None,
    json: options.Json = False,
) -> None:
    """Check predictions against real execution on this machine.

    Runs each program as processes, threads and goroutines, replays it under each model, and prints predicted beside
    measured. Exits with 1 when the bars, or --max-error, do not hold.
    """
    from tracekit.cli import output as out
    from tracekit.cli import verifying
    from tracekit.cli.progress import progress
    from tracekit.verify.check import check

    chosen = verifying.forms(forms)
    workloads = verifying.workloads(what or [], suite, verifying.cpu_counts(cpus), options.settings(set_))
    costs = verifying.machine_profile(profile)
    with progress("executing") as line:

        def show(label: str, done: int, total: int) -> None:
            line.label = label
            line(done, total)

        checked = check(workloads, costs, forms=chosen, repeats=repeats, limit_s=limit, latency=latency, progress=show)
    misses = checked.misses(max_error)
    if json:
        out.say_json({**checked.json(), "misses": misses})
    else:
        _print(checked, misses)
    if output is not None:
        from tracekit.verify.page import write_verification

        write_verification(checked, misses, output)
        if not json:
            out.wrote(output)
    raise typer.Exit(1 if misses else 0)


def _print(checked: Checked, misses: list[str]) -> None:
    from tracekit.cli import output as out
    from tracekit.cli.verifying import cell_rows, summary_rows

    out.say(out.columns(("workload", "CPUs", "from", "form", "quantity", "predicted", "measured", "error", "spread"),
                        cell_rows(checked.table)))  # fmt: skip
    out.say()
    out.say(
        out.columns(("prediction", "quantity", "cells", "median error", "p90", "bars", ""), summary_rows(checked.table))
    )
    for note in checked.notes:
        out.say(f"Note: {note}")
    out.say("All bars hold." if not misses else "Missed: " + "; ".join(misses))
