"""Damage Go traces in every way and read them: `python -m tests.fuzz.go_reader [--mutations N] [--seed S] [FILE …]`.

Each damaged file must give a trace that keeps the tables' laws, or one SourceError; within a memory limit and never
anything else. Without files, hand-made traces are truncated at every byte and mutated; a file given is truncated at
200 places and mutated too. Prints a summary, and the bytes of the first failure.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.go_stories import STORIES
from tests.fuzz.go_writer import assemble, varint
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE
from tracekit.sources.go_trace.header import HEADER_BYTES
from tracekit.sources.go_trace.spec import SPECS
from tracekit.tables.checks import check

_MEMORY_BYTES = 4 << 30
_SLOW_S = 10.0
_INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, *(spec.code for spec in SPECS)]


def outcome(data: bytes, folder: Path) -> str:
    """What reading `data` comes to: `read`, `read with gaps`, `refused`, or a failure that says what went wrong."""
    path = folder / "fuzz.trace"
    path.write_bytes(data)
    began = time.monotonic()
    try:
        trace = SOURCE.read(path, ReadOptions())
    except SourceError:
        return "refused"
    except Exception as error:
        return f"FAILED: {type(error).__name__}: {error}"
    findings = check(trace)
    if findings:
        return f"FAILED: {findings[0]}"
    if time.monotonic() - began > _SLOW_S:
        return "FAILED: too slow"
    return "read with gaps" if trace.tables["gaps"].num_rows else "read"


def truncations(data: bytes, places: int) -> Iterator[bytes]:
    """`data` cut at every byte, or at `places` places evenly if it is longer."""
    step = max(1, len(data) // places)
    for end in range(0, len(data), step):
        yield data[:end]


def mutate(data: bytes, choose: random.Random) -> bytes:
    """One to four changes: a bit flipped, a byte set, bytes dropped, repeated or swapped, a number made huge."""
    out = bytearray(data)
    for _ in range(choose.randint(1, 4)):
        at = choose.randrange(HEADER_BYTES, len(out)) if len(out) > HEADER_BYTES + 1 else 0
        length = choose.randint(1, 12)
        kind = choose.randrange(7)
        if kind == 0:
            out[at] ^= 1 << choose.randrange(8)
        elif kind == 1:
            out[at] = choose.choice(_INTERESTING)
        elif kind == 2:
            del out[at : at + length]
        elif kind == 3:
            out[at:at] = out[at : at + length]
        elif kind == 4:
            other = choose.randrange(len(out))
            out[at : at + length], out[other : other + length] = out[other : other + length], out[at : at + length]
        elif kind == 5:
            out[at : at + 1] = varint(1 << choose.randrange(1, 64))
        else:
            out[at : at + length] = choose.randbytes(length)
    return bytes(out)


def run(seeds: list[bytes], places: int, mutations: int, seed: int) -> Counter[str]:
    """Read every damaged form of the seeds; returns how often each outcome came, failures apart from each other."""
    choose = random.Random(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _warm_up(folder)
        for number, data in enumerate(_damaged(seeds, places, mutations, choose)):
            result = outcome(data, folder)
            if result.startswith("FAILED") and not any(key.startswith("FAILED") for key in counts):
                print(f"case {number}: {result}\n{data.hex() if len(data) < 4096 else len(data)}", file=sys.stderr)
            counts[result] += 1
    return counts


def _warm_up(folder: Path) -> None:
    """Compile what sound and damaged files need, so that no case is charged with it."""
    for data in truncations(assemble(STORIES["fork"]), 50):
        outcome(data, folder)


def _damaged(seeds: list[bytes], places: int, mutations: int, choose: random.Random) -> Iterator[bytes]:
    for data in seeds:
        yield from truncations(data, places)
    for _ in range(mutations):
        yield mutate(choose.choice(seeds), choose)


def main() -> int:
    """The command; exit code 1 if anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    seeds = [path.read_bytes() for path in options.files] or [assemble(text) for text in STORIES.values()]
    places = 200 if options.files else 1 << 30
    counts = run(seeds, places, options.mutations, options.seed)
    for result, count in counts.most_common():
        print(f"{count:8} {result}")
    return int(any(result.startswith("FAILED") for result in counts))


if __name__ == "__main__":
    sys.exit(main())
