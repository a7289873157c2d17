"""How the kernels of this reader are compiled: as the package's other compiled code, but without reference counts.

A kernel here makes no arrays, it only fills its caller's. numba's counting of references to them took 9 of 10
parts of the time; without it an event costs about 40 ns. Compiled code is kept where `tracekit.jit` keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from tracekit.jit import cache_root, sources_digest

_njit: Any = numba.njit
_config: Any = numba.config
_BORROWED = {"_nrt": False, "nogil": True, "no_cfunc_wrapper": True}

F = TypeVar("F", bound=Callable[..., object])


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
    before = _config.CACHE_DIR
    _config.CACHE_DIR = str(cache_root() / f"numba-{sources_digest()}")
    try:
        return cast(F, _njit(cache=True, **_BORROWED)(function))
    finally:
        _config.CACHE_DIR = before


def part(function: F) -> F:
    """Compile `function` into each kernel that calls it: it is too small, or its arguments too many, for a call."""
    return cast(F, _njit(forceinline=True, no_cpython_wrapper=True, **_BORROWED)(function))
