"""Values of a workload that vary: distributions with a seed.

Draws come from uniform doubles by explicit formulas, because numpy keeps the stream of `random()` stable but not
that of its other distributions: the same seed must give the same program everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tracekit.program.arrays import Ints
from tracekit.program.expressions import LIMIT, Environment, Expression, parse_expression

Floats = npt.NDArray[np.float64]

MAX_CHOICES = 31  # numpy.choose takes no more than 32 arrays
# Distribution → the options it takes beside its own argument.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "constant": (),
    "uniform": (),  # [low, high]
    "exponential": (),  # mean
    "lognormal": ("sigma",),  # median
    "choice": ("weights",),  # [a, b, ...]
    "poisson": (),  # mean gap; times of arrivals, so only where a time is asked for
}


@dataclass(frozen=True)
class Draw:
    """A distribution: its name, its arguments, and the one number or list that shapes it."""

    kind: str
    arguments: tuple[Expression, ...]
    shape: tuple[float, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names its arguments need."""
        return frozenset().union(*(argument.names for argument in self.arguments))


Value = Expression | Draw


def parse_value(source: object, unit: str) -> Value:
    """A number, an expression, or a table such as { exponential = "50us" }. Raises ValueError."""
    if not isinstance(source, dict):
        return parse_expression(source, unit)
    kinds = [key for key in source if key in DISTRIBUTIONS]
    if len(kinds) != 1:
        raise ValueError(f"a distribution is one of {', '.join(DISTRIBUTIONS)}; got {', '.join(source) or 'nothing'}")
    kind = kinds[0]
    for key in source:
        if key != kind and key not in DISTRIBUTIONS[kind]:
            raise ValueError(f"{kind} takes no {key!r}")
    given = source[kind] if isinstance(source[kind], list) else [source[kind]]
    arguments = tuple(parse_expression(argument, unit) for argument in given)
    _check_arity(kind, len(arguments))
    return arguments[0] if kind == "constant" else Draw(kind, arguments, _shape(kind, source, len(arguments)))


def _check_arity(kind: str, count: int) -> None:
    wanted = {"uniform": count == 2, "choice": 1 <= count <= MAX_CHOICES}.get(kind, count == 1)
    if not wanted:
        form = {"uniform": "[low, high]", "choice": f"1 to {MAX_CHOICES} values"}.get(kind, "one value")
        raise ValueError(f"{kind} takes {form}")


def _shape(kind: str, source: dict[str, Any], count: int) -> tuple[float, ...]:
    if kind == "lognormal":
        return (_number(source.get("sigma", 1.0), "sigma"),)
    if kind == "choice":
        weights = source.get("weights", [1] * count)
        if not isinstance(weights, list) or len(weights) != count:
            raise ValueError(f"choice needs one weight for each of its {count} values")
        numbers = tuple(_number(weight, "a weight") for weight in weights)
        if sum(numbers) <= 0:
            raise ValueError("the weights of choice add up to zero")
        return numbers
    return ()


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        raise ValueError(f"{what} is {value!r}; a number from 0 to 1e9 is expected")
    return float(value)


def values(value: Value, environment: Environment, shape: tuple[int, int], rng: np.random.Generator) -> Ints:
    """An int64 array of `shape` (instances, occurrences). Raises ValueError for a negative or too large result.

    Draws go instance by instance, so that more instances do not change the earlier ones.
    """
    if isinstance(value, Expression):
        result = np.broadcast_to(np.asarray(value.value(environment), np.int64), shape)
    else:
        arguments = [np.asarray(argument.value(environment), np.float64) for argument in value.arguments]
        drawn = np.rint(_DRAWS[value.kind](arguments, value.shape, shape, rng))
        if not np.all(np.abs(drawn) < LIMIT):
            raise ValueError(f"a draw from {value.kind} is out of range")
        result = drawn.astype(np.int64)
    if result.size and result.min() < 0:
        raise ValueError(f"{_text(value)} gives {result.min()}; it must not be negative")
    return result


def _text(value: Value) -> str:
    return repr(value.text) if isinstance(value, Expression) else value.kind


def _uniform(arguments: list[Floats], _: tuple[float, ...], shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    low, high = arguments
    if not np.all(low <= high):
        raise ValueError("uniform has its low above its high")
    result: Floats = low + (high - low) * rng.random(shape)
    return result


def _exponential(
    arguments: list[Floats], _: tuple[float, ...], shape: tuple[int, int], rng: np.random.Generator
) -> Floats:
    result: Floats = -arguments[0] * np.log1p(-rng.random(shape))
    return result


def _lognormal(
    arguments: list[Floats], sigma: tuple[float, ...], shape: tuple[int, int], rng: np.random.Generator
) -> Floats:
    u = rng.random((*shape, 2))
    # Box and Muller, A note on the generation of random normal deviates, 1958
    normal = np.sqrt(-2.0 * np.log1p(-u[..., 0])) * np.cos(2.0 * np.pi * u[..., 1])
    with np.errstate(over="ignore"):
        result: Floats = arguments[0] * np.exp(sigma[0] * normal)
    return result


def _choice(
    arguments: list[Floats], weights: tuple[float, ...], shape: tuple[int, int], rng: np.random.Generator
) -> Floats:
    bounds = np.cumsum(weights)
    # A draw times the sum can round up to the sum itself, one past the last.
    picked = np.searchsorted(bounds, rng.random(shape) * bounds[-1], side="right").clip(max=len(bounds) - 1)
    result: Floats = np.broadcast_to(np.choose(picked, arguments), shape)
    return result


def _poisson(arguments: list[Floats], _: tuple[float, ...], shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Times of a Poisson process: sums of exponential gaps, along the occurrences of each instance."""
    return np.cumsum(np.rint(_exponential(arguments, (), shape, rng)), axis=1)


_DRAWS = {
    "uniform": _uniform,
    "exponential": _exponential,
    "lognormal": _lognormal,
    "choice": _choice,
    "poisson": _poisson,
}
