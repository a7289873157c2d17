"""`tracekit join`: a Go trace and a kernel recording of one run, on one clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tracekit.cli import options


def command(
    go_trace: Annotated[Path, typer.Argument(metavar="GO_TRACE", help="A Go execution trace, or its bundle.")],
    kernel: Annotated[Path, typer.Argument(metavar="PERF_DATA", help="A kernel recording of the same run.")],
    output: options.Output = None,
    force: options.Force = False,
    json: options.Json = False,
) -> None:
    """Join a Go trace with a kernel recording of the same run.

    Goroutines are RUNNING in the result only while their thread had a CPU.
    """
    from tracekit.analysis.join import join
    from tracekit.cli import inputs
    from tracekit.cli import output as out
    from tracekit.tables import store

    target = output or out.default_name(go_trace, f"-joined{store.SUFFIX}")
    store.refuse_overwrite(target, force=force)
    joined = join(_trace(inputs.any_bundle(go_trace), go_trace, True), _trace(inputs.any_bundle(kernel), kernel, False))
    store.save(joined.trace, target, force=force)
    if json:
        out.say_json({"wrote": str(target), **joined.summary})
    else:
        out.say(render(joined.summary))
        out.wrote(target)


def _trace(bundle: Any, path: Path, of_go: bool) -> Any:
    """The bundle, if it is a trace of the kind wanted. Raises UsageError."""
    from tracekit.errors import UsageError
    from tracekit.tables.bundle import Trace

    usage = "give the Go trace first, then the kernel recording"
    if not isinstance(bundle, Trace):
        raise UsageError(f"a {bundle.kind}, not a recording", where=str(path), remedy=usage)
    if "sources" in bundle.meta or (bundle.meta.get("form") == "goroutine") != of_go:
        raise UsageError(f"not a {'Go trace' if of_go else 'kernel recording'}", where=str(path), remedy=usage)
    return bundle


def render(summary: dict[str, Any]) -> str:
    """The summary as text: where goroutines' running time went, and who lost most of it."""
    from tracekit.cli import output as out
    from tracekit.units import format_duration

    share = summary["share_without_cpu"]
    head = out.facts({
        "both recorded": format_duration(summary["overlap_ns"]),
        "goroutines running": f"{format_duration(summary['running_ns'])}, as the Go runtime sees it",
        "without a CPU": None if share is None else f"{100 * share:.2f} % of that",
        "thread on a CPU": format_duration(summary["on_cpu_ns"]),
        "thread in a run queue": format_duration(summary["runnable_ns"]),
        "thread blocked": format_duration(summary["blocked_ns"]),
        "not known": format_duration(summary["unknown_ns"]) if summary["unknown_ns"] else None,
    })  # fmt: skip
    times = ("running_ns", "runnable_ns", "blocked_ns")
    rows = [(w["name"], w["goroutine"], *(format_duration(w[key]) for key in times)) for w in summary["worst"]]
    header = ("lost most", "goroutine", "running", "thread in a run queue", "thread blocked")
    return f"{head}\n\n{out.columns(header, rows)}" if rows else head
