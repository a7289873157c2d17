"""protobuf's wire format in plain Python: for a file's first bytes, and for packets of which there are few.

https://protobuf.dev/programming-guides/encoding: a message is fields, each a tag (number and wire type) and a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

VARINT, FIXED64, LENGTH, _, _, FIXED32 = range(6)
PACKET_TAG = 1 << 3 | LENGTH  # a file is a message whose every field is number 1, a TracePacket

# TracePacket's fields that are numbers; all others that it has are messages, text or bytes.
_NUMBERS = frozenset((3, 8, 10, 13, 41, 42, 58, 79, 87, 98))
_LAST_FIELD, _FOR_TESTING, _EXTENSIONS = 200, 900, range(1000, 2000)  # 140 is the last in use; room for newer ones
_PACKETS_LOOKED_AT = 8


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends). Raises ValueError when the bytes end before it does, or it is longer than ten."""
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & (1 << 64) - 1, at + place + 1
    raise ValueError("a number without an end")


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: an int for numbers, bytes for what has a length; ends where bytes make no field."""
    at = 0
    while at < len(data):
        try:
            tag, at = varint(data, at)
            value, at = varint(data, at) if tag & 7 in (VARINT, LENGTH) else (0, at)
        except ValueError:
            return
        if tag & 7 == LENGTH:
            if value > len(data) - at:
                return
            yield tag >> 3, data[at : at + value]
            at += value
        elif tag & 7 in (FIXED64, FIXED32):
            at += 8 if tag & 7 == FIXED64 else 4
        elif tag & 7 == VARINT:
            yield tag >> 3, value
        else:
            return


def looks_like_packets(head: bytes) -> bool:
    """Whether `head`, the beginning of a file, is TracePackets: tags and lengths fit, as far as it goes."""
    found = list(islice(_packets(head), _PACKETS_LOOKED_AT))
    return any(found) and all(packet is not None for packet in found)


def _packets(head: bytes) -> Iterator[int | None]:
    """How many fields each packet has, as far as `head` has them; None for what is no packet."""
    at = 0
    while at < len(head):
        if head[at] != PACKET_TAG:
            yield None
            return
        try:
            size, start = varint(head, at + 1)
        except ValueError:
            if len(head) - at > 10:
                yield None
            return
        yield _field_count(head, start, start + size)
        at = start + size


def _field_count(head: bytes, at: int, end: int) -> int | None:
    count = 0
    try:
        while at < min(end, len(head)):
            tag, at = varint(head, at)
            number, wire = tag >> 3, tag & 7
            known = 1 <= number <= _LAST_FIELD or number == _FOR_TESTING or number in _EXTENSIONS
            if not known or wire != (VARINT if number in _NUMBERS else LENGTH):
                return None
            value, at = varint(head, at)
            at += value if wire == LENGTH else 0
            count += 1
    except ValueError:
        return count if end > len(head) else None
    return count if at <= end else None
