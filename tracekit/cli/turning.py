"""What would change the answer: the nearest value of a workload's parameter at which another form is best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FACTORS = (2, 4, 8, 16, 32, 64)  # how far from the file's own value a parameter is tried, up and down
CLOSE_ENOUGH = 1.1  # between the last two values tried
MAX_SEGMENTS = 300_000  # of a program that is tried: a turning point beyond is not looked for

Ranking = Mapping[str, int]  # makespan by form, of the forms that complete and meet the needs
Try = Callable[[int], Ranking | None]  # a parameter's value → the ranking; None where the program can't be


@dataclass(frozen=True)
class Turning:
    """From `at` on (going away from the file's value), `best` is first instead of the form that was."""

    parameter: str
    own: int
    at: int
    before: int  # the last value at which the answer was still the old one
    best: str
    makespans_ns: Ranking


def leader(ranking: Ranking, margin: float) -> str | None:
    """The form that is first by more than the margin; None where it is too close to call."""
    order = sorted(ranking, key=lambda form: ranking[form])
    if not order:
        return None
    if len(order) > 1 and ranking[order[1]] <= ranking[order[0]] * (1 + margin):
        return None
    return order[0]


def turning_point(parameter: str, own: int, best: str, tried: Try, margin: float) -> Turning | None:
    """Try ever further values, up and down, and bisect between the last with the old answer and the first with a new."""
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
                return _bisect(parameter, own, best, (last[direction], value), ranking, tried, margin)
            if first == best:
                last[direction] = value
    return None


def _bisect(
    parameter: str, own: int, best: str, between: tuple[int, int], ranking: Ranking, tried: Try, margin: float
) -> Turning:
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
    first = min(ranking, key=lambda form: ranking[form])
    return Turning(parameter, own, new, old, first, ranking)
