"""`tracekit diff`: where two traces or runs of the same work spend their time differently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.analysis.diff import Difference


def command(
    first: Annotated[Path, typer.Argument(help="A trace or run bundle, or a recording.")],
    second: Annotated[Path, typer.Argument(help="The other one.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Tasks to show.")] = 20,
    json: options.Json = False,
) -> None:
    """Compare two traces or runs of the same work, by task and by kind of time."""
    from tracekit.analysis.diff import diff
    from tracekit.cli import inputs
    from tracekit.cli import output as out
    from tracekit.errors import UsageError
    from tracekit.tables.bundle import Run, Trace

    bundles = []
    for path in (first, second):
        bundle = inputs.any_bundle(path)
        if not isinstance(bundle, Trace | Run):
            raise UsageError("a program has no times", where=str(path), remedy="give a trace or a run")
        bundles.append(bundle)
    found = diff(*bundles)
    if json:
        out.say_json({
            "makespans_ns": found.makespans_ns, "totals": found.totals.to_dicts(),
            "tasks": found.tasks.to_dicts(), "unpaired": found.unpaired,
        })  # fmt: skip
        return
    _print(found, first, second, top)


def _print(found: Difference, first: Path, second: Path, top: int) -> None:
    from tracekit.cli import output as out
    from tracekit.units import format_duration

    def shown(ns: int) -> str:
        return ("-" if ns < 0 else "") + format_duration(abs(ns))

    a, b = found.makespans_ns
    out.say(f"a  {first}  makespan {format_duration(a)}")
    out.say(f"b  {second}  makespan {format_duration(b)}" + (f"  ({b / a - 1:+.1%})" if a else ""))
    out.say()
    head = ("a", "b", "b - a")
    rows = [(row[0], *map(shown, row[1:])) for row in found.totals.iter_rows()]
    out.say(out.columns(("kind of time", *head), rows))
    out.say()
    out.say(out.columns(("task", "kind of time", *head),
                        [(*row[:2], *map(shown, row[2:])) for row in found.tasks.head(top).iter_rows()]))  # fmt: skip
    if len(found.tasks) > top:
        out.say(f"… and {len(found.tasks) - top} more; --top shows them")
    for name, count in list(found.unpaired.items())[:5]:
        out.say(f"Note: {count} of {name} are in one only")
