"""What a recording lacks, and where: damage in the file, and events that can't follow what came before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracekit.sources.go_trace.batches import CUT, Damage
from tracekit.sources.go_trace.faults import MEANINGS

MAX_MENDS = 10_000  # in one generation; more than that, and what comes out is no recording any more


@dataclass
class Hole:
    """A part of the recording that is not there. Times are ns of the trace's own clock."""

    cause: str
    what: str
    offset: int
    from_ns: int
    until_ns: int


@dataclass
class Mending:
    """How often one generation's events contradicted each other, and what was done about it."""

    fault: int = 0
    offset: int = 0
    from_ns: int = 0
    until_ns: int = 0
    adopted: int = 0
    skipped: int = 0
    cut_batches: int = 0

    def note(self, fault: int, totals: Any) -> None:
        """Remember where it began, and how far it goes."""
        self.until_ns = int(totals.last)
        if not self.fault:
            self.fault, self.offset, self.from_ns = fault, int(totals.error_at), int(totals.last)

    @property
    def steps(self) -> int:
        """How many mends there were."""
        return self.adopted + self.skipped + self.cut_batches

    def hole(self, partial: bool, begins_ns: int, ends_ns: int) -> Hole:
        """The row for gaps: from the first contradiction to the last, or to the end where events are left out.

        Where batches are missing, so may events be since the generation began.
        """
        what = [MEANINGS[self.fault] if self.fault else "a part of this generation is missing"]
        for count, meaning in (
            (self.adopted, "events believed against what came before"),
            (self.skipped, "events left out"),
            (self.cut_batches, "batches cut short"),
        ):
            what += [f"{count} {meaning}"] if count else []
        from_ns = begins_ns if partial or not self.fault else self.from_ns
        mended = not partial and not self.cut_batches and self.steps < MAX_MENDS
        until_ns = max(self.until_ns if mended else ends_ns, from_ns)
        return Hole("truncated" if partial else "corrupt", "; ".join(what), self.offset, from_ns, until_ns)


def hole_of(damage: Damage, at_ns: int) -> Hole:
    """The row for bytes that can't be read at all."""
    if damage.fault == CUT:
        return Hole("truncated", "the file ends within a batch", damage.offset, at_ns, at_ns)
    what = f"{MEANINGS[damage.fault]}; {damage.size} bytes left out"
    return Hole("corrupt", what, damage.offset, at_ns, at_ns)
