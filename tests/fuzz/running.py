"""Damaged files read in processes of their own, bounded in memory and time; a case is known by its number alone."""

from __future__ import annotations

import math
import multiprocessing as mp
import random
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, cached_property
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.fuzz import targets
from tracekit.errors import SourceError
from tracekit.sources.base import HEAD_BYTES, ReadOptions, Source
from tracekit.sources.registry import sources
from tracekit.tables.checks import check

ADDRESS_SPACE_BYTES = 8 << 30  # compiled code and libraries are mapped too; a trusted length would ask for far more
SECONDS = 20.0  # for one case
LARGE_PLACES = 200
_LARGE_SHARE = 50  # one mutation in so many is of the large file
_BATCH = 250  # cases a worker takes at once

READ, REFUSED, FAILED = "read", "refused", "failed"


@dataclass(frozen=True)
class Cases:
    """All damaged files of one source: cuts of each small file at every byte, cuts of a large one, mutations."""

    name: str
    mutations: int
    seed: int
    every: int = 1  # small files are cut at every so many bytes

    @cached_property
    def _small(self) -> list[bytes]:
        return targets.small_files(self.name)

    @cached_property
    def _large(self) -> bytes:
        path = targets.large_file(self.name)
        return path.read_bytes() if path and self.every == 1 else b""

    @cached_property
    def _cuts(self) -> list[tuple[bytes, int]]:
        cuts = [(data, size) for data in self._small for size in range(0, len(data), self.every)]
        places = [place * len(self._large) // LARGE_PLACES for place in range(LARGE_PLACES)] if self._large else []
        return cuts + [(self._large, place) for place in places]

    def __len__(self) -> int:
        return len(self._cuts) + (self.mutations if self._small else 0)

    def __getitem__(self, number: int) -> bytes:
        if number < len(self._cuts):
            data, size = self._cuts[number]
            return data[:size]
        chance = random.Random(f"{self.seed} {self.name} {number}")
        use_large = self._large and chance.randrange(_LARGE_SHARE) == 0
        data = self._large if use_large else chance.choice(self._small)
        return chance.choice(targets.mutators(self.name))(data, chance)


@dataclass
class Summary:
    """What came of a source's cases."""

    name: str
    outcomes: Counter[str] = field(default_factory=Counter)
    worst_s: float = 0.0
    peak_bytes: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Take in what another process found."""
        self.outcomes += other.outcomes
        self.worst_s, self.peak_bytes = max(self.worst_s, other.worst_s), max(self.peak_bytes, other.peak_bytes)
        self.failures += other.failures

    def fail(self, number: int, why: str) -> None:
        """A case broke the promise."""
        self.outcomes[FAILED] += 1
        self.failures.append((number, why))


@cache
def _sources() -> dict[str, Source]:
    """Looked up once: to find installed sources takes longer than to read a small file."""
    return sources()


def outcome(name: str, data: bytes, folder: Path) -> str:
    """`read`, `refused`, or what went wrong: neither a sound trace nor one line that names the file."""
    path = folder / "damaged"
    path.write_bytes(data)
    source = _sources()[name]
    try:
        source.matches(data[:HEAD_BYTES])
        with targets.around(name):
            findings = check(source.read(path, ReadOptions()))
    except SourceError as error:
        line = str(error)
        return REFUSED if "\n" not in line and str(path) in line else f"a poor line: {line!r}"
    except MemoryError:
        return "out of memory"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"a broken law: {findings[0]}" if findings else READ


def run(cases: Cases, numbers: range, current: Any = None) -> Summary:
    """Read these cases in this process."""
    summary = Summary(cases.name)
    with tempfile.TemporaryDirectory() as name:
        for number in numbers:
            data = cases[number]
            began = time.monotonic()
            if current is not None:
                current[0], current[1] = number, began
            result = outcome(cases.name, data, Path(name))
            took = time.monotonic() - began
            if number > numbers.start:  # the first may have to wait for compiled code
                summary.worst_s = max(summary.worst_s, took)
            if result in (READ, REFUSED):
                summary.outcomes[result] += 1
            else:
                summary.fail(number, result)
    if current is not None:
        current[1] = 0.0
    summary.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return summary


def _work(cases: Cases, pipe: Connection, current: Any) -> None:
    """A worker process: warm up, then take ranges of cases until none is left."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        for data in targets.small_files(cases.name):
            outcome(cases.name, data, Path(folder))
    pipe.send(None)
    while (numbers := pipe.recv()) is not None:
        pipe.send(run(cases, numbers, current))


class _Worker:
    def __init__(self, context: Any, cases: Cases) -> None:
        self.pipe, theirs = context.Pipe()
        self.current = context.Array("d", [0.0, 0.0], lock=False)
        self.numbers: range | None = None
        self.process = context.Process(target=_work, args=(cases, theirs, self.current), daemon=True)
        self.process.start()
        theirs.close()

    def stuck(self) -> bool:
        began: float = self.current[1]
        return self.numbers is not None and began > 0 and time.monotonic() - began > SECONDS

    def end(self) -> int:
        """Stop it; the case that it was at."""
        self.process.kill()
        self.process.join()
        return int(self.current[0])


def run_all(cases: Cases, processes: int, seconds: float = math.inf) -> Summary:
    """Read all cases in `processes` processes, or as many as can be begun within so many seconds.

    A process that hangs or dies costs its case, and is started anew.
    """
    until = time.monotonic() + seconds
    context, summary = mp.get_context("spawn"), Summary(cases.name)
    waiting = [range(at, min(at + _BATCH, len(cases))) for at in range(0, len(cases), _BATCH)][::-1]
    workers = [_Worker(context, cases) for _ in range(min(processes, len(waiting)))]
    while workers:
        if time.monotonic() > until:
            waiting.clear()
        for worker in list(workers):
            if worker.pipe not in wait([w.pipe for w in workers], timeout=0.5) and not worker.stuck():
                continue
            why = "no end in time" if worker.stuck() else _received(worker, summary)
            if why is None and waiting:
                worker.numbers = waiting.pop()
                worker.pipe.send(worker.numbers)
                continue
            workers.remove(worker)
            at, numbers = worker.end(), worker.numbers
            if why is not None and numbers is None:
                raise SystemExit(f"{cases.name}: a process could not start ({why})")
            if why is not None and numbers is not None:
                summary.fail(at, why)
                waiting += [part for part in (range(at + 1, numbers.stop), range(numbers.start, at)) if len(part)]
                workers.append(_Worker(context, cases))
    return summary


def _received(worker: _Worker, summary: Summary) -> str | None:
    """Take what a worker sends; why it died, if it did."""
    try:
        found = worker.pipe.recv()
    except (EOFError, ConnectionError):
        worker.process.join()
        return f"the process died (exit code {worker.process.exitcode})"
    worker.numbers = None
    if found is not None:
        summary.add(found)
    return None
