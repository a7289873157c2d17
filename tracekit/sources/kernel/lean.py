"""Compilation of the readers' inner functions, which only look at arrays and never make any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core.cpu import CPUTargetOptions

F = TypeVar("F", bound=Callable[..., Any])

# Counting references to the arrays that go from callee to callee took 95 % of the event loop (400 ns of 415 an
# event), though none can go away meanwhile: the outermost function, compiled as usual, holds them all. The option
# is numba's own affair; without it all is right, only slower.
_UNCOUNTED: dict[str, Any] = {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}


def lean(function: F) -> F:
    """Compile for calls from compiled code only, into the caller. The function must not create an array."""
    compiled: F = numba.njit(
        nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True, **_UNCOUNTED
    )(function)
    return compiled
