"""All packets of a file, found: its bundles surveyed, its other messages read, what is no packet marked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tracekit.sources.base import Progress
from tracekit.sources.kernel.events import Records
from tracekit.sources.perfetto import numbers as n
from tracekit.sources.perfetto import survey as s
from tracekit.sources.perfetto.blocks import Blocks
from tracekit.sources.perfetto.cursor import Bytes
from tracekit.sources.perfetto.facts import Facts

_WINDOW = 16 << 20  # bytes between two reports of progress
_BUNDLES, _OTHERS = 4096, 1024  # rows of the survey's tables
_FIELDS_LOOKED_AT = 1 << 22  # in search of the end of damage, over the whole file


@dataclass
class Damage:
    """Bytes of the file that are no packet, and how many bundles come before them."""

    start: int
    end: int
    cause: str
    bundles: int


@dataclass
class Found:
    """What is in a file."""

    blocks: Blocks
    bundles: Records = field(default_factory=lambda: np.zeros(0, s.BUNDLE))
    facts: Facts = field(default_factory=Facts)
    damages: list[Damage] = field(default_factory=list)
    packets: int = 0


class _Survey:
    def __init__(self, blocks: Blocks) -> None:
        self.found = Found(blocks)
        self.kinds, _ = n.plans()
        self.tables: list[Records] = []
        self.bundles = np.empty(_BUNDLES, s.BUNDLE)
        self.others = np.empty(_OTHERS, s.OTHER)
        self.state = np.zeros(s.STATE, np.int64)
        self.budget = _FIELDS_LOOKED_AT

    def count(self) -> int:
        return sum(map(len, self.tables)) + int(self.state[s.N_BUNDLES])

    def flush(self, data: Bytes) -> None:
        """Hand on what the tables hold."""
        self.tables.append(self.bundles[: self.state[s.N_BUNDLES]].copy())
        for row in self.others[: self.state[s.N_OTHERS]]:
            if row["field"] not in (n.COMPRESSED, n.ZSTD_COMPRESSED):
                self.found.facts.take(row, data[int(row["at"]) : int(row["end"])].tobytes())
        self.state[[s.N_BUNDLES, s.N_OTHERS]] = 0

    def run(self, data: Bytes, block: int, pause: int) -> None:
        """Packets of a block up to `pause`."""
        while True:
            why = s.survey(data, len(data), pause, block, self.kinds, self.bundles, self.others, self.state)
            if why == s.DONE:
                return
            if why == s.DAMAGED:
                self.damaged(data, block)
            packed = self.compressed_rows() if why == s.COMPRESSED and block == 0 else []
            self.flush(data)
            for at, end, number in packed:
                self.inflate(at, end, number)

    def compressed_rows(self) -> list[tuple[int, int, int]]:
        """(start, end, field) of what the last packet holds compressed."""
        used = int(self.state[s.N_OTHERS])
        rows = self.others[max(used - s.ROOM, 0) : used]
        rows = rows[np.isin(rows["field"], (n.COMPRESSED, n.ZSTD_COMPRESSED))]
        return [(int(row["at"]), int(row["end"]), int(row["field"])) for row in rows[-1:]]

    def inflate(self, at: int, end: int, number: int) -> None:
        """The packets within a packet."""
        block, data, whole = self.found.blocks.add(at, end, number)
        resume = int(self.state[s.AT])
        self.state[s.AT] = 0
        self.run(data, block, len(data))
        self.flush(data)
        self.state[s.AT] = resume
        if not whole:
            self.found.damages.append(Damage(at, end, "corrupt", self.count()))

    def damaged(self, data: Bytes, block: int) -> None:
        """Go on where packets begin again."""
        at, next_at = int(self.state[s.AT]), int(self.state[s.DAMAGE_END])
        if next_at < 0:
            next_at = s.next_packet(data, at + 1, len(data), self.budget)
            self.budget -= (len(data) if next_at < 0 else next_at) - at
        cause = "truncated" if next_at < 0 and block == 0 else "corrupt"
        next_at = len(data) if next_at < 0 else next_at
        place = self.found.blocks.place
        self.found.damages.append(Damage(place(block, at), place(block, next_at), cause, self.count()))
        self.state[s.AT] = next_at


def find_packets(blocks: Blocks, progress: Progress) -> Found:
    """Every packet of the file, and of the packets in it; `progress` is told how many bytes are behind."""
    survey, size = _Survey(blocks), len(blocks.file)
    while survey.state[s.AT] < size:
        pause = min(int(survey.state[s.AT]) + _WINDOW, size)
        survey.run(blocks.file, 0, pause)
        survey.flush(blocks.file)
        progress(min(int(survey.state[s.AT]), size), size)
    survey.found.bundles = np.concatenate(survey.tables) if survey.tables else survey.found.bundles
    survey.found.packets = int(survey.state[s.N_PACKETS])
    return survey.found
