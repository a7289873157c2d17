"""The page: every figure in order, with styles, scripts and data inlined, so that one file opens offline anywhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from tracekit.errors import TracekitError, UsageError
from tracekit.report.figures import FIGURES
from tracekit.report.figures.base import Drawing, Figure, Plot
from tracekit.report.markup import script_json, text
from tracekit.report.view import View, build_view
from tracekit.report.wording import listed
from tracekit.tables.bundle import Program, Run, Trace


def render(
    runs: Sequence[Run], *, trace: Trace | None = None, program: Program | None = None, title: str | None = None
) -> str:
    """The report as one HTML page; the same input gives the same bytes. The title is the program's name by default.

    With `trace`, the recording stands beside the runs, and its replay in its own form sets the margin of the
    verdict. Raises UsageError without runs.
    """
    if not runs:
        raise UsageError("a report needs at least one run", remedy="replay the program under a model first")
    from plotly.offline import get_plotlyjs  # heavy, and needed by nothing else

    view = build_view(runs, trace, program, title)
    return Template(_part("page.html")).substitute(
        title=text(view.title),
        subtitle=text(_subtitle(view)),
        style=_part("page.css"),
        contents="".join(f'<li><a href="#{figure.name}">{text(figure.title)}</a></li>' for figure in FIGURES),
        sections="".join(_section(figure, view) for figure in FIGURES),
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
) -> Path:
    """Render to `path`, written aside and renamed when whole. Raises TracekitError when that can't be."""
    page = render(runs, trace=trace, program=program, title=title).encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, page)
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


def _section(figure: Figure[object], view: View) -> str:
    drawing = figure.make(view)
    plots = "".join(_plot(figure.name, number, plot) for number, plot in enumerate(drawing.plots))
    note = f'<p class="note">{drawing.note}</p>' if drawing.note else ""
    return (
        f'<section id="{figure.name}"><h2>{text(figure.title)}</h2><p class="explain">{text(figure.explain)}</p>'
        f'{note}<div class="plots{_wide(drawing)}">{plots}</div>{drawing.html}</section>'
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
