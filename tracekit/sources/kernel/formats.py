"""Event formats as the kernel describes them in tracefs (`events/SYSTEM/NAME/format`).

Recordings carry these texts; a field is wherever they say it is (Documentation/trace/events.rst).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracekit.sources.kernel.events import PREV_STATE_CODES

_FIELD = re.compile(
    r"field:(?P<declaration>[^;\n]+);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);(?:\s*signed:(?P<signed>\d+);)?"
)
_NAME = re.compile(r"(\w+)\s*(?:\[[^\]]*\])?\s*$")
_FLAG = re.compile(r'\{\s*(0x[0-9a-fA-F]+|\d+)\s*,\s*"(\w)"\s*\}')
# Where the flags of a prev_state are not listed: TASK_REPORT bits, include/linux/sched.h since 4.14.
_USUAL_FLAGS = {0x1: "S", 0x2: "D", 0x4: "T", 0x8: "t", 0x10: "X", 0x20: "Z", 0x40: "P", 0x80: "I"}
_OTHER_LETTERS = {"x": "X"}  # TASK_DEAD before 4.14
# Of several flags at once the first of these decides.
_STRONGEST_FIRST = "XZTtDPIS"
_MAX_OFFSET = 1 << 16  # a sample's raw data has a 16-bit size


@dataclass(frozen=True)
class Field:
    """Where a field is in an event's bytes. `dynamic`: it holds offset and length of text (`__data_loc`)."""

    offset: int
    size: int
    signed: bool
    dynamic: bool


@dataclass(frozen=True)
class EventFormat:
    """One event: its number in this recording, its fields by name, and how it is printed."""

    name: str
    id: int
    fields: dict[str, Field]
    print_format: str


def parse_format(text: str) -> EventFormat | None:
    """A format text; None when it names no event."""
    name, number = re.search(r"^name: (\S+)", text, re.M), re.search(r"^ID: (\d+)", text, re.M)
    if not name or not number:
        return None
    fields = {}
    for match in _FIELD.finditer(text):
        declared = _NAME.search(match["declaration"])
        offset, size = int(match["offset"]), int(match["size"])
        if declared and offset + size <= _MAX_OFFSET:
            dynamic = match["declaration"].startswith("__data_loc")
            fields[declared[1]] = Field(offset, size, match["signed"] == "1", dynamic)
    _, _, print_format = text.partition("print fmt:")
    return EventFormat(name[1], int(number[1]), fields, print_format)


def prev_state_masks(print_format: str) -> tuple[list[int], list[int], int]:
    """How to read prev_state: masks to try in order, the PREV_STATE_CODES code of each, and the mask of "R+"."""
    listed = {_number(mask): _OTHER_LETTERS.get(letter, letter) for mask, letter in _FLAG.findall(print_format)}
    flags = {mask: letter for mask, letter in listed.items() if letter in _STRONGEST_FIRST and 0 < mask < 1 << 31}
    flags = flags or _USUAL_FLAGS
    masks = sorted(flags, key=lambda mask: _STRONGEST_FIRST.index(flags[mask]))
    return masks, [PREV_STATE_CODES[flags[mask]] for mask in masks], 2 * max({*listed, *flags})


def _number(flag: str) -> int:
    """As C reads it, but for digits that no octal number has: these make a decimal one."""
    base = 16 if flag[1:2] in ("x", "X") else 8 if flag.startswith("0") and not {"8", "9"} & set(flag) else 10
    return int(flag, base)
