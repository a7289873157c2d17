"""`tracekit analyze`: what a recording or a run means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    import polars as pl

    from tracekit.analysis.result import Analysis, Table

WHAT = "tasks, blame, critical-path, queues, leaks, gc, failure, memory, races"
_WIDEST = 60  # characters of a cell


def command(
    path: Annotated[Path, typer.Argument(metavar="TRACE|RUN|RECORDING", help="A bundle, or a recording.")],
    what: Annotated[str, typer.Option("--what", "-w", help=f"One of {WHAT}.")],
    json: options.Json = False,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Rows of each table in text.")] = 15,
    task: Annotated[str | None, typer.Option("--task", help="Only what is about this task: its name or id.")] = None,
    wakeup: options.Wakeup = options.WakeupEvent.waking,
) -> None:
    """Say where time went and why: waits and who caused them, the critical path, queues, leaks, collection, races."""
    from tracekit.analysis.catalog import ANALYSES, analyze
    from tracekit.cli import inputs, output
    from tracekit.cli.suggest import unknown
    from tracekit.errors import UsageError
    from tracekit.tables.bundle import Run, Trace

    if what not in ANALYSES:
        raise unknown("analysis", what, tuple(ANALYSES))
    bundle = inputs.any_bundle(path, wakeup.value)
    if not isinstance(bundle, Trace | Run):
        raise UsageError(
            f"a {bundle.kind} has not happened yet", where=str(path), remedy="replay it, and analyze the run"
        )
    found = analyze(bundle, what, task=task)
    if json:
        output.say_json(as_json(found))
    else:
        output.say(render(found, top))


def as_json(found: Analysis) -> dict[str, Any]:
    """Everything found, whole: what, facts, missing, notes, and each table as a title and rows."""
    tables = {name: {"title": table.title, "rows": table.rows.to_dicts()} for name, table in found.tables.items()}
    return {
        "what": found.what,
        "facts": found.facts,
        "missing": list(found.missing),
        "notes": list(found.notes),
        "tables": tables,
    }


def render(found: Analysis, top: int) -> str:
    """Facts, then each table that has rows, then what is missing and how to read it."""
    from tracekit.analysis.wording import heading
    from tracekit.cli import output

    parts = [output.facts({heading(name): _value(name, value) for name, value in found.facts.items()})]
    parts += [_table(table, top) for table in found.tables.values() if table.rows.height]
    parts += [f"Missing: {line}" for line in found.missing] + [f"Note: {line}" for line in found.notes]
    return "\n\n".join(part for part in parts if part)


def _table(table: Table, top: int) -> str:
    from tracekit.analysis.wording import heading
    from tracekit.cli import output

    rows = table.rows.head(top)
    shown = [name for name in rows.columns if not name.endswith("task_id") and name not in table.marks]
    cells = [
        [_value(name, value) for name, value in zip(shown, row, strict=True)] for row in rows.select(shown).iter_rows()
    ]
    text = output.columns([heading(name) for name in shown], cells)
    return "\n".join([f"{table.title}:", text, *_more(table.rows, top)])


def _more(rows: pl.DataFrame, top: int) -> list[str]:
    return [f"… and {rows.height - top:,} more; --top {rows.height} shows all"] if rows.height > top else []


def _value(name: str, value: Any) -> Any:
    """A value as people read it; long words cut."""
    from tracekit.analysis.wording import written

    if isinstance(value, str) and len(value) > _WIDEST and name not in ("chain", "outcome"):
        return f"{value[: _WIDEST - 1]}…"
    return written(name, value)
