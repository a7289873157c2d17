"""How the columns of a result are read: by the unit in their name (`_ns`, `_bytes`, `_share`), as people write it."""

from __future__ import annotations

from typing import Any

from tracekit.units import format_bytes, format_duration

_UNITS = ("_ns", "_bytes")


def heading(name: str) -> str:
    """`wakeup_mean_ns` → `wakeup mean`."""
    for suffix in _UNITS:
        name = name.removesuffix(suffix)
    return name.replace("_", " ")


def written(name: str, value: Any) -> Any:
    """A value of the column `name` with its unit; None, text and plain counts as they are."""
    if value is None or isinstance(value, str):
        return value
    if name.endswith("_ns"):
        return format_duration(value)
    if name.endswith("_bytes"):
        return format_bytes(value)
    if "share" in name:
        return f"{100 * value:.3g} %"
    return f"{value:.3g}" if isinstance(value, float) else value
