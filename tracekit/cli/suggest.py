"""Unknown names: what was meant, and what there is."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from tracekit.errors import UsageError


def unknown(what: str, name: str, known: Collection[str]) -> UsageError:
    """`no model 'tread'; did you mean 'thread'? there are: …`."""
    near = get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(f"no {what} {name!r}", remedy=f"{meant}there are: {', '.join(known)}")
