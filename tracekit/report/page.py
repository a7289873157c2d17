"""The page: every figure in order, with styles, scripts and data inlined, so that one file opens offline anywhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from tracekit.errors import TracekitError, UsageError
from tracekit.report.figures import FIGURES
from tracekit.report.figures.base import Drawing, Plot
from tracekit.report.markup import script_json, text
from tracekit.report.view import Ask, View, build_view
from tracekit.report.wording import listed
from tracekit.tables.bundle import Program, Run, Trace


def render(
    runs: Sequence[Run],
    *,
    trace: Trace | None = None,
    program: Program | None = None,
    title: str | None = None,
    needs: tuple[str, ...] = (),
    ask: Ask | None = None,
) -> str:
    """The report as one HTML page; the same input gives the same bytes. The title is the program's name by default.

    With `trace`, the recording stands beside the runs, and its replay in its own form sets the margin of the
    verdict. Forms that break one of the `needs` (report/needs.py) are out. `ask` finds what would change it. Raises UsageError without runs.
    """
    if not runs:
        raise UsageError("a report needs at least one run", remedy="replay the program under a model first")
    view = build_view(runs, trace, program, title, needs, ask)
    sections = [Section(figure.name, figure.title, figure.explain, figure.make(view)) for figure in FIGURES]
    return compose(view.title, _subtitle(view), sections)


@dataclass(frozen=True)
class Section:
    """A part of a page: its anchor, its heading, how to read it, and what it shows."""

    name: str
    title: str
    explain: str
    drawing: Drawing


def compose(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """A page of these sections, with all that it needs."""
    from plotly.offline import get_plotlyjs  # heavy, and needed by nothing else

    return Template(_part("page.html")).substitute(
        title=text(title),
        subtitle=text(subtitle),
        style=_part("page.css"),
        contents="".join(f'<li><a href="#{section.name}">{text(section.title)}</a></li>' for section in sections),
        sections="".join(_section(section) for section in sections),
        plotly=get_plotlyjs(),
        script=_part("page.js"),
    )


def write_report(
    runs: Sequence[Run],
    path: Path,
    *,
    trace: Trace | None = None,
    program: Program | None = None,
    title: str | None = None,
    needs: tuple[str, ...] = (),
    ask: Ask | None = None,
) -> Path:
    """Render to `path`. Raises TracekitError when that can't be."""
    return write_page(render(runs, trace=trace, program=program, title=title, needs=needs, ask=ask), path)


def write_page(page: str, path: Path) -> Path:
    """Write a page aside and rename it when whole. Raises TracekitError when that can't be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, page.encode("utf-8", "replace"))
    except OSError as error:
        raise TracekitError(
            f"can't write the report ({error.strerror or error})",
            where=str(path),
            remedy="choose a folder you may write to",
        ) from None
    return path


def _replace(path: Path, page: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        aside.write_bytes(page)
        aside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def _part(name: str) -> str:
    return files("tracekit.report").joinpath(name).read_text(encoding="utf-8")


def _subtitle(view: View) -> str:
    if not view.competing:
        return "one program, as it was recorded"
    return f"one program, replayed as {listed(run.label for run in view.competing)}"


def _section(section: Section) -> str:
    drawing = section.drawing
    plots = "".join(_plot(section.name, number, plot) for number, plot in enumerate(drawing.plots))
    note = f'<p class="note">{drawing.note}</p>' if drawing.note else ""
    return (
        f'<section id="{section.name}"><h2>{text(section.title)}</h2><p class="explain">{text(section.explain)}</p>'
        f'{drawing.lead}{note}<div class="plots{_wide(drawing)}">{plots}</div>{drawing.html}</section>'
    )


def _wide(drawing: Drawing) -> str:
    return " one" if len(drawing.plots) == 1 else ""


def _plot(name: str, number: int, plot: Plot) -> str:
    div = f"{name}-plot-{number}"
    return (
        f'<figure id="{div}" class="plot" role="img" aria-label="{text(plot.summary)}" '
        f'style="min-height:{int(plot.layout["height"])}px"></figure>'
        f'<script type="application/json" data-plot="{div}">{script_json({"data": plot.data, "layout": plot.layout})}</script>'
    )
