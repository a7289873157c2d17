"""HTML and JSON text. Names come from recordings and are never trusted: everything passes through `text` here."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def text(value: object) -> str:
    """Any value as HTML text, safe in an element and in a quoted attribute; control characters become `�`."""
    return html.escape(_CONTROL.sub("�", str(value)), quote=True)


def plot_text(value: object) -> str:
    """Any value as text that plotly shows literally (it reads a subset of HTML in names and labels)."""
    return html.escape(_CONTROL.sub("�", str(value)), quote=False)


def script_json(value: Any) -> str:
    """JSON with sorted keys that can't close the script element it stands in. Raises ValueError for NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of name and value (HTML)."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, prose: Collection[int] = ()) -> str:
    """A table of HTML cells; the first of each row is its header. Columns in `prose` may wrap."""
    kinds = ["<td>" if column not in prose else '<td class="prose">' for column in range(len(head))]
    heading = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"{kind}{cell}</td>" for kind, cell in zip(kinds[1:], rest, strict=True))}</tr>'
        for first, *rest in rows
    )
    return f'<div class="scroll"><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(summary: str, content: str) -> str:
    """Content behind a click."""
    return f"<details><summary>{text(summary)}</summary>{content}</details>"


def swatch(colour: str, label: str) -> str:
    """A label with its colour before it."""
    return f'<span class="swatch" style="background:{text(colour)}"></span>{text(label)}'
