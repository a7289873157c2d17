"""How the kernels of this reader are compiled: a typed `njit`, cached under a digest of all their sources.

numba's own cache notices a change in a kernel's file only, not in the files of the kernels that it calls, and
it freezes global constants. So the cache folder carries a digest of every module of this package.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba
from numba.core import config

F = TypeVar("F", bound=Callable[..., object])

_HERE = Path(__file__).parent


def _cache_folder() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR") or str(_HERE / "__pycache__")
    return str(Path(base) / f"go_trace-{digest.hexdigest()[:16]}")


_FOLDER = _cache_folder()


def kernel(function: F) -> F:
    """Compile `function` when first called, and keep it on disk."""
    before = config.CACHE_DIR
    config.CACHE_DIR = _FOLDER
    try:
        return cast(F, numba.njit(cache=True)(function))
    finally:
        config.CACHE_DIR = before


def part(function: F) -> F:
    """Compile `function` into each kernel that calls it: it is too small, or its arguments too many, for a call."""
    return cast(F, numba.njit(forceinline=True)(function))
