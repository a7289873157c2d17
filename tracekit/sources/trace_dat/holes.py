"""What is missing from a file, as gaps: events lost in the ring buffer, bytes that make no sense or are not there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tracekit.sources.kernel.events import GAP, Records
from tracekit.vocabulary import GAP_CAUSES


@dataclass
class Holes:
    """Gaps as they are found, each with the part of the file that it is in, and how often times were mended."""

    gaps: list[Records] = field(default_factory=list)
    streams: list[str | None] = field(default_factory=list)
    mended: int = 0  # times before the one before on their CPU

    def add(self, cpu: int, times: tuple[int, int], cause: str, lost: int = -1, part: str | None = None) -> None:
        """A hole on `cpu` from times[0] to times[1]; `lost` -1: unknown how many."""
        gap = np.zeros(1, GAP)
        gap["cpu"], gap["cause"], gap["lost_events"] = cpu, GAP_CAUSES[cause], lost
        gap["start_ns"], gap["end_ns"] = times[0], max(times)
        self.gaps.append(gap)
        self.streams.append(part)
