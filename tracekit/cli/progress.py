"""Progress on a terminal, one line that overwrites itself; silent anywhere else.

Compiling is part of the wait the first time, and is said so: numba announces what it does not find in its cache.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

_LONG_S = 2.0  # work that takes longer says how long
_EVERY_S = 0.1  # a terminal can't show more, and printing costs time


class ProgressLine:
    """`line(done, total)` shows a share of the work under its label; `say` replaces the label.

    From `_LONG_S` on it also shows how fast the work is, where it is counted in bytes, and how long it still takes.
    """

    def __init__(self, label: str, *, in_bytes: bool = False) -> None:
        self.label = label
        self.shown = sys.stderr.isatty()
        self._in_bytes = in_bytes
        self._next = 0.0
        self._began: float | None = None
        self._first = self._last = 0

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work is, at most every tenth of a second."""
        now = time.monotonic()
        if self._began is None or done < self._last:  # another part of the work has begun
            self._began, self._first = now, done
        self._last = done
        if self.shown and now >= self._next:
            self._next = now + _EVERY_S
            speed = self._speed(done, total, now - self._began)
            self._print(f"{self.label} {min(100 * done // max(total, 1), 100)} %{speed}")

    def _speed(self, done: int, total: int, took_s: float) -> str:
        if took_s < _LONG_S or done <= self._first:
            return ""
        per_s = (done - self._first) / took_s
        rate = f", {per_s / 1e6:.3g} MB/s" if self._in_bytes else ""
        return f"{rate}, {_for_people(max(total - done, 0) / per_s)} left"

    def say(self, label: str) -> None:
        """Begin another part of the work."""
        self.label, self._next, self._began = label, 0.0, None
        if self.shown:
            self._print(label)

    def note(self, text: str) -> None:
        """Say what holds the work up."""
        if self.shown:
            self._print(f"{self.label} ({text})" if text else self.label)

    def clear(self) -> None:
        """Leave the line empty for what comes next."""
        if self.shown:
            self._print("")

    def _print(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _for_people(seconds: float) -> str:
    whole = math.ceil(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"


@contextmanager
def progress(label: str, *, in_bytes: bool = False) -> Iterator[ProgressLine]:
    """A progress line that is gone afterwards, however the work ends."""
    line = ProgressLine(label, in_bytes=in_bytes)
    line.say(label)
    try:
        with _compiling_shown(line) if line.shown else nullcontext():
            yield line
    finally:
        line.clear()


@contextmanager
def _compiling_shown(line: ProgressLine) -> Iterator[None]:
    from numba.core import event

    class Notice(event.Listener):
        depth = 0  # what is compiled has what it calls compiled

        def on_start(self, event: object) -> None:
            self.depth += 1
            if self.depth == 1:
                line.note("compiling, the first time only")

        def on_end(self, event: object) -> None:
            self.depth -= 1
            if self.depth == 0:
                line.note("")

    announcements: Any = event  # numba's functions are not annotated
    notice = Notice()
    announcements.register("numba:compile", notice)
    try:
        yield
    finally:
        announcements.unregister("numba:compile", notice)
