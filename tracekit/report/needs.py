"""What a user may need of a form, which forms can't give it, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracekit.errors import UsageError


@dataclass(frozen=True)
class Need:
    """`broken_by` are the forms that are out, `because` says why."""

    broken_by: tuple[str, ...]
    because: str


NEEDS: dict[str, Need] = {
    "isolation": Need(("thread", "goroutine"), "they share one address space"),
    "crash_containment": Need(("thread", "goroutine"), "a crash of one ends all"),
    "shared_memory": Need(("process",), "each has memory of its own"),
    "os_primitives": Need(("goroutine",), "the kernel does not know them: no priority, affinity, signal or limit of their own"),
    "not_go": Need(("goroutine",), "they exist in Go only"),
}  # fmt: skip


def known_needs(given: Iterable[str]) -> tuple[str, ...]:
    """The needs named, each once, also as `a,b`. Raises UsageError for one that there is not."""
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names:
        if name not in NEEDS:
            raise UsageError(f"unknown need {name!r}", remedy=f"known: {', '.join(NEEDS)}")
    return tuple(dict.fromkeys(names))


def broken(form: str, needs: Iterable[str]) -> tuple[str, ...]:
    """Those of the needs that the form can't give."""
    return tuple(need for need in needs if form in NEEDS[need].broken_by)
