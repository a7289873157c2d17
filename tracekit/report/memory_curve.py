"""Memory from ten to a million waiting tasks for each form, and where the machine refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracekit.machine.anatomy import PARTS
from tracekit.report.figures.base import Drawing, Plot
from tracekit.report.markup import table, text
from tracekit.report.page import Section
from tracekit.report.palette import model_colours
from tracekit.report.wording import plural
from tracekit.units import format_bytes

Curve = Mapping[str, Sequence[tuple[int, int, int]]]  # by form: (tasks, resident bytes, virtual bytes)
Anatomy = Mapping[str, Sequence[int]]  # by form: bytes of each of anatomy.PARTS
Stops = Mapping[str, tuple[int, str]]  # by form: how many tasks fit (-1: any number), and what stops the next


def memory_section(curve: Curve, stops: Stops, parts: Anatomy) -> Section:
    """Two plots, a table of some points, what one task's memory is made of, and a sentence for each form's limit."""
    plots = [_plot(curve, stops, 1, "physical memory held"), _plot(curve, stops, 2, "address space reserved")]
    sentences = "".join(f"<li>{text(_sentence(form, *stops[form]))}</li>" for form in curve)
    return Section(
        "memory_curve",
        "Memory by number of tasks",
        "What it takes to have so many tasks that only wait, at the costs of the profile; a line ends with a cross where "
        "this machine, the one that the page was made on, would refuse one more. Both axes are logarithmic.",
        Drawing(_points(curve, stops) + _one_task(parts), plots, lead=f"<ul>{sentences}</ul>"),
    )


def _sentence(form: str, tasks: int, stopped_by: str) -> str:
    if tasks < 0:
        return f"{plural(form).capitalize()}: no limit of this machine is known."
    return f"{plural(form).capitalize()}: at {tasks:,} this machine refuses one more, by {stopped_by}."


def _fitting(points: Sequence[tuple[int, int, int]], most: int) -> list[tuple[int, int, int]]:
    return [point for point in points if most < 0 or point[0] <= most]


def _plot(curve: Curve, stops: Stops, column: int, title: str) -> Plot:
    colours = model_colours(list(curve))
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines+markers", "name": plural(form),
            "x": [point[0] for point in fitting], "y": [point[column] / 2**20 for point in fitting],
            "line": {"color": colours[form], "width": 2}, "marker": {"size": 8, "symbol": [
                "x" if point[0] == stops[form][0] else "circle" for point in fitting]},
            "customdata": [[f"{point[0]:,}", format_bytes(point[column])] for point in fitting],
            "hovertemplate": "%{customdata[0]} %{fullData.name}: %{customdata[1]}<extra></extra>",
        }
        for form, points in curve.items()
        if (fitting := _fitting(points, stops[form][0]))
    ]  # fmt: skip
    layout = {
        "title": {"text": f"{title} (MiB)", "font": {"size": 14}, "x": 0, "xanchor": "left"},
        "height": 380, "margin": {"l": 10, "r": 20, "t": 40, "b": 90},
        "xaxis": {"type": "log", "dtick": 1, "title": {"text": "tasks"}},
        "yaxis": {"type": "log", "dtick": 1, "automargin": True},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"}, "showlegend": True,
    }  # fmt: skip
    return Plot(data, layout, f"{title} by number of tasks, for each form")


def _points(curve: Curve, stops: Stops) -> str:
    shown = [tasks for tasks, _, _ in next(iter(curve.values())) if f"{tasks:,}".replace(",", "").strip("0") == "1"]
    rows = []
    for tasks in shown:
        rows.append([f"{tasks:,}", *(_cell(_fitting(points, stops[form][0]), tasks) for form, points in curve.items())])
    return table(["tasks", *(f"{text(plural(form))}: held <small>of reserved</small>" for form in curve)], rows)


def _one_task(parts: Anatomy) -> str:
    rows = [
        [text(part), *(format_bytes(sizes[at]) if sizes[at] else "–" for sizes in parts.values())]
        for at, part in enumerate(PARTS)
    ]
    rows.append(["all that one task holds", *(format_bytes(sum(sizes)) for sizes in parts.values())])
    return table(["of one task that waits", *(text(form) for form in parts)], rows)


def _cell(fitting: Sequence[tuple[int, int, int]], tasks: int) -> str:
    """What so many tasks hold of what they reserve, or that they do not fit."""
    found = next((point for point in fitting if point[0] == tasks), None)
    return "refused" if found is None else f"{format_bytes(found[1])} <small>of {format_bytes(found[2])}</small>"
