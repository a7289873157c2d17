"""What commands print: aligned text, JSON, and last of all the name of what was written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

UNKNOWN = "–"


def default_name(source: Path | str, suffix: str) -> Path:
    """A name in the current folder made from the input's: `a/perf.data` → `perf.tracekit`."""
    return Path(Path(source).name.removeprefix(".").split(".")[0] + suffix)


def say(text: str = "") -> None:
    """A line of the result."""
    typer.echo(text)


def say_json(value: Any) -> None:
    """The result for programs: one JSON document."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def note(text: str) -> None:
    """What a user should know that is no result: on standard error, so that --json stays JSON."""
    typer.echo(f"tracekit: {text}", err=True)


def wrote(path: Path | str) -> None:
    """The last line of a command that writes."""
    say(f"Wrote {path}")


def facts(values: Mapping[str, Any]) -> str:
    """`name  value` lines, aligned; what is unknown or empty is left out."""
    known = {name: str(value) for name, value in values.items() if value not in (None, "", {}, [])}
    width = max(map(len, known), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in known.items())


def columns(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """An aligned table: words to the left, numbers to the right."""
    lines = [[_cell(value) for value in row] for row in rows]
    right = [
        any(line[i] != UNKNOWN for line in lines) and all(_is_number(line[i]) for line in lines)
        for i in range(len(header))
    ]
    lines = [list(header), *lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in lines
    )


def _is_number(cell: str) -> bool:
    return cell == UNKNOWN or cell[:1].isdigit()


def _cell(value: Any) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int) else str(value)
