"""What each source is fuzzed with: small files of every form, mutators that know the format, and a real recording."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from tests.fuzz import (
    changes,
    go_reader,
    kernel_text_damage,
    perf_damage,
    perf_kernel,
    perfetto_damage,
    trace_dat_damage,
)
from tests.fuzz.go_stories import STORIES
from tests.fuzz.go_writer import assemble
from tests.fuzz.perf_files import perf_file
from tests.fuzz.perfetto_files import perfetto_file
from tracekit.errors import SourceError
from tracekit.sources.registry import identify, sources
from tracekit.tables.build import table

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "traces", ROOT / ".." / "shared" / "recordings")  # where real recordings are, if anywhere
_LARGE_BYTES = (100_000, 3_000_000)  # large enough for a real recording, small enough to be read many times

Mutator = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """A source's small files, and what changes them; every source has `changes.mutate` besides. They are read within
    `around`."""

    seeds: Callable[[], list[bytes]]
    mutators: list[Mutator] = field(default_factory=list)
    around: Callable[[], AbstractContextManager[None]] = nullcontext


TARGETS: dict[str, Target] = {}  # by the source's name


def target(
    name: str, *mutators: Mutator, around: Callable[[], AbstractContextManager[None]] = nullcontext
) -> Callable[[Callable[[], list[bytes]]], Callable[[], list[bytes]]]:
    """Register the decorated function, which gives small files, and mutators for the source `name`."""

    def register(seeds: Callable[[], list[bytes]]) -> Callable[[], list[bytes]]:
        TARGETS[name] = Target(cache(seeds), list(mutators), around)
        return seeds

    return register


def drawn(mutations: Callable[[bytes, int, int], Iterator[bytes]]) -> Mutator:
    """A mutator from a function of (data, count, seed)."""
    return lambda data, chance: next(iter(mutations(data, 1, chance.randrange(1 << 32))))


@target("perf.data", drawn(perf_damage.mutations), around=perf_kernel.booted)
def _perf() -> list[bytes]:
    return [perf_file(perf_damage.STORY, shape) for shape in perf_damage.SHAPES]


@target("go", go_reader.mutate)
def _go() -> list[bytes]:
    return [assemble(text) for text in STORIES.values()]


@target("trace.dat", drawn(trace_dat_damage.page_mutations))
def _trace_dat() -> list[bytes]:
    return list(trace_dat_damage.seeds())


@target("kernel-text", drawn(kernel_text_damage.mutations))
def _kernel_text() -> list[bytes]:
    return list(kernel_text_damage.SEEDS)


@target("perfetto", drawn(perfetto_damage.mutations))
def _perfetto() -> list[bytes]:
    return [perfetto_file(perfetto_damage.STORY, shape) for shape in perfetto_damage.SHAPES]


@target("chrome-json", changes.change_numbers)
def _chrome() -> list[bytes]:
    threads = [
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": {"name": "worker"}},
        {"ph": "B", "name": "a", "pid": 1, "tid": 2, "ts": 1.5, "cat": "x"},
        {"ph": "s", "name": "f", "id": 7, "pid": 1, "tid": 2, "ts": 2.25},
        {"ph": "f", "name": "f", "id": 7, "pid": 1, "tid": 3, "ts": 3.125, "bp": "e"},
        {"ph": "E", "pid": 1, "tid": 2, "ts": 9},
        {"ph": "X", "name": "b", "pid": 1, "tid": 3, "ts": 3, "dur": 4.001, "args": {"deep": [1, {"a": "\u2603\n"}]}},
    ]
    whole = json.dumps({"traceEvents": threads, "displayTimeUnit": "ns"})
    return [whole.encode(), ("[" + ",\n".join(map(json.dumps, threads)) + ",").encode()]


@target("table", changes.change_numbers)
def _table() -> list[bytes]:
    lines = b"task,start,end,state,cpu\nA,0,1.5,RUNNING,0\nB,1,4,RUNNABLE,\nA,2,4,BLOCKED,\nB,4,9,RUNNING,1\n"
    columns = {"task_id": [0, 1], "state": ["RUNNING", "BLOCKED"], "start_ns": [0, 5], "end_ns": [5, 9]}
    stored = io.BytesIO()
    pq.write_table(table("intervals", columns), stored)
    return [lines, stored.getvalue()]


def chosen_sources(names: list[str]) -> list[str]:
    """The sources asked for, all by default. Raises SystemExit for one that is not there."""
    known = list(sources())
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no source {unknown[0]}; there are {', '.join(known)}")
    return names or known


def small_files(name: str) -> list[bytes]:
    """Small files of a source: those of its target, or else the smallest real recording."""
    if name in TARGETS:
        return TARGETS[name].seeds()
    real = recordings().get(name)
    return [min(real, key=lambda path: path.stat().st_size).read_bytes()] if real else []


def mutators(name: str) -> list[Mutator]:
    """What changes files of a source."""
    return [changes.mutate, *(TARGETS[name].mutators if name in TARGETS else [])]


def around(name: str) -> AbstractContextManager[None]:
    """What files of a source are read within."""
    return TARGETS[name].around() if name in TARGETS else nullcontext()


def large_file(name: str) -> Path | None:
    """A real recording of a source, where there is one."""
    low, high = _LARGE_BYTES
    fitting = [path for path in recordings().get(name, []) if low <= path.stat().st_size <= high]
    return min(fitting, key=lambda path: path.stat().st_size, default=None)


@cache
def recordings() -> dict[str, list[Path]]:
    """Every real recording that is here, by the source that reads it."""
    found: dict[str, list[Path]] = {}
    for path in sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()):
        try:
            found.setdefault(identify(path).name, []).append(path)
        except SourceError:
            continue
    return found
