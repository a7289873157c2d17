"""Compressed records: sizes that do not fit their field, streams that break off, and what is between them."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from tests.fuzz.perf_files import flushed
from tracekit.sources.perf_data.unpack import Unpacker, payloads
from tracekit.sources.perf_data.walk import next_record

_FIRST_MOST = 65519  # data of a COMPRESSED2 record that is full
ROUND = struct.pack("<IHH", 68, 0, 8)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def packed(data: bytes) -> bytes:
    return struct.pack("<IHH", 81, 0, 8 + len(data)) + data


def packed2(data: bytes) -> bytes:
    """As perf since v6.16 writes it: more than 64 KiB are several records, the first one's sizes those of all."""
    parts = [data[at : at + _FIRST_MOST] for at in range(0, len(data), _FIRST_MOST)]
    rest = b"".join(struct.pack("<IHHQ", 83, 0, 16 + len(part), 0) + part for part in parts[1:])
    length = len(parts[0]) + len(rest)
    size = -(-(16 + length) // 8) * 8
    padding = b"" if rest else bytes(size - 16 - length)
    return struct.pack("<IHHQ", 83, 0, size & 0xFFFF, length) + parts[0] + rest + padding


def unpacked(file: bytes) -> tuple[bytes, list[tuple[int, int]], list[tuple[int, int]]]:
    """What is unpacked, the records between, and the damage."""
    unpacker = Unpacker(np.frombuffer(file, np.uint8), 0, len(file), big=False)
    found = b""
    while chunk := unpacker.read(1000):
        found += chunk
    return found, unpacker.take_between(), unpacker.take_damage()


@pytest.mark.parametrize("size", [100, 65_000, 65_519, 65_520, 131_038, 200_000])
def test_a_record_of_any_size(size: int) -> None:
    (data,) = flushed([noise(size)])
    record = packed2(data)
    file = np.frombuffer(record + ROUND, np.uint8)
    assert next_record(file, 0, len(file), False) == len(record)
    spans = payloads(file, 0, len(record), big=False)
    assert b"".join(file[start:end].tobytes() for start, end in spans) == data
    assert unpacked(record + ROUND) == (noise(size), [(len(record), len(record) + 8)], [])


def test_a_size_that_nobody_filled_in() -> None:
    (data,) = flushed([noise(300)])
    record = struct.pack("<IHHQ", 83, 0, 16 + len(data), (1 << 64) - 1) + data
    assert unpacked(record + ROUND)[0] == noise(300)


def test_records_between_are_told_in_order() -> None:
    one, two = flushed([noise(50), noise(60, 2)])
    file = ROUND + packed(one) + ROUND * 2 + packed(two)
    found, between, damage = unpacked(file)
    assert found == noise(50) + noise(60, 2)
    assert between == [(0, 8), (8 + len(packed(one)), 24 + len(packed(one)))]
    assert damage == []


def test_after_bytes_that_can_not_be_unpacked_comes_the_next_stream() -> None:
    good, bad, lost = flushed([noise(5000), noise(6000, 2), noise(7000, 3)])
    (other,) = flushed([noise(400, 4)])
    head, broken, gone = packed(good), packed(b"\xff" * len(bad)), packed(lost)
    found, _, damage = unpacked(head + broken + gone + packed(other))
    assert found == noise(5000) + noise(400, 4)
    assert damage == [(len(head), len(head + broken + gone))]


def test_a_stream_that_was_ended_is_no_damage() -> None:
    (data,) = flushed([noise(5000)])
    found, _, damage = unpacked(packed(data + b"\1\0\0"))
    assert (found, damage) == (noise(5000), [])


def test_a_stream_without_its_beginning_is_damage() -> None:
    _, second = flushed([noise(100), noise(200)])
    assert unpacked(packed(second)) == (b"", [], [(0, 8 + len(second))])
