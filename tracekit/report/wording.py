"""How the report says things: forms in the plural, lists, shares."""

from __future__ import annotations

from collections.abc import Iterable

_PLURALS = {"process": "processes", "thread": "threads", "goroutine": "goroutines"}


def plural(label: str) -> str:
    """`thread cpus=2` → `threads (cpus=2)`; a third party's model by its name."""
    name, _, rest = label.partition(" ")
    return _PLURALS.get(name, f"model {name}") + (f" ({rest})" if rest else "")


def listed(labels: Iterable[str]) -> str:
    """`processes, threads and goroutines`."""
    names = [plural(label) for label in labels]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def change(share: float, digits: int = 0) -> str:
    """A signed share: -0.034 → `−3 %`."""
    return f"{100 * share:+.{digits}f} %".replace("-", "−")


def percent(share: float) -> str:
    """0.034 → `3.4 %`, 0.34 → `34 %`."""
    return f"{100 * share:.2g} %" if abs(share) < 0.1 else f"{100 * share:.0f} %"
