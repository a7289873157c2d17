"""How the kernels of this reader are compiled: without reference counts, as they only fill their caller's arrays.

A `part` is compiled into each kernel that calls it: it is too small, or its arguments too many, for a call. With
reference counts an event cost ten times the 40 ns it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from tracekit.jit import cached_njit
from tracekit.jit import lean as part

__all__ = ["constant", "constants", "kernel", "nth", "part"]

# `records[nth(i)]`: an index that is not negative. With a signed one every access asks whether it counts from the
# end, which was 30 % of the loop.
nth = np.uint64

F = TypeVar("F", bound=Callable[..., Any])


def constant(value: int) -> int:
    """A number that kernels pass on as an argument: an int64 to numba.

    A plain int is a type of its own to it (a literal), and each one compiles the function called once more.
    """
    return cast(int, np.int64(value))


def constants(count: int) -> list[int]:
    """0 to count - 1, each a `constant`."""
    return [constant(value) for value in range(count)]


def kernel(function: F) -> F:
    """Compile `function` when first called, and keep it on disk."""
    return cached_njit(function, counted=False)
