"""The arithmetic of workload files: `2 * hold + 1us`, `(i + 1) % n`. Parsed here, never given to Python's eval.

    sum     = product (("+" | "-") product)*
    product = atom (("*" | "/" | "%") atom)*
    atom    = number with an optional unit | name | "(" sum ")"

`/` rounds down. Names are parameters, loop variables, `i` (which instance of its task this is, from 0) and `n`
(how many instances there are).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracekit.units import parse_bytes, parse_duration_ns

UNITS: dict[str, Callable[[str | int], int]] = {"duration_ns": parse_duration_ns, "bytes": parse_bytes, "count": int}
MAX_CHARACTERS = 200  # bounds the depth of the tree
LIMIT = 2**62

_TOKEN = re.compile(r"\s*(?:(?P<number>\d[\d_.]*(?:\s*[A-Za-zµ]+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-+*/%()]))")
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv, "%": operator.mod,
}  # fmt: skip

# A leaf is an int or a name; a branch is (sign, left, right).
Tree = int | str | tuple[str, Any, Any]
Environment = Mapping[str, Any]  # name → int or integer array


@dataclass(frozen=True)
class Expression:
    """A parsed expression. `names` are the names it needs."""

    text: str
    tree: Tree
    names: frozenset[str]

    def value(self, environment: Environment) -> Any:
        """An int, or an int64 array shaped by the arrays among its names. ValueError: out of range, division by 0."""
        try:
            result = _evaluate(self.tree, environment)
        except ZeroDivisionError:
            raise ValueError(f"{self.text!r} divides by zero") from None
        if isinstance(result, np.ndarray):
            # int64 wraps silently; the same sum in floats does not.
            approximate = _evaluate(self.tree, {k: np.asarray(v, np.float64) for k, v in environment.items()})
            if not np.all(np.abs(approximate) < LIMIT):
                raise ValueError(f"{self.text!r} is out of range, or divides by zero")
        elif abs(result) >= LIMIT:
            raise ValueError(f"{self.text!r} is out of range")
        return result


def constant(number: int) -> Expression:
    """An expression that is a number."""
    return Expression(str(number), number, frozenset())


def variable(name: str) -> Expression:
    """An expression that is a name."""
    return Expression(name, name, frozenset((name,)))


def parse_expression(source: object, unit: str) -> Expression:
    """Parse a TOML value whose bare numbers and units are of `unit` (a key of UNITS). Raises ValueError."""
    if isinstance(source, int) and not isinstance(source, bool):
        if not 0 <= source < LIMIT:
            raise ValueError(f"{source} is out of range")
        return constant(source)
    if not isinstance(source, str):
        raise ValueError(f"{source!r} is neither a number nor a text")
    if len(source) > MAX_CHARACTERS:
        raise ValueError(f"an expression of {len(source)} characters; at most {MAX_CHARACTERS} are allowed")
    tokens = _Tokens(source, unit)
    tree = _sum(tokens)
    if tokens.next is not None:
        raise ValueError(f"{source!r}: unexpected {tokens.next!r}")
    return Expression(source, tree, frozenset(_names(tree)))


class _Tokens:
    """The tokens of an expression, one ahead: numbers as ints, names and signs as text."""

    def __init__(self, source: str, unit: str) -> None:
        self.source, self._convert = source, UNITS[unit]
        self._rest = iter(self._split())
        self.next: int | str | None = None
        self.advance()

    def _split(self) -> Iterator[int | str]:
        position, end = 0, len(self.source.rstrip())
        while position < end:
            match = _TOKEN.match(self.source, position)
            if match is None:
                raise ValueError(f"{self.source!r}: unexpected {self.source[position:].strip()[:1]!r}")
            yield self._number(match["number"]) if match["number"] else match[0].strip()
            position = match.end()

    def _number(self, text: str) -> int:
        try:
            return self._convert(text)
        except ValueError as error:
            if self._convert is int:
                raise ValueError(f"{text!r} is not a whole number") from None
            raise ValueError(str(error)) from None

    def advance(self) -> int | str | None:
        current, self.next = self.next, next(self._rest, None)
        return current


def _chain(tokens: _Tokens, signs: str, part: Callable[[_Tokens], Tree]) -> Tree:
    tree = part(tokens)
    while isinstance(tokens.next, str) and tokens.next in signs:
        sign = str(tokens.advance())
        tree = (sign, tree, part(tokens))
    return tree


def _sum(tokens: _Tokens) -> Tree:
    return _chain(tokens, "+-", _product)


def _product(tokens: _Tokens) -> Tree:
    return _chain(tokens, "*/%", _atom)


def _atom(tokens: _Tokens) -> Tree:
    token = tokens.advance()
    if token == "(":
        tree = _sum(tokens)
        if tokens.advance() != ")":
            raise ValueError(f"{tokens.source!r}: a parenthesis is not closed")
        return tree
    if token is None:
        raise ValueError(f"{tokens.source!r} ends where a number or a name is expected")
    if isinstance(token, str) and token in "+-*/%)":
        raise ValueError(f"{tokens.source!r}: unexpected {token!r}")
    return token


def _names(tree: Tree) -> Iterator[str]:
    if isinstance(tree, tuple):
        yield from _names(tree[1])
        yield from _names(tree[2])
    elif isinstance(tree, str):
        yield tree


def _evaluate(tree: Tree, environment: Environment) -> Any:
    if isinstance(tree, tuple):
        with np.errstate(all="ignore"):
            return _OPERATORS[tree[0]](_evaluate(tree[1], environment), _evaluate(tree[2], environment))
    return environment[tree] if isinstance(tree, str) else tree
