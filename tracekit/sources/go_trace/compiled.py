"""How the kernels of this reader are compiled: a typed `njit`, cached under a digest of all their sources.

numba's own cache notices a change in a kernel's file only, not in the files of the kernels that it calls, and
it freezes global constants. So the cache folder carries a digest of every module of this package.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import config as _numba_config

_njit: Any = numba.njit
_config: Any = _numba_config

# Kernels make no arrays, they only fill the caller's. Without numba's reference counts, which took 9 of 10 parts
# of the time, an event costs 40 ns.
_BORROWED = {"_nrt": False}

F = TypeVar("F", bound=Callable[..., object])

_HERE = Path(__file__).parent


def _cache_folder() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR") or str(_HERE / "__pycache__")
    return str(Path(base) / f"go_trace-{digest.hexdigest()[:16]}")


_FOLDER = _cache_folder()


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
    _config.CACHE_DIR = _FOLDER
    try:
        return cast(F, _njit(cache=True, no_cfunc_wrapper=True, **_BORROWED)(function))
    finally:
        _config.CACHE_DIR = before


def part(function: F) -> F:
    """Compile `function` into each kernel that calls it: it is too small, or its arguments too many, for a call."""
    return cast(F, _njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_BORROWED)(function))
