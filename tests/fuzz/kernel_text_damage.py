"""Damaged kernel trace text: each gives a sound Trace or one SourceError, never anything else.

    python -m tests.fuzz.kernel_text_damage [COUNT] [SEED]

cuts a small text of every form at every byte and changes COUNT (10,000) copies at random: bits, numbers, words of
the format in wrong places, lines moved, doubled and joined. Memory is bounded by an address-space limit.
"""

from __future__ import annotations

import random
import re
import resource
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.kernel_text_lines import STORY, WRITERS, text
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel_text import SOURCE
from tracekit.tables.checks import check

SEEDS = [text(STORY, write) for write in WRITERS]
SEEDS.append(b"TRACE:\n" + zlib.compress(SEEDS[0]))
_WORDS = (
    b" prev_pid=", b" ==> ", b"[000]", b" 1.5: ", b"sched_switch:", b"-1", b"9" * 25, b"\n", b"CPU:1 [LOST 99 EVENTS]\n",
    b"##### CPU 8191 buffer started ####\n", b"\0", b"#", b" PERF_RECORD_LOST lost 7", b"PERF_RECORD_COMM: :",
    b"sys_enter: NR 3", b"(", b")", b"4096", b"\\n\\\n",
)  # fmt: skip
_MEMORY_BYTES = 8 << 30  # compiled code and libraries are mapped too; a trusted number would ask for far more


def outcome(data: bytes, folder: Path) -> str:
    """`read`, or the error's first words. Anything but a sound Trace or a SourceError goes through."""
    path = folder / "damaged.txt"
    path.write_bytes(data)
    SOURCE.matches(data[: 64 * 1024])
    try:
        trace = SOURCE.read(path, ReadOptions())
    except SourceError as error:
        line = str(error)
        assert "\n" not in line and line.startswith(str(path)), line
        return re.sub(r"\d+", "N", error.what)[:60]
    assert [str(finding) for finding in check(trace)] == []
    return "read"


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Copies with one to four changes each."""
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            _change(changed, chance)
        yield bytes(changed)


def _change(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data)) if data else 0
    match chance.randrange(6):
        case 0 if data:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at : at + chance.randrange(12)] = chance.choice(_WORDS)
        case 2:
            del data[at : at + chance.randrange(1, 100)]
        case 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 20))
        case 4:
            numbers = list(re.finditer(rb"\d+", data))
            if numbers:
                found = chance.choice(numbers)
                data[found.start() : found.end()] = b"%d" % chance.choice((0, 1, 8191, 8192, 1 << 31, 1 << 63, 10**30))
        case _:
            lines = data.split(b"\n")
            chance.shuffle(lines)
            data[:] = b"\n".join(lines)


def main(count: int, seed: int) -> None:
    """Run, and print how often each outcome came."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for data in SEEDS:
            outcomes.update(outcome(data[:size], Path(folder)) for size in range(len(data)))
            outcomes.update(outcome(piece, Path(folder)) for piece in mutations(data, count // len(SEEDS), seed))
    for what, times in outcomes.most_common():
        print(f"{times:8}  {what}")


if __name__ == "__main__":
    main(*(int(number) for number in [*sys.argv[1:3], *("10000", "1")[len(sys.argv) - 1 :]]))
