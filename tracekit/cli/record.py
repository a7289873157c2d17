"""`tracekit record`: a command, or a running Go service, is recorded and ingested."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.recording.perf import Recorded
    from tracekit.tables.bundle import Trace

_NAME = "recorded"


def command(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="-- CMD [ARG]...", help="The command to record, after `--`.")
    ] = None,
    go: Annotated[
        str | None, typer.Option("--go", metavar="URL", help="Fetch a running Go service's trace: HOST:PORT, or a URL.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="How long to trace the Go service.")] = 5.0,
    duration: Annotated[str | None, typer.Option("--duration", help="End the command after this time, as 30s.")] = None,
    max_size: Annotated[
        str | None, typer.Option("--max-size", help="End the command when the recording is this large, as 500MB.")
    ] = "1GB",
    callchains: Annotated[
        bool, typer.Option(help="Record what tasks wait for; without, a switch's event costs less than half.")
    ] = True,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the recording itself in this file.")] = None,
    output: options.Output = None,
    force: options.Force = False,
    json: options.Json = False,
) -> None:
    """Record a command with perf, or a Go service with its own tracer, into a trace bundle."""
    import shlex
    import tempfile

    from tracekit.cli import inputs
    from tracekit.cli import output as out
    from tracekit.cli.describe import describe, render
    from tracekit.errors import UsageError
    from tracekit.tables import store

    if bool(what) == bool(go):
        raise UsageError("give a command after `--`, or --go URL", remedy="as in: tracekit record -- make -j2")
    target = output or Path(_NAME + store.SUFFIX)
    store.refuse_overwrite(target, force=force)
    with tempfile.TemporaryDirectory(prefix=".tracekit-record-", dir=target.absolute().parent) as folder:
        file = keep or Path(folder) / ("go.trace" if go else "perf.data")
        note = _of_service(go, file, seconds) if go else _of_command(what or [], file, duration, max_size, callchains)
        trace = inputs.recording(file)
        if keep is None:  # the file will be gone
            trace.meta["source"]["path"] = go or f"perf record -- {shlex.join(what or [])}"
        store.save(trace, target, force=force)
    if json:
        out.say_json({"wrote": str(target), "note": note, **describe(trace)})
    else:
        out.say(render(describe(trace)))
        _say_notes(note, trace)
        out.wrote(target)


def _of_service(url: str, file: Path, seconds: float) -> str | None:
    from tracekit.cli.progress import progress
    from tracekit.recording.go_service import fetch

    with progress(f"tracing {url}") as line:
        fetch(url, file, seconds=seconds, progress=line)
    return None


def _of_command(
    command: list[str], file: Path, duration: str | None, max_size: str | None, callchains: bool
) -> str | None:
    from tracekit.errors import UsageError
    from tracekit.recording.perf import record
    from tracekit.units import NS_PER_S, parse_bytes, parse_duration_ns

    try:
        limit_s = parse_duration_ns(duration) / NS_PER_S if duration else None
        limit_bytes = parse_bytes(max_size) if max_size else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    return _note(record(command, file, max_bytes=limit_bytes, duration_s=limit_s, callchains=callchains))


def _note(recorded: Recorded) -> str | None:
    parts = []
    if recorded.reduced:
        parts.append(f"only the command's own switches were recorded, and no wakeups: {recorded.reduced}")
    if recorded.exit_code < 0:
        parts.append(f"the command was ended by signal {-recorded.exit_code}")
    elif recorded.exit_code:
        parts.append(f"the command ended with exit code {recorded.exit_code}")
    return "; ".join(parts) or None


def _say_notes(note: str | None, trace: Trace) -> None:
    from tracekit.cli import output as out

    gaps = trace.frame("gaps")
    lost = gaps.filter(gaps["cause"] == "lost_records")
    if note:
        out.say(f"\nNote: {note}")
    if lost.height:
        count = lost["lost_events"].sum()
        out.say(f"\nNote: events were lost ({count or 'number unknown'}); record a shorter time, or a quieter machine")
