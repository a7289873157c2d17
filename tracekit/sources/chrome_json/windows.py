"""A file through the scanner, window by window: memory does not follow the file, and damage costs what it hit."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.base import Progress
from tracekit.sources.chrome_json.growth import grown
from tracekit.sources.chrome_json.layout import (
    ARRAY,
    BAD_AT,
    DAMAGED,
    DONE,
    EVENTS,
    FOREIGN,
    FULL,
    MODE,
    NOTES,
    POS,
    READ,
    Store,
    new_store,
)
from tracekit.sources.chrome_json.scan import scan

WINDOW_BYTES = 16 << 20
LARGEST_EVENT_BYTES = 256 << 20  # an event that does not end before that is damaged
MAX_ENDLESS = 64  # events without an end that are stepped over; each costs a pass to the end of the file
MAX_HOLES = 10_000
# Where an event may begin after damage: an object whose phase comes before any object inside it.
_EVENT = re.compile(rb'\{[^{}]{0,4096}?"ph"\s*:\s*"')
_REACH = 8192  # how far into a window's end such a beginning may be cut


@dataclass(frozen=True)
class Hole:
    """Bytes that could not be read: from where, why, and how many events had been kept before."""

    offset: int
    what: str
    cause: str
    events: int


@dataclass
class Scanned:
    """What a file holds: the store, the notes as JSON with their rows, and what could not be read."""

    store: Store
    notes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    size_bytes: int = 0
    sha256: str = ""


def scan_file(path: Path, progress: Progress) -> Scanned:
    """The whole file. Raises SourceError when not one event can be read, saying at which byte it went wrong."""
    size = path.stat().st_size
    reader = _Reader(path, min(WINDOW_BYTES, size + 1), size)
    with path.open("rb", buffering=0) as file, ThreadPoolExecutor(1) as reader.beside:
        while not reader.ended:
            reader.window(file)
            progress(min(reader.base + reader.filled, size), size)
    result = reader.result
    result.size_bytes, result.sha256 = reader.base + reader.filled, reader.digest.hexdigest()
    if not result.store.state[READ]:
        first = result.holes[0] if result.holes else None
        what = f"no trace event: {first.what} at byte {first.offset}" if first else "no trace event in it"
        raise SourceError(what, where=str(path), remedy="export the trace again")
    return result


class _Reader:
    """The window: `buffer[:filled]` are the bytes of the file from `base` on."""

    def __init__(self, path: Path, window: int, size: int) -> None:
        self.path, self.size = path, size
        self.buffer: Any = np.empty(window, np.uint8)
        self.base = self.filled = 0
        self.ended = self.lost = False
        self.endless = 0
        self.digest = hashlib.sha256()
        self.beside: ThreadPoolExecutor
        self.result = Scanned(new_store(window))

    def window(self, file: IO[bytes]) -> None:
        """Read on, scan what is whole, and keep the rest for the next window."""
        count = file.readinto(memoryview(self.buffer)[self.filled :])  # type: ignore[attr-defined]
        # Hashing lets go of the interpreter, and so runs beside the scan.
        hashed = self.beside.submit(self.digest.update, self.buffer[self.filled : self.filled + count])
        self.filled += count
        self.ended = count == 0
        if self.lost:
            self._find_event(self.state[POS])
        while not self.lost and self._goes_on():
            pass
        hashed.result()
        self._keep_rest()

    @property
    def state(self) -> Any:
        return self.result.store.state

    def _goes_on(self) -> bool:
        """Scan once, and see to what stopped it; False when the window is used up."""
        code = scan(self.buffer, self.filled, self.result.store)
        self._take_notes()
        if code == FULL:
            self.result.store = grown(self.result.store)
            return True
        if code == FOREIGN:
            at = self.base + int(self.state[BAD_AT])
            raise SourceError(f"no JSON object or array begins at byte {at}", where=str(self.path))
        if code == DAMAGED:
            self._damaged("corrupt")
            return not self.lost
        if self.ended and self.state[MODE] != DONE:
            return self._endless()
        return False

    def _endless(self) -> bool:
        """The file ends within something: with an event after its beginning, that was damaged and did not end."""
        at, self.endless = int(self.state[POS]), self.endless + 1
        whole = self.state[MODE] == ARRAY and at < self.filled
        if whole and self.endless <= MAX_ENDLESS and _EVENT.search(self._bytes(), at + 1, self.filled):
            self._damaged("corrupt")
            return not self.lost
        self._hole(at, "the file ends before its list of events does", "truncated")
        return False

    def _damaged(self, cause: str) -> None:
        at = int(self.state[POS])
        self._hole(at, self._diagnosis(at), cause)
        self._find_event(at + 1)

    def _find_event(self, start: int) -> None:
        found = _EVENT.search(self._bytes(), start, self.filled)
        self.lost = found is None and not self.ended
        if found is not None:
            self.state[POS], self.state[MODE] = found.start(), ARRAY
        else:
            self.state[POS] = self.filled if self.ended else max(start, self.filled - _REACH)
            self.state[MODE] = DONE if self.ended else ARRAY

    def _bytes(self) -> memoryview:
        return memoryview(self.buffer)

    def _hole(self, at: int, what: str, cause: str) -> None:
        if len(self.result.holes) >= MAX_HOLES:
            raise SourceError(
                f"more than {MAX_HOLES:,} damaged places, the last at byte {self.base + at}", where=str(self.path)
            )
        self.result.holes.append(Hole(self.base + at, what, cause, int(self.state[EVENTS])))

    def _diagnosis(self, at: int) -> str:
        """What a strict reader says about the event at `at`, which the fast pass could not read."""
        text = bytes(self.buffer[at : min(self.filled, at + (1 << 16))]).decode("utf-8", "replace")
        try:
            json.JSONDecoder(strict=False).raw_decode(text)
        except json.JSONDecodeError as error:
            return f"not JSON ({error.msg[:1].lower()}{error.msg[1:]} {error.pos} bytes into an event)"
        except RecursionError:
            return "an event nested too deeply"
        return f"an event that can't be understood (byte {self.base + int(self.state[BAD_AT])})"

    def _take_notes(self) -> None:
        store = self.result.store
        for note in store.notes[: store.state[NOTES]]:
            text = bytes(self.buffer[note["start"] : note["end"]])
            try:
                event = json.loads(text.decode("utf-8", "replace"), strict=False)
            except (ValueError, RecursionError):
                self._hole(int(note["start"]), "an event of metadata is not JSON", "corrupt")
                continue
            self.result.notes.append((int(note["row"]), event))
        store.state[NOTES] = 0

    def _keep_rest(self) -> None:
        at = int(self.state[POS])
        rest = self.filled - at
        if at == 0 and rest == len(self.buffer):
            if rest >= LARGEST_EVENT_BYTES:
                self._damaged("corrupt")
                at = int(self.state[POS])
                rest = self.filled - at
            else:
                self.buffer = np.concatenate((self.buffer, np.empty(rest, np.uint8)))
                return
        self.buffer[:rest] = self.buffer[at : self.filled].copy()
        self.base, self.filled = self.base + at, rest
        self.state[POS] = 0
