"""The nearest value of a parameter at which another form is best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tracekit.report.outlook import Turning

FACTORS = (2, 4, 8, 16, 32, 64)  # how far from its own value a parameter is tried, up and down
CLOSE_ENOUGH = 1.1  # between the last two values tried

Ranking = Mapping[str, int]  # makespan by form, of the forms that complete and meet the needs
Try = Callable[[int], Ranking | None]  # a parameter's value → the ranking; None where the program can't be


def leader(ranking: Ranking, margin: float) -> str | None:
    """The form that is first by more than the margin; None where it is too close to call."""
    order = sorted(ranking, key=lambda form: ranking[form])
    if not order:
        return None
    if len(order) > 1 and ranking[order[1]] <= ranking[order[0]] * (1 + margin):
        return None
    return order[0]


def turning_point(parameter: str, own: int, best: str | None, tried: Try, margin: float, unit: str = "") -> Turning | None:  # fmt: skip
    """Try ever further values, up and down, and bisect between the last with the old answer and the first with a new.

    Without a `best` (too close to call) the new answer is that any form is first.
    """
    last: dict[int, int] = {1: own, -1: own}
    for factor in FACTORS:
        for direction in (1, -1):
            value = own * factor if direction > 0 else own // factor
            if value < 1 or value == last[direction]:
                continue
            ranking = tried(value)
            if ranking is None:
                continue
            first = leader(ranking, margin)
            if first not in (best, None):
                at, before, ranking = _bisect(best, (last[direction], value), ranking, tried, margin)
                return Turning(parameter, unit, own, at, before, min(ranking, key=ranking.__getitem__), ranking)
            if first == best:
                last[direction] = value
    return None


def _bisect(
    best: str | None, between: tuple[int, int], ranking: Ranking, tried: Try, margin: float
) -> tuple[int, int, Ranking]:
    """The value with a new answer that is nearest to one without, that one, and the ranking at the first."""
    old, new = between
    while max(old, new) > CLOSE_ENOUGH * min(old, new) and abs(old - new) > 1:
        middle = round(math.sqrt(old * new))
        if middle in (old, new):
            break
        found = tried(middle)
        if found is not None and leader(found, margin) not in (best, None):
            new, ranking = middle, found
        else:
            old = middle
    return new, old, ranking
