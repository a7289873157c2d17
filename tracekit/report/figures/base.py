"""What a figure is: a pure data step and a thin draw step.

To add one: a file here with a `FIGURE`, and its line in `figures.FIGURES`. `compute` turns the view's tables into
a table or a dict and is tested as such; `draw` turns that into HTML and plots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from tracekit.report.view import View
from tracekit.units import NS_PER_MS, NS_PER_S, NS_PER_US

T = TypeVar("T")

_TIME_UNITS = ((NS_PER_S, "s"), (NS_PER_MS, "ms"), (NS_PER_US, "µs"), (1, "ns"))


@dataclass(frozen=True)
class Plot:
    """A plotly figure as plain data. `summary` says in words what it shows, for those who can't see it."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    summary: str


@dataclass(frozen=True)
class Drawing:
    """HTML (already escaped), the plots, what the reader must know of them (downsampling), and HTML before them."""

    html: str = ""
    plots: list[Plot] = field(default_factory=list)
    note: str = ""
    lead: str = ""


@dataclass(frozen=True)
class Figure(Generic[T]):
    """A part of the report. `name` is its anchor; `explain` says in plain words how to read it."""

    name: str
    title: str
    explain: str
    compute: Callable[[View], T]
    draw: Callable[[T, View], Drawing]

    def make(self, view: View) -> Drawing:
        """Both steps."""
        return self.draw(self.compute(view), view)


def time_unit(longest_ns: float) -> tuple[int, str]:
    """The largest unit in which a time is at least 2: (nanoseconds per unit, name)."""
    return next(((size, unit) for size, unit in _TIME_UNITS if longest_ns >= 2 * size), _TIME_UNITS[-1])


def scaled(values: list[float | None], size: int) -> list[float | None]:
    """Values in a larger unit, to seven significant digits (what a screen can show, in few bytes)."""
    return [None if v is None else float(f"{v / size:.7g}") for v in values]


def bar_layout(title: str, **more: Any) -> dict[str, Any]:
    """The layout of a small horizontal bar plot with a title."""
    return {
        "title": {"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left"},
        "margin": {"l": 10, "r": 20, "t": 40, "b": 40},
        "yaxis": {
            "automargin": True,
            "autorange": "reversed",
            "type": "category",
            "showgrid": False,
            "ticksuffix": "  ",
        },
        "height": 260,
    } | more
