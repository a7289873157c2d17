"""Colours that colour-blind readers can tell apart, the same for a model in every figure.

Okabe and Ito's set (Color Universal Design, 2008); where it runs out, hatching tells the rest apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracekit.metrics.compare import candidates
from tracekit.vocabulary import OVERHEADS

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILLION, YELLOW, GREY = "#56B4E9", "#D55E00", "#F0E442", "#8A8F98"

_FORM_COLOURS = {"process": BLUE, "thread": ORANGE, "goroutine": GREEN}
_OTHER_MODELS = (PURPLE, SKY, VERMILLION, YELLOW)

TASK_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, "#44AA99", "#882255", "#AA9955")
OTHER_TASK = GREY  # a kernel thread, or a task outside the program

_KIND_HUES = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW)
_KIND_PATTERNS = ("", "/", ".")
KIND_STYLE: dict[str, tuple[str, str]] = {
    kind: (_KIND_HUES[code % len(_KIND_HUES)], _KIND_PATTERNS[code // len(_KIND_HUES)])
    for kind, code in OVERHEADS.items()
}


def model_colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour per bundle label: the forms have their own, the recording is grey."""
    competing = candidates(labels)
    spare = [c for c in (*_OTHER_MODELS, *_FORM_COLOURS.values()) if c not in _own_colours(competing).values()]
    own = _own_colours(competing)
    others = [label for label in competing if label not in own]
    extra = {label: spare[i % len(spare)] for i, label in enumerate(others)}
    return {label: own.get(label) or extra.get(label, GREY) for label in labels}


def _own_colours(labels: Sequence[str]) -> dict[str, str]:
    return {label: _FORM_COLOURS[label] for label in labels if label in _FORM_COLOURS}
