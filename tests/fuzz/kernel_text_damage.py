"""What kernel trace text are fuzzed with: small ones of every form, and changes at random: bits, numbers, words of the
format in wrong places, lines moved, doubled and joined."""

from __future__ import annotations

import random
import re
import zlib
from functools import partial

from tests.fuzz import damage
from tests.fuzz.kernel_text_lines import STORY, WRITERS, text
from tracekit.sources.kernel_text import SOURCE

SEEDS = [text(STORY, write) for write in WRITERS]
SEEDS.append(b"TRACE:\n" + zlib.compress(SEEDS[0]))
_WORDS = (
    b" prev_pid=", b" ==> ", b"[000]", b" 1.5: ", b"sched_switch:", b"-1", b"9" * 25, b"\n", b"CPU:1 [LOST 99 EVENTS]\n",
    b"##### CPU 8191 buffer started ####\n", b"\0", b"#", b" PERF_RECORD_LOST lost 7", b"PERF_RECORD_COMM: :",
    b"sys_enter: NR 3", b"(", b")", b"4096", b"\\n\\\n",
)  # fmt: skip


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


mutations = partial(damage.mutations, _change)
outcome = partial(damage.outcome, SOURCE)
